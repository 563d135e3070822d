"""The log of one hook: the beginning and the end of its output, which may be of any length."""

import os
from pathlib import Path

HEAD = 512 * 1024
TAIL = 64 * 1024
"""How many bytes of the beginning, and of the end, are kept."""

_LAST_WORDS = 200


class BoundedLog:
    """Records the output of a program. If the log cannot be written, the program runs all the same.

    The beginning is in the file at once, so it can be followed. :meth:`close` adds the end.

    Args:
        path: the file; its old content is removed.
        title: its first line.
    """

    def __init__(self, path: Path, title: str) -> None:
        self.path = path
        self.problem = ""
        """Why there is no log or only a part of it; empty if it is complete."""
        self._room = HEAD
        self._recent = bytearray()
        self._beyond = 0
        self._fd: int | None = None
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(path, flags, 0o644)
        except OSError as error:
            self.problem = f"{path}: {error.strerror}"
        self._write(f"# {title}\n".encode())

    def take(self, data: bytes) -> None:
        """Add a piece of output."""
        head = data[: self._room]
        self._room -= len(head)
        self._beyond += len(data) - len(head)
        self._write(head)
        self._recent += data
        del self._recent[:-TAIL]

    @property
    def last_words(self) -> str:
        """The last line that is not empty, for a message."""
        lines = self._recent.decode(errors="replace").splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        printable = "".join(char for char in last if char.isprintable())
        return printable if len(printable) <= _LAST_WORDS else f"{printable[: _LAST_WORDS - 1]}…"

    def close(self, ending: str) -> None:
        """Write the end of the output, and `ending` as the last line."""
        if self._beyond > TAIL:
            self._write(f"\n# {self._beyond - TAIL} bytes are left out here\n".encode())
        if self._beyond:
            self._write(bytes(self._recent[-self._beyond :]))
        if self._recent and not self._recent.endswith(b"\n"):
            self._write(b"\n")
        self._write(f"# {ending}\n".encode())
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _write(self, data: bytes) -> None:
        """Write all of `data`, or note a problem: a full disk does not stop the program."""
        if self._fd is None or self.problem:
            return
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            self.problem = f"{self.path}: {error.strerror}"
