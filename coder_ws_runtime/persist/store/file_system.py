"""The kind of file system that a volume has, and whether it is reliable enough.

Several workspaces, perhaps on several hosts, work on one volume, and locks keep their work apart. So a file
system whose locks do not reach the others is refused. If less is missing (flags of renameat2(2), extended
attributes, modes, links), home-persist works with what there is.
"""

import os
from enum import Enum
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import NoVolumeError
from coder_ws_runtime.system.mounts import Mount, find_mount


class Support(Enum):
    """How reliable a file system is; the value is the word in reports."""

    SUPPORTED = "supported"
    DEGRADED = "degraded"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FileSystem:
    """The kind of a volume's file system."""

    kind: str
    """The type as in mountinfo, e.g. ``nfs4``; empty if unknown."""
    source: str
    options: tuple[str, ...]
    """Sorted."""
    support: Support
    reason: str = ""
    """What is missing; empty if nothing is."""
    remedy: str = ""


_NFS = frozenset({"nfs", "nfs4"})
_SMB = frozenset({"cifs", "smb3"})
_LOCAL = frozenset(
    {"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "tmpfs", "jfs", "reiserfs", "overlay"}
)
_CLUSTER = frozenset({"ceph", "fuse.ceph-fuse", "fuse.glusterfs", "gpfs"})
# Mount options with which a file system keeps its locks on one host.
_LOCAL_LOCKS = frozenset(
    {"nolock", "nobrl", "localflock", "localflocks", "local_lock=all", "local_lock=flock"}
)
_NO_POSIX = frozenset({"vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk", "hfsplus"})
_ONE_MOUNT = frozenset({"9p", "virtiofs"})


def inspect(proc: Path, path: Path) -> FileSystem:
    """The kind of file system that a path is on.

    Args:
        proc: the process file system; without information there, nothing is known.
        path: an absolute path; links in it are followed.
    """
    try:
        text = (proc / "self/mountinfo").read_text(errors="replace")
    except OSError:
        return FileSystem("", "", (), Support.UNKNOWN)
    mount = find_mount(text, os.path.realpath(path))
    return judge(mount) if mount else FileSystem("", "", (), Support.UNKNOWN)


def judge(mount: Mount) -> FileSystem:
    """How reliable a mount is. Pure."""
    support, reason, remedy = _judged(mount)
    return FileSystem(mount.kind, mount.source, tuple(sorted(mount.options)), support, reason, remedy)


def _judged(mount: Mount) -> tuple[Support, str, str]:
    fault = _no_locks(mount) or _what_is_missing(mount)
    if fault:
        return fault
    supported = mount.kind in _LOCAL | _CLUSTER | _NFS
    return (Support.SUPPORTED if supported else Support.UNKNOWN), "", ""


def _no_locks(mount: Mount) -> tuple[Support, str, str] | None:
    """Why a mount is refused."""
    found = sorted(mount.options & _LOCAL_LOCKS)
    if found:
        reason = (
            f"{mount.kind} with the option {found[0]!r} locks on this host only, so workspaces of several"
            " hosts would overwrite each other's files"
        )
        return Support.REFUSED, reason, f"mount it without {found[0]!r}"
    if mount.kind == "lustre" and "flock" not in mount.options:
        return Support.REFUSED, "lustre without the option 'flock' has no locks", "mount it with 'flock'"
    return None


def _what_is_missing(mount: Mount) -> tuple[Support, str, str] | None:
    """Why a mount is degraded."""
    reason = remedy = ""
    version = mount.option("vers") or ("4" if mount.kind == "nfs4" else "3")
    if mount.kind in _NFS and not version.startswith("4"):
        reason = f"NFS {version} uses a separate service for locks (lockd), which firewalls often block"
        remedy = "mount it with 'vers=4.2'"
    elif mount.kind in _SMB:
        reason = f"{mount.kind} has Unix symlinks, owners and modes only if the server adds them"
        remedy = "use NFSv4 or CephFS for homes"
    elif mount.kind in _NO_POSIX:
        reason, remedy = f"{mount.kind} does not store owners, modes and symlinks", "use ext4 or xfs"
    elif mount.kind in _ONE_MOUNT or (mount.kind.startswith("fuse") and mount.kind not in _CLUSTER):
        reason = f"locks on {mount.kind} work only within this mount"
        remedy = "use the volume only for workspaces of this host, which share the mount"
    return (Support.DEGRADED, reason, remedy) if reason else None


def refusal(proc: Path, path: Path) -> NoVolumeError | None:
    """Why nothing may be written to a volume at a path; None if it may."""
    found = inspect(proc, path)
    if found.support is not Support.REFUSED:
        return None
    return NoVolumeError(
        f"the volume cannot be locked: {found.reason}",
        code="volume.no-locks",
        place=str(path),
        hint=found.remedy,
    )
