"""The kind of file system that an open file is on."""

from pathlib import Path

_SELF = Path("/proc/self")
# inotify(7) reports all changes on these: no other host and no user-space server writes to them without this
# kernel. A type that is not listed may be written by others.
_LOCAL = frozenset({
    "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "nilfs2", "overlay", "ramfs", "reiserfs",
    "tmpfs", "xfs", "zfs",
})  # fmt: skip


def type_of(fd: int) -> str:
    """The type of an open file's file system, e.g. ``nfs4`` or ``fuse.sshfs``; empty if unknown.

    The mount in which it was opened decides (``mnt_id`` of proc_pid_fdinfo(5)).
    """
    try:
        lines = (_SELF / f"fdinfo/{fd}").read_text().splitlines()
        mount = next(line.split()[1] for line in lines if line.startswith("mnt_id:"))
        mounts = (_SELF / "mountinfo").read_text(errors="replace").splitlines()
    except (OSError, StopIteration):
        return ""
    for line in mounts:
        head, _, tail = line.partition(" - ")
        if head.startswith(f"{mount} ") and tail:
            return tail.split(" ")[0]
    return ""


def is_local(kind: str) -> bool:
    """Whether only this kernel changes the content of a file system of this type."""
    return kind in _LOCAL
