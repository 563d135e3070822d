"""Ask the server of a network file system for the present content of a directory."""

import ctypes
import os

_AT_EMPTY_PATH = 0x1000
_AT_STATX_FORCE_SYNC = 0x2000
_STATX_BASIC = 0x7FF
_STATX_SIZE = 256
"""The size of struct statx in bytes."""

_libc = ctypes.CDLL(None, use_errno=True)


def revalidate(fd: int) -> None:
    """Have the kernel fetch a directory's attributes (AT_STATX_FORCE_SYNC of statx(2)).

    If they have changed, the kernel also looks up the names again that it has cached for this directory.
    Otherwise, on NFS, they may be a minute old.

    Raises:
        OSError: from the file system.
    """
    buffer = ctypes.create_string_buffer(_STATX_SIZE)
    if _libc.statx(fd, b"", _AT_EMPTY_PATH | _AT_STATX_FORCE_SYNC, _STATX_BASIC, buffer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
