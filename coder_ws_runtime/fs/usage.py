"""The size of a tree, as du(1) counts it: blocks on disk, each file once even if it has several names."""

import os
import stat
import time

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.fs.anchored import open_directory
from coder_ws_runtime.fs.errors import MountPointError

_BLOCK = 512
"""Bytes in a unit of st_blocks on Linux (stat(2))."""


@dataclass(frozen=True, slots=True)
class Usage:
    """The size of a tree."""

    size: int
    """Bytes on disk."""
    length: int
    """The bytes that a copy reads: the sum of the files' lengths."""
    files: int
    """The number of entries that are not directories."""
    hard_links: bool
    """Whether a file has several names in it."""
    complete: bool
    """Whether everything was counted; if not, it is at least this much."""


def measure(fd: int, name: str, *, until: float | None = None) -> Usage:
    """Count a tree.

    Args:
        fd: the directory that contains it.
        name: its name there; a link itself is counted, not its target.
        until: when to stop counting, by time.monotonic(); None: when all is counted.

    Raises:
        FileNotFoundError: it does not exist.
    """
    count = _Count(until)
    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    try:
        count.add(found, fd, name)
    except RecursionError:
        count.complete = False
    return Usage(count.size, count.length, count.files, count.hard_links, count.complete)


class _Count:
    def __init__(self, until: float | None) -> None:
        self.until = until
        self.size = 0
        self.length = 0
        self.files = 0
        self.hard_links = False
        self.complete = True
        self._seen: set[tuple[int, int]] = set()

    def add(self, found: os.stat_result, fd: int, name: str) -> None:
        directory = stat.S_ISDIR(found.st_mode)
        if not directory and found.st_nlink > 1:
            identity = (found.st_dev, found.st_ino)
            if identity in self._seen:
                self.hard_links = True
                return
            self._seen.add(identity)
        self.size += found.st_blocks * _BLOCK
        if directory:
            self._inside(fd, name)
            return
        self.files += 1
        if stat.S_ISREG(found.st_mode):
            self.length += found.st_size

    def _inside(self, fd: int, name: str) -> None:
        if self.until is not None and time.monotonic() > self.until:
            self.complete = False
            return
        try:
            opened = open_directory(name, fd)
        except MountPointError:  # what is mounted there takes space elsewhere
            return
        except OSError:  # not readable for us, or deleted
            self.complete = False
            return
        try:
            with os.scandir(opened) as listing:
                for entry in listing:
                    try:
                        found = entry.stat(follow_symlinks=False)
                    except OSError:
                        continue
                    self.add(found, opened, entry.name)
        finally:
            os.close(opened)
