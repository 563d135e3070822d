"""Read small text files that may not exist."""

import os
import stat
from pathlib import Path


def read(path: Path, limit: int = 1 << 20) -> str:
    """The file's text, at most `limit` bytes of it; empty if it cannot be read."""
    return (read_bytes(path, limit) or b"").decode(errors="replace")


def read_bytes(path: Path, limit: int = 1 << 20) -> bytes | None:
    """At most `limit` bytes of a file; None if it cannot be read, or is a FIFO, which would be waited for."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            return file.read(limit) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    except OSError:
        return None
