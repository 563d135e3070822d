"""The files of one path that a container has copied, in a file of its ledger.

Each line is a JSON object: by path relative to the declared one, the file's state when it was copied, what
the volume has had since and had before, and whether the copy is known to be kept. A line adds to the ones
before, and replaces what they say about a file. Now and then, all lines are replaced with one: a directory
that cannot be linked gets lines for as long as the container lives.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime.fs.writing import replace_file
from coder_ws_runtime.identity import CopyRecord, Identity
from coder_ws_runtime.persist.store.ledger_lines import append_line

_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_SMALL = 1 << 16
"""A file of fewer bytes is read in a moment, whatever its lines say."""

_Numbers = tuple[int, int, int, int, int, int]
"""An identity."""


def read_records(path: str) -> dict[str, CopyRecord]:
    """What a file has, by path relative to the declared one; nothing if it cannot be read."""
    try:
        return _read(path)
    except OSError:
        return {}


def _read(path: str) -> dict[str, CopyRecord]:
    with open(os.open(path, _READ), "rb") as file:
        lines = file.read().split(b"\n")
    known: dict[str, CopyRecord] = {}
    for line in filter(None, lines):
        with suppress(ValueError, TypeError, AttributeError):  # not written to its end: nobody relied on it
            known |= {inner: _record(*numbers) for inner, numbers in json.loads(line).items()}
    return known


def add_records(path: str, records: Mapping[str, CopyRecord]) -> None:
    """Add a line. The directory is created if necessary.

    Raises:
        OSError: it cannot be written; what the file had counts on.
    """
    line = _line(records)
    try:
        fd = os.open(path, _APPEND, 0o644)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(path, _APPEND, 0o644)
    try:
        before = os.fstat(fd).st_size
        try:
            added = len(append_line(fd, line))
        except OSError:
            _take_back(fd, before)
            raise
    finally:
        os.close(fd)
    # Whenever it has twice as much, so that it is rarely read for this; not if this line may be most of it.
    after = before + added
    if before > _SMALL and after > 4 * len(line) and after.bit_length() > before.bit_length():
        with suppress(OSError):  # what was appended counts
            replace_file(Path(path), _line(_read(path)), durable=False)


def _line(records: Mapping[str, CopyRecord]) -> bytes:
    line = {
        inner: [*(one and _numbers(one) for one in (its.home, its.volume, its.before)), its.kept]
        for inner, its in records.items()
    }
    return json.dumps(line, separators=(",", ":")).encode()


def _take_back(fd: int, before: int) -> None:
    """Remove a line that did not fit: others need the room, and it is of megabytes for a large directory."""
    with suppress(OSError):
        if os.fstat(fd).st_size == os.lseek(fd, 0, os.SEEK_CUR):  # nobody has appended since
            os.ftruncate(fd, before)


def _record(home: _Numbers, volume: _Numbers | None, before: _Numbers | None, kept: object) -> CopyRecord:
    return CopyRecord(
        Identity(*home), volume and Identity(*volume), before and Identity(*before), kept=bool(kept)
    )


def _numbers(one: Identity) -> _Numbers:
    return (one.device, one.inode, one.kind, one.size, one.mtime, one.ctime)
