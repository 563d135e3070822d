"""The log of one hook: its first words and its last, however much it says."""

import os
from pathlib import Path

HEAD = 512 * 1024
TAIL = 64 * 1024
"""Bytes that are kept of the beginning and of the end; a log is hardly larger than both."""

_LAST_WORDS = 200


class BoundedLog:
    """Takes what a program says. A log that cannot be written is no reason not to run the program.

    The beginning is in the file at once, so one can follow it; the end is added by :meth:`close`.

    Args:
        path: the file; what it held before is gone.
        title: its first line.
    """

    def __init__(self, path: Path, title: str) -> None:
        self.path = path
        self.problem = ""
        """Why there is no log, or not the whole; empty if there is."""
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
        """The next piece of what the program says."""
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
        """Write the end and `ending` as the last line."""
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
        """All of `data`, or a problem: a full disk does not end the program."""
        if self._fd is None or self.problem:
            return
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError as error:
            self.problem = f"{self.path}: {error.strerror}"
