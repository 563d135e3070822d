"""What kind of file system a volume is on, as lines of mountinfo."""

from pathlib import Path

import pytest

from coder_ws_runtime.errors import NoVolumeError
from coder_ws_runtime.persist.store.file_system import Support, inspect, judge
from coder_ws_runtime.system.mounts import find_mount
from tests.harness.tree import Tree, write

S, D, R, U = Support.SUPPORTED, Support.DEGRADED, Support.REFUSED, Support.UNKNOWN
TABLE = {
    # type, options of the file system, support, a word of the reason
    "ext4": ("ext4", "rw,discard", S, ""),
    "xfs": ("xfs", "rw,attr2", S, ""),
    "btrfs": ("btrfs", "rw,subvol=/x", S, ""),
    "tmpfs": ("tmpfs", "rw,size=1m", S, ""),
    "NFS 4.2": ("nfs4", "rw,vers=4.2,hard,local_lock=none", S, ""),
    "NFS 4.0": ("nfs4", "rw,vers=4.0,local_lock=none", S, ""),
    "NFS 3": ("nfs", "rw,vers=3,local_lock=none", D, "lockd"),
    "NFS 3 without locks": ("nfs", "rw,vers=3,nolock,local_lock=all", R, "on this host only"),
    "NFS with local locks": ("nfs4", "rw,vers=4.1,local_lock=all", R, "local_lock"),
    "NFS with local flock": ("nfs", "rw,vers=3,local_lock=flock", R, "local_lock"),
    "NFS with local POSIX locks, which are not ours": ("nfs", "rw,vers=3,local_lock=posix", D, "lockd"),
    "SMB": ("cifs", "rw,vers=3.1.1,mfsymlinks", D, "symlinks"),
    "SMB that locks here only": ("cifs", "rw,vers=3.1.1,nobrl", R, "nobrl"),
    "SMB 3 likewise": ("smb3", "rw,nobrl", R, "nobrl"),
    "Lustre with locks": ("lustre", "rw,flock", U, ""),
    "Lustre without": ("lustre", "rw", R, "flock"),
    "Lustre with local ones": ("lustre", "rw,localflock", R, "localflock"),
    "OCFS2 with local ones": ("ocfs2", "rw,localflocks", R, "localflocks"),
    "CephFS": ("ceph", "rw,name=x", S, ""),
    "GlusterFS": ("fuse.glusterfs", "rw", S, ""),
    "sshfs": ("fuse.sshfs", "rw", D, "only within this mount"),
    "bindfs": ("fuse.bindfs", "rw", D, "only within this mount"),
    "9p": ("9p", "rw,trans=virtio", D, "only within this mount"),
    "VFAT": ("vfat", "rw", D, "owners"),
    "what nobody knows": ("newfs", "rw", U, ""),
}


def mountinfo(point: str, kind: str, options: str, number: int = 36) -> str:
    return f"{number} 35 0:50 / {point} rw,noatime shared:1 master:2 - {kind} server:/x {options}\n"


@pytest.mark.parametrize(("kind", "options", "support", "word"), TABLE.values(), ids=TABLE)
def test_row(kind: str, options: str, support: Support, word: str) -> None:
    mount = find_mount(mountinfo("/mnt/home-persist", kind, options), "/mnt/home-persist")
    assert mount is not None
    found = judge(mount)
    assert (found.support, found.kind, found.source) == (support, kind, "server:/x")
    assert word in found.reason
    assert bool(found.reason) == bool(found.remedy) == (support in (D, R))
    assert {"noatime", options.rsplit(",", maxsplit=1)[-1]} <= set(found.options)


def test_the_mount_that_a_path_is_on() -> None:
    text = (
        mountinfo("/", "overlay", "rw")
        + mountinfo("/mnt", "tmpfs", "rw")
        + mountinfo("/mnt/home-persist", "ext4", "rw")
        + mountinfo("/mnt/home-persist", "nfs4", "rw")
        + mountinfo("/mnt/a\\040b", "xfs", "rw")
        + "not a line\n1 2 3\n"
    )
    kinds = {
        "/": "overlay",
        "/mnt/x": "tmpfs",
        "/mnt/home-persist": "nfs4",
        "/mnt/home-persist/x": "nfs4",
        "/mnt/home-persistent": "tmpfs",
        "/mnt/a b": "xfs",
    }
    for path, kind in kinds.items():
        mount = find_mount(text, path)
        assert mount is not None
        assert mount.kind == kind, path
    assert find_mount("", "/") is None


def test_a_real_one() -> None:
    found = inspect(Path("/proc"), Path("/"))
    assert found.kind
    assert found.support is not Support.REFUSED
    assert inspect(Path("/nonexistent"), Path("/")).support is Support.UNKNOWN


def test_a_volume_without_locks_is_refused_and_can_be_looked_at(tree: Tree) -> None:
    from coder_ws_runtime.persist.status import status

    text = mountinfo(str(tree.volume), "nfs", "rw,vers=3,nolock,local_lock=all")
    write(tree.layout.proc, {"self/mountinfo": text})
    write(tree.home, {".d/x": "1"})
    tree.manifest(".d/")
    with pytest.raises(NoVolumeError) as refused:
        tree.resolve()
    assert (refused.value.code, refused.value.hint) == (
        "volume.no-locks",
        "mount it without 'local_lock=all'",
    )
    assert (tree.home / ".d/x").read_text() == "1"
    fault = status(tree.layout, tree.settings).fault
    assert fault is not None
    assert fault.code == "volume.no-locks"
