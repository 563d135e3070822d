"""What this container has done: the links that it made, and what it copied from the home.

The ledger is in the container's own layer and is deleted with it, like the home. Content that replaced a
recorded link was written later, by a program of this container. Content that was copied and has not changed
since is not a newer save than what the volume has.

``links``
    One line for each link, written before the link is made: the path, the link's text, and what has happened
    to it if an event said so. When the link is made, a line also has its mark, which tells it from the user's
    own links with the same text. Also one for each file that neither home nor volume had when it was checked,
    and for each directory that stays in the home and of which all is recorded: no link, and the word
    `awaited`. And one for each path next to which a copy is being made, under the name of that copy. What
    other processes append is read before a decision: the daemon has to know the links that a command has made
    since it started.
    :mod:`.ledger_lines` has the format of a line.
``copied/<hash>``
    For a path that is being moved or cannot be linked: which of its files were copied. Written before a copy
    is published, removed when the link is in place. :mod:`.copy_records` has the format.
``lock``
    A process that works on a path locks one byte of it: which one is given by the path.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from coder_ws_runtime.digest import hex_digest
from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.identity import CopyRecord
from coder_ws_runtime.persist.store.ledger_lines import append_line, join_fields, split_fields
from coder_ws_runtime.persist.store.ledger_lock import LOCK_BYTES, lock_bytes
from coder_ws_runtime.persist.store.names import COPY_SUFFIX

_FILE = "links"
_COPIED = "copied"
_AWAITED = "awaited"
_COPYING = "copying "
"""What has happened to a path, followed by where its content is on the volume."""
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Ledger:
    """What this container has done, by path relative to the home.

    Args:
        directory: its path; it need not exist.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._links: dict[str, str] = {}
        self._left: dict[str, str] = {}
        self._marks: dict[str, str] = {}
        self._read_to = 0
        self._loaded = False
        self._fd: int | None = None

    def refresh(self) -> bool:
        """Read what other processes have appended since the last time; the first use of all reads it, too.

        Returns whether there was anything.
        """
        self._loaded = True
        try:
            if os.stat(f"{self.directory}/{_FILE}").st_size == self._read_to:
                return False
            with open(f"{self.directory}/{_FILE}", "rb") as file:
                file.seek(self._read_to)
                text = file.read()
        except OSError:
            return False
        # A line without its newline is still being written, or a crash truncated it.
        whole = text[: text.rfind(b"\n") + 1]
        self._read_to += len(whole)
        self._note(whole)
        return True

    def _note(self, lines: bytes) -> None:
        for line in os.fsdecode(lines).split("\n"):
            path, *rest = split_fields(line)
            if rest:
                self._links[path], self._left[path], self._marks[path] = (*rest, "", "")[:3]

    def _known(self, lines: dict[str, str], path: str) -> str:
        if not self._loaded:
            self.refresh()
        return lines.get(path, "")

    def make(self) -> None:
        """Create its directory if necessary.

        Raises:
            RefusedError: it cannot be created, so moves could not be recorded.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RefusedError(
                f"the ledger's directory cannot be used: {error.strerror}",
                code="ledger.missing",
                place=str(self.directory),
                hint="make it a directory of the user, or name another one in HOME_PERSIST_LEDGER_DIR",
            ) from error

    # Links ----------------------------------------------------------------------------------------

    def link(self, path: str) -> str:
        """The text of the last link that this container made at `path`; empty if it made none."""
        return self._known(self._links, path)

    def links(self, above: str = "") -> dict[str, str]:
        """The texts of all links that this container made and has not forgotten, by path.

        Args:
            above: only of those with a path that begins so.
        """
        if not self._loaded:
            self.refresh()
        return {path: text for path, text in self._links.items() if path.startswith(above) and text}

    def left(self, path: str) -> str:
        """What has happened to the recorded link at `path`, as given to `note_left`; empty if nothing."""
        return self._known(self._left, path)

    def mark(self, path: str) -> str:
        """The mark of the link that this container made at `path`, as `link_mark`; empty if it is unknown."""
        return self._known(self._marks, path)

    def note_marks(self, marks: Mapping[str, str]) -> None:
        """Record the marks of links that were made, by path, with one write. Raises OSError like `record`."""
        lines = [
            join_fields(path, self.link(path), self.left(path), mark)
            for path, mark in marks.items()
            if self.link(path)
        ]
        if lines:
            self._append("\n".join(lines))

    def has(self, path: str, target: str) -> bool:
        """Whether this container has made the link at `path` with the text `target`."""
        return self.link(path) == target

    def record(self, path: str, target: str) -> None:
        """Record a link that is about to be made.

        Raises:
            OSError: the ledger cannot be written.
        """
        if not self.has(path, target) or self.left(path):
            self._append(join_fields(path, target))

    def record_all(self, links: Mapping[str, str]) -> None:
        """Record several links, by path, with one write: all or none. Raises OSError like `record`."""
        new = {
            path: target for path, target in links.items() if not self.has(path, target) or self.left(path)
        }
        if new:
            self._append("\n".join(join_fields(path, target) for path, target in new.items()))

    def note_left(self, path: str, fate: str) -> None:
        """Record that the link was deleted or renamed; it stays in the ledger. Raises OSError."""
        if self.left(path) != fate:
            self._append(join_fields(path, self.link(path), fate, self.mark(path)))

    def is_awaited(self, path: str) -> bool:
        """Whether this container knows what the home had: what it has not recorded, it saw written."""
        return self.left(path) == _AWAITED

    def note_awaited(self, path: str) -> None:
        """Record that what arrives in the home from now on is a save. Raises OSError like `record`."""
        if not self.is_awaited(path):
            self._append(join_fields(path, "", _AWAITED))

    def forget(self, path: str) -> None:
        """Record that a path is no longer ours. Raises OSError like `record`."""
        if self.link(path):
            self._append(join_fields(path, ""))

    def begin_copy(self, path: str, on_volume: str) -> None:
        """Record that a copy is about to be made next to a path, of content of the volume. Raises OSError."""
        self._append(join_fields(_copy_of(path), "", f"{_COPYING}{on_volume}"))

    def end_copy(self, path: str) -> None:
        """Record that nothing of the copy is next to the path any longer. Raises OSError like `record`."""
        self._append(join_fields(_copy_of(path), ""))

    def begun_copies(self) -> dict[str, str]:
        """The paths next to which there may be a copy, and where the content is on the volume."""
        if not self._loaded:
            self.refresh()
        end = len(COPY_SUFFIX)
        return {
            path[:-end]: fate.removeprefix(_COPYING)
            for path, fate in self._left.items()
            if fate.startswith(_COPYING)
        }

    def _append(self, line: str) -> None:
        if self._fd is None:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.directory / _FILE, _APPEND, 0o644)
        text = append_line(self._fd, os.fsencode(line))
        if os.lseek(self._fd, 0, os.SEEK_CUR) == self._read_to + len(text):
            self._read_to += len(text)
            self._note(text)
        else:  # another process has appended, too
            self.refresh()

    # Copies ---------------------------------------------------------------------------------------

    def copies(self, path: str) -> dict[str, CopyRecord]:
        """The files of a path that were copied, by path relative to it."""
        from coder_ws_runtime.persist.store.copy_records import read_records  # noqa: PLC0415 - most paths are links

        return read_records(self._copies_file(path))

    def note_copies(self, path: str, records: Mapping[str, CopyRecord]) -> None:
        """Record what is about to be kept, or is known to be. Raises OSError like `record`."""
        from coder_ws_runtime.persist.store.copy_records import add_records  # noqa: PLC0415 - as above

        add_records(self._copies_file(path), records)

    def forget_copies(self, path: str) -> None:
        """The link is in place: from now on, content at the path is a newer save."""
        with suppress(FileNotFoundError):
            os.unlink(self._copies_file(path))

    def _copies_file(self, path: str) -> str:
        return f"{self.directory}/{_COPIED}/{_hash(path)}"

    # Locks ----------------------------------------------------------------------------------------

    @contextmanager
    def lock_all(self) -> Iterator[None]:
        """Lock all paths, as `lock` does without waiting."""
        with lock_bytes(self.directory, 0, LOCK_BYTES, wait=False):
            yield

    @contextmanager
    def lock(self, path: str, *, wait: bool) -> Iterator[None]:
        """Lock a path within this container, against other commands and the daemon.

        Two processes that move the same path lose nothing, but each invalidates the other's plan, and both
        copy all.

        Raises:
            BlockingIOError: another process has it, and `wait` is false.
            OSError: the directory cannot be written.
        """
        with lock_bytes(self.directory, int(_hash(path), 16) % LOCK_BYTES, 1, wait=wait):
            yield

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def _copy_of(path: str) -> str:
    """A path that nothing can declare, for what is next to one that is perhaps declared."""
    return f"{path}{COPY_SUFFIX}"


def _hash(path: str) -> str:
    return hex_digest(os.fsencode(path))[:32]
