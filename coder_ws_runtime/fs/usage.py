"""How much a tree takes, as du(1) counts it: blocks on disk, each file once however many names it has."""

import os
import stat
import time
from dataclasses import dataclass

from coder_ws_runtime.fs.anchored import MountPointError, open_directory

_BLOCK = 512
"""Bytes; the unit of st_blocks on Linux (stat(2))."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tree takes."""

    size: int
    """Bytes on disk."""
    length: int
    """Bytes that a copy reads: the lengths of the files."""
    files: int
    """Everything that is no directory."""
    complete: bool
    """Whether all of it was counted; else it is at least this much."""


def measure(fd: int, name: str, *, until: float | None = None) -> Usage:
    """Count a tree.

    Args:
        fd: the directory that holds it.
        name: its name there; a link is counted itself, not what it leads to.
        until: when to stop counting, by time.monotonic(); None: when all is counted.

    Raises:
        FileNotFoundError: it is not there.
    """
    count = _Count(until)
    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    try:
        count.add(found, fd, name)
    except RecursionError:
        count.complete = False
    return Usage(count.size, count.length, count.files, count.complete)


class _Count:
    def __init__(self, until: float | None) -> None:
        self.until = until
        self.size = 0
        self.length = 0
        self.files = 0
        self.complete = True
        self._seen: set[tuple[int, int]] = set()

    def add(self, found: os.stat_result, fd: int, name: str) -> None:
        directory = stat.S_ISDIR(found.st_mode)
        if not directory and found.st_nlink > 1:
            identity = (found.st_dev, found.st_ino)
            if identity in self._seen:
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
        except MountPointError:  # what is mounted there takes its room elsewhere
            return
        except OSError:  # not ours to read, or gone
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
