"""Reading small text files that may not be there."""

from pathlib import Path


def read(path: Path, limit: int = 1 << 20) -> str:
    """The file's text, at most `limit` bytes of it; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(limit).decode(errors="replace")
    except OSError:
        return ""
