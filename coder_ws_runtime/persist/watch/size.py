"""Whether a path can be settled in a moment, without reading all of it."""

import os
import stat

from coder_ws_runtime.fs.anchored import Anchor, open_directory

_BYTES = 8 << 20
_ENTRIES = 256
_DEPTH = 32


def is_small(anchor: Anchor, path: str) -> bool:
    """Whether a path is a link, nothing, or little content.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with anchor.parent(path) as (fd, name):
            return _Budget().covers(fd, name, 0)
    except FileNotFoundError:
        return True


class _Budget:
    def __init__(self) -> None:
        self.bytes = _BYTES
        self.entries = _ENTRIES

    def covers(self, fd: int, name: str, depth: int) -> bool:
        """Whether a tree fits into the remaining limit."""
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        self.entries -= 1
        if stat.S_ISREG(found.st_mode):
            self.bytes -= found.st_size
        if self.bytes < 0 or self.entries < 0 or depth > _DEPTH:
            return False
        if not stat.S_ISDIR(found.st_mode):
            return True
        opened = open_directory(name, fd)
        try:
            with os.scandir(opened) as listing:
                return all(self.covers(opened, entry.name, depth + 1) for entry in listing)
        finally:
            os.close(opened)
