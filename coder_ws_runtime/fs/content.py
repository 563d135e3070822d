"""Copy the bytes of one file."""

import errno
import os
from collections.abc import Callable

_CHUNK = 1 << 20
_WRITEBACK = 32 << 20
"""Bytes of a file after which the disk begins to write them."""

Progress = Callable[[int], None]
"""Called with the number of bytes as they are copied, and as holes are skipped."""


def copy_content(reading: int, writing: int, found: os.stat_result, progress: Progress) -> None:
    """Copy the bytes of a file into a new one; holes are kept (SEEK_DATA of lseek(2)).

    Args:
        reading: the file.
        writing: the new one.
        found: the state of the file. If it has changed since, the copy is not its content: compare again.
        progress: called with the number of bytes.

    Raises:
        OSError: from the file systems.
    """
    size = found.st_size
    if size == 0:
        return
    if found.st_blocks * 512 >= size:
        _range(reading, writing, 0, size, progress)
        return
    os.ftruncate(writing, size)
    offset = 0
    while offset < size:
        try:
            start = os.lseek(reading, offset, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:  # only a hole is left
                progress(size - offset)
                return
            raise
        progress(start - offset)
        offset = os.lseek(reading, start, os.SEEK_HOLE)
        _range(reading, writing, start, offset, progress)


def _range(reading: int, writing: int, start: int, end: int, progress: Progress) -> None:
    """Copy one range, in the kernel (sendfile(2) crosses file systems, copy_file_range(2) may not)."""
    os.lseek(writing, start, os.SEEK_SET)
    unwritten = start
    while start < end:
        count = os.sendfile(writing, reading, start, min(_CHUNK, end - start))
        if count == 0:  # the file was truncated: its identity will show it
            return
        start += count
        progress(count)
        if start - unwritten >= _WRITEBACK:
            _begin_writeback(writing, unwritten, start - unwritten)
            unwritten = start


def _begin_writeback(fd: int, offset: int, length: int) -> None:
    """The disk writes while we read on, so the sync at the end has less to wait for."""
    from coder_ws_runtime.fs import kernel  # noqa: PLC0415 - ctypes is slow to import

    kernel.begin_writeback(fd, offset, length)
