"""System calls that Python does not wrap: renameat2(2), openat2(2), syncfs(2), and replacements for them.

NFS and many FUSE file systems do not support flags for a rename (EINVAL); nothing is replaced there either.

Imported only by code that changes something or walks a tree: loading ctypes takes milliseconds.
"""

import ctypes
import errno
import os
import signal
import stat
from contextlib import suppress
from functools import cache

from coder_ws_runtime.fs.anchored import writable
from coder_ws_runtime.fs.errors import MountPointError

_libc = ctypes.CDLL(None, use_errno=True)
_OPENAT2 = 437  # its number on all architectures (Linux 5.6)
_NO_XDEV = 1  # RESOLVE_NO_XDEV: EXDEV if the name is a mount point, also of a bind mount on the same device
_NO_OPENAT2 = (errno.ENOSYS, errno.EPERM)  # an older kernel, or an older seccomp filter of the engine
_OLDER = ".older"
_NAME_MAX = 255
"""The maximum length of a name in bytes (NAME_MAX of pathconf(3))."""
_NOREPLACE = 1
_EXCHANGE = 2
_SYNC_FILE_RANGE_WRITE = 2
_SET_PDEATHSIG = 1
_NO_FLAGS = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
CANNOT_EXCHANGE = (errno.EXDEV, *_NO_FLAGS)
"""The errors of an impossible `exchange`: in an overlayfs image layer, or on a file system without it."""


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_unmounted(fd: int, name: str, flags: int) -> int:
    """Open a name in a directory, unless it is a mount point.

    Args:
        fd: the directory.
        name: one component.
        flags: as of open(2), without O_CREAT.

    Raises:
        MountPointError: something is mounted there.
        OSError: as from open(2).
    """
    opened, number = _openat2(fd, name, flags)
    if number in _NO_OPENAT2:
        return _open_and_compare(fd, name, flags)
    if number == errno.EXDEV:
        raise MountPointError(name)
    if number:
        raise OSError(number, os.strerror(number), name)
    return opened


def is_mount_point(fd: int, name: str) -> bool:
    """Whether something is mounted at a name in a directory. Raises OSError as from open(2)."""
    try:
        os.close(open_unmounted(fd, name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC))
    except MountPointError:
        return True
    return False


def _openat2(fd: int, name: str, flags: int) -> tuple[int, int]:
    """The descriptor, and the error number: one of them is 0."""
    how, size = _open_how(flags)
    opened = _libc.syscall(_OPENAT2, fd, os.fsencode(name), how, size)
    return (0, ctypes.get_errno()) if opened < 0 else (opened, 0)


@cache
def _open_how(flags: int) -> tuple[object, int]:
    how = _OpenHow(flags, 0, _NO_XDEV)
    return ctypes.byref(how), ctypes.sizeof(how)


def _open_and_compare(fd: int, name: str, flags: int) -> int:
    """Without openat2(2): open the name, then compare device and mount numbers."""
    opened = os.open(name, flags, dir_fd=fd)
    if os.fstat(opened).st_dev != os.fstat(fd).st_dev or _mount_id(opened) != _mount_id(fd):
        os.close(opened)
        raise MountPointError(name)
    return opened


def _mount_id(fd: int) -> str:
    """The mount to which a descriptor belongs (``mnt_id`` of proc_pid_fdinfo(5)); empty if unknown."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as info:
            return next((line for line in info if line.startswith("mnt_id:")), "")
    except OSError:
        return ""


def _renameat2(source_fd: int, source: str, target_fd: int, target: str, flags: int) -> None:
    number = _renamed(source_fd, source, target_fd, target, flags)
    if number == errno.EACCES:
        # Moving a directory writes to the directory itself: its entry ".." changes.
        with writable((source_fd, "."), (target_fd, "."), (source_fd, source), (target_fd, target)):
            number = _renamed(source_fd, source, target_fd, target, flags)
    if number:
        raise OSError(number, os.strerror(number), source, None, target)


def _renamed(source_fd: int, source: str, target_fd: int, target: str, flags: int) -> int:
    done = _libc.renameat2(source_fd, os.fsencode(source), target_fd, os.fsencode(target), flags)
    return ctypes.get_errno() if done else 0


def rename_new(source_fd: int, source: str, target_fd: int, target: str) -> None:
    """Rename without replacing anything: FileExistsError if the target exists.

    Without renameat2(2), a directory replaces an empty directory that we created first, which rename(2)
    replaces only while it is empty; and a file has both names for a moment.
    """
    try:
        _renameat2(source_fd, source, target_fd, target, _NOREPLACE)
    except OSError as error:
        if error.errno not in _NO_FLAGS:
            raise
    else:
        return
    if stat.S_ISDIR(os.stat(source, dir_fd=source_fd, follow_symlinks=False).st_mode):
        os.mkdir(target, 0o700, dir_fd=target_fd)
        try:
            rename(source_fd, source, target_fd, target)
        except OSError as error:
            with suppress(OSError):
                os.rmdir(target, dir_fd=target_fd)
            if error.errno == errno.ENOTEMPTY:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from error
            raise
    else:
        os.link(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd, follow_symlinks=False)
        os.unlink(source, dir_fd=source_fd)


def rename(source_fd: int, source: str, target_fd: int, target: str) -> None:
    """Rename, and replace a file at the target; also in directories that are not writable for us."""
    try:
        os.rename(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd)
    except PermissionError:
        with writable((source_fd, "."), (target_fd, "."), (source_fd, source)):
            os.rename(source, target, src_dir_fd=source_fd, dst_dir_fd=target_fd)


def exchange(first_fd: int, first: str, second_fd: int, second: str) -> None:
    """Swap two names in one step.

    Raises:
        OSError: one of CANNOT_EXCHANGE; ENOENT if one of them does not exist.
    """
    _renameat2(first_fd, first, second_fd, second, _EXCHANGE)


def swap(kept_fd: int, kept: str, fd: int, name: str) -> None:
    """Swap two names in one step, or in three renames if one step is not possible.

    If we are killed between the renames, the former content of `name` is next to `kept`, with the name
    `older_name`, and nothing or the content of `kept` is at `name`.
    """
    try:
        exchange(kept_fd, kept, fd, name)
    except OSError as error:
        if error.errno not in CANNOT_EXCHANGE:
            raise
        older = older_name(kept)
        rename_new(fd, name, kept_fd, older)
        rename_new(kept_fd, kept, fd, name)
        rename_new(kept_fd, older, kept_fd, kept)


def older_name(kept: str) -> str:
    """The name next to `kept` that `swap` uses in between."""
    older = f"{kept}{_OLDER}"
    return older if len(os.fsencode(older)) <= _NAME_MAX else f"{os.urandom(8).hex()}{_OLDER}"


def begin_writeback(fd: int, offset: int, length: int) -> None:
    """Have the disk begin to write a part of a file, and do not wait (sync_file_range(2)).

    Only for speed: nothing is durable by this, and whether it fails is seen by the sync that follows.
    """
    _libc.sync_file_range(fd, ctypes.c_int64(offset), ctypes.c_int64(length), _SYNC_FILE_RANGE_WRITE)


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent ends (PR_SET_PDEATHSIG of prctl(2))."""
    _libc.prctl(_SET_PDEATHSIG, signal.SIGKILL)


def sync_file_system(fd: int) -> None:
    """Write everything on the file system of `fd` to disk; errors are reported (Linux 5.8)."""
    if _libc.syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
