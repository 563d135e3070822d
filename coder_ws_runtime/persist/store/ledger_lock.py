"""Lock paths among the processes of one container: each path is one byte of one file."""

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_BYTES = 1 << 62
"""The positions of bytes that can be locked, of which the file has none."""
_FLOCK = struct.Struct("hhqqi")
"""struct flock (fcntl_locking(2)): type, whence, start, length, process."""


@contextmanager
def lock_bytes(directory: Path, first: int, count: int, *, wait: bool) -> Iterator[None]:
    """Lock some bytes of the file `lock` in a directory, which is made if it does not exist.

    Raises:
        BlockingIOError: another process has one of them, and `wait` is false.
        OSError: the directory cannot be written.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        lock = os.open(f"{directory}/lock", flags, 0o600)
    except FileNotFoundError:
        os.makedirs(directory, exist_ok=True)
        lock = os.open(f"{directory}/lock", flags, 0o600)
    try:
        # Of this open file, not of the process: a second one in this process has to wait, too.
        command = fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK
        fcntl.fcntl(lock, command, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, first, count, 0))
        yield
    finally:
        os.close(lock)
