"""Ask the server of a network file system what a directory holds now."""

import ctypes
import os

_AT_EMPTY_PATH = 0x1000
_AT_STATX_FORCE_SYNC = 0x2000
_STATX_BASIC = 0x7FF
_STATX_SIZE = 256
"""Bytes of struct statx."""

_libc = ctypes.CDLL(None, use_errno=True)


def revalidate(fd: int) -> None:
    """Let the kernel ask for a directory's attributes (AT_STATX_FORCE_SYNC of statx(2)).

    Where they changed, the names that it remembers of this directory are looked up again, too; otherwise
    those of NFS are up to a minute old.

    Raises:
        OSError: what the file system says.
    """
    buffer = ctypes.create_string_buffer(_STATX_SIZE)
    if _libc.statx(fd, b"", _AT_EMPTY_PATH | _AT_STATX_FORCE_SYNC, _STATX_BASIC, buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
