"""Which links this container has made.

It lies in the container's own layer and dies with it, as the home does. Content in the place of a
recorded link was written since, by a program of this container; any other content came with the
image. One line per link is appended when it is made, so that a crash forgets one at most, and the
next resolve notes that one again. What other processes append is read as it comes: the daemon has to
know the links that a command has made since it started.
"""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coder_ws_runtime.errors import RefusedError

_FILE = "links"


class Ledger:
    """The links that this container has made, by path relative to the home.

    Args:
        directory: where it lies; it need not be there.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._links: dict[str, str] = {}
        self._left: dict[str, str] = {}
        self._read_to = 0
        self._fd: int | None = None

    def _read(self) -> dict[str, str]:
        """The links, with what was appended since the last call."""
        try:
            if os.stat(self.directory / _FILE).st_size == self._read_to:
                return self._links
            with open(self.directory / _FILE, "rb") as file:
                file.seek(self._read_to)
                text = file.read()
        except OSError:
            return self._links
        # A line without its newline is being written, or a crash cut it short; it is not whole.
        whole = text[: text.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for line in whole.decode(errors="replace").split("\n"):
            path, separator, rest = line.partition("\t")
            target, _, fate = rest.partition("\t")
            if not separator:
                continue
            self._links[path] = target
            self._left[path] = fate
        return self._links

    def make(self) -> None:
        """Make its directory if need be.

        Raises:
            RefusedError: it cannot be made, so nothing that is moved could be remembered.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RefusedError(
                f"the ledger has no place: {error.strerror}",
                code="ledger.missing",
                place=str(self.directory),
                hint="make it a directory of the user's, or name another one in HOME_PERSIST_LEDGER_DIR",
            ) from error

    def link(self, path: str) -> str:
        """What the link says that this container made at `path`; empty if it made none."""
        return self._read().get(path, "")

    def left(self, path: str) -> str:
        """What became of the recorded link at `path`, as `note_left` was given it; empty if it was not."""
        self._read()
        return self._left.get(path, "")

    def has(self, path: str, target: str) -> bool:
        """Whether this container has made the link at `path` with the text `target`."""
        return self._read().get(path) == target

    def record(self, path: str, target: str) -> None:
        """Note a link.

        Raises:
            OSError: the ledger cannot be written.
        """
        if not self.has(path, target) or self.left(path):
            self._append(f"{path}\t{target}")

    def note_left(self, path: str, fate: str) -> None:
        """Note by a word that the link was deleted or renamed; it stays recorded. Raises OSError."""
        if self.left(path) != fate:
            self._append(f"{path}\t{self.link(path)}\t{fate}")

    def forget(self, path: str) -> None:
        """Note that a path is no longer ours. Raises OSError as `record`."""
        if self.link(path):
            self._append(f"{path}\t")

    @contextmanager
    def lock(self, path: str, *, wait: bool) -> Iterator[None]:
        """Hold a path of this container, against the other commands and the daemon.

        Two that move the same path lose nothing, but each undoes the other's plan, and both copy all of it.

        Raises:
            BlockingIOError: another process has it, and `wait` is false.
            OSError: the directory cannot be written.
        """
        import hashlib  # noqa: PLC0415 - OpenSSL is slow to load, and most runs lock nothing

        directory = self.directory / "locks"
        directory.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(path.encode()).hexdigest()[:32]
        lock = os.open(directory / name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            yield
        finally:
            os.close(lock)

    def _append(self, line: str) -> None:
        if self._fd is None:
            self.directory.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(self.directory / _FILE, flags, 0o644)
        # It begins with a newline, too: should a crash have cut a line short, it spoils no other.
        text = f"\n{line}\n".encode()
        if os.write(self._fd, text) < len(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
