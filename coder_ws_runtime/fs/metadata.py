"""Mode, owner, times, extended attributes and ACLs of copies, as ``cp -a`` keeps them."""

import errno
import os
import stat

from coder_ws_runtime.fs.anchored import open_directory


def set_metadata(reading: int, writing: int, found: os.stat_result) -> None:
    """Give a copy the owner, mode, times and attributes of its original, as far as possible.

    Args:
        reading: the original, open.
        writing: the copy, open.
        found: the original's status.
    """
    mode = stat.S_IMODE(found.st_mode)
    if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
        try:
            os.fchown(writing, found.st_uid, found.st_gid)
        except PermissionError:
            # It is ours now, so it must not run with the rights of its former owner.
            mode &= ~(stat.S_ISUID | stat.S_ISGID)
    for name in _attributes(reading):
        try:
            os.setxattr(writing, name, os.getxattr(reading, name))
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOTSUP):
                raise
    os.fchmod(writing, mode)
    os.utime(writing, ns=(found.st_atime_ns, found.st_mtime_ns))


def copy_metadata(source: tuple[int, str], target: tuple[int, str]) -> None:
    """Give a directory the mode, owner, times and attributes of another, as its copy has them.

    Args:
        source: a directory's descriptor and the name in it.
        target: the same for the target.
    """
    mine, its = open_directory(source[1], source[0]), open_directory(target[1], target[0])
    try:
        set_metadata(mine, its, os.fstat(mine))
        os.fsync(its)
    finally:
        os.close(mine)
        os.close(its)


def same_metadata(mine: int, its: int) -> bool:
    """Whether a copy has the metadata of another file: mode, owner, attributes, ACLs.

    What we may not set (another user's ownership, system attributes), or what the copy's file system does not
    support, is ignored: a new copy would lack it too.

    Args:
        mine: the original, open.
        its: the possible copy, open.
    """
    found, copied = os.fstat(mine), os.fstat(its)
    mode = stat.S_IMODE(found.st_mode)
    root = os.geteuid() == 0
    owned = root or (found.st_uid == os.geteuid() and found.st_gid in (os.getegid(), *os.getgroups()))
    if not owned:
        mode &= ~(stat.S_ISUID | stat.S_ISGID)
    elif (found.st_uid, found.st_gid) != (copied.st_uid, copied.st_gid):
        return False
    return mode == stat.S_IMODE(copied.st_mode) and _kept_attributes(mine, root) == _kept_attributes(
        its, root
    )


def _attributes(fd: int) -> list[str]:
    """The names of a file's extended attributes; none if the file system has none (ENOTSUP)."""
    try:
        return os.listxattr(fd)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return []


def _kept_attributes(fd: int, root: bool) -> dict[str, bytes]:  # noqa: FBT001 - a fact
    """The extended attributes that a copy keeps, including POSIX ACLs."""
    kinds = ("user.", "system.posix_acl_", *(("security.capability",) if root else ()))
    return {name: os.getxattr(fd, name) for name in _attributes(fd) if name.startswith(kinds)}
