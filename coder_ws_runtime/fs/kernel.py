"""System calls that Python does not wrap: renameat2(2) and syncfs(2).

Imported only by what changes something: ctypes takes milliseconds to load.
"""

import ctypes
import errno
import os

from coder_ws_runtime.fs.anchored import writable

_libc = ctypes.CDLL(None, use_errno=True)
_NOREPLACE = 1
_EXCHANGE = 2


def _renameat2(source_fd: int, source: str, target_fd: int, target: str, flags: int) -> None:
    number = _renamed(source_fd, source, target_fd, target, flags)
    if number == errno.EACCES:
        # A directory that moves is written to itself: its entry ".." changes.
        with writable((source_fd, "."), (target_fd, "."), (source_fd, source), (target_fd, target)):
            number = _renamed(source_fd, source, target_fd, target, flags)
    if number:
        raise OSError(number, os.strerror(number), source, None, target)


def _renamed(source_fd: int, source: str, target_fd: int, target: str, flags: int) -> int:
    done = _libc.renameat2(source_fd, os.fsencode(source), target_fd, os.fsencode(target), flags)
    return ctypes.get_errno() if done else 0


def rename_new(source_fd: int, source: str, target_fd: int, target: str) -> None:
    """Rename, and never over anything: FileExistsError if the target is there."""
    _renameat2(source_fd, source, target_fd, target, _NOREPLACE)


def exchange(first_fd: int, first: str, second_fd: int, second: str) -> None:
    """Swap two names in one step.

    Raises:
        OSError: EXDEV for a directory that comes from an overlayfs image layer, EINVAL where the
            file system cannot do it, ENOENT if one of them is not there.
    """
    _renameat2(first_fd, first, second_fd, second, _EXCHANGE)


def sync_file_system(fd: int) -> None:
    """Write everything of the file system that holds `fd` to disk; errors are reported (Linux 5.8)."""
    if _libc.syncfs(fd) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
