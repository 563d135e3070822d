"""The records of the attic's items: why each is there, and which version replaced it."""

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from enum import Enum

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.persist.store import names
from coder_ws_runtime.persist.store.names import STATE


class Reason(Enum):
    """Why something is in the attic; the value is the code in records and reports."""

    SUPERSEDED = "superseded"
    HOME_LOST = "home-lost"
    DELETED = "deleted"
    REMOVED = "removed"
    MIGRATED = "migrated"
    EXCHANGED = "exchanged"
    INTERRUPTED = "interrupted"
    WORKSPACE_GONE = "workspace-gone"
    UNKNOWN = "unknown"

    @property
    def text(self) -> str:
        """The text in tables."""
        return _TEXTS[self]


_TEXTS = {
    Reason.SUPERSEDED: "a newer save replaced it",
    Reason.HOME_LOST: "the volume's copy won over the home's",
    Reason.DELETED: "a program deleted it",
    Reason.REMOVED: "home-persist remove",
    Reason.MIGRATED: "a migration",
    Reason.EXCHANGED: "attic restore --force replaced it",
    Reason.INTERRUPTED: "an interrupted run left it",
    Reason.WORKSPACE_GONE: "its workspace was deleted",
    Reason.UNKNOWN: "-",
}


@dataclass(frozen=True, slots=True)
class Winner:
    """The version that replaced another."""

    side: str
    """``home``, ``volume`` or ``attic``."""
    size: int
    """Bytes."""
    modified: float
    """Seconds since the epoch."""

    @classmethod
    def of(cls, side: str, found: os.stat_result) -> "Winner":
        """The version that replaced it, from a result of stat(2)."""
        return cls(side, found.st_size, found.st_mtime)


@dataclass(frozen=True, slots=True)
class Record:
    """Why an item is in the attic, as far as that was recorded."""

    reason: Reason = Reason.UNKNOWN
    winner: Winner | None = None
    workspace: str = ""
    """The ID of the workspace whose own copy it is; empty: the owner's, or unknown."""


UNKNOWN = Record()


class Records:
    """The records of one batch. Unreadable ones are left out.

    Args:
        volume: the volume.
        batch: the batch's name.
    """

    def __init__(self, volume: Anchor, batch: str) -> None:
        self._found: dict[str, Record] = {}
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            with volume.parent(f"{STATE}/{names.ATTIC_RECORDS}/{batch}.jsonl") as (fd, name):
                opened = os.open(name, flags, dir_fd=fd)
            if not stat.S_ISREG(os.fstat(opened).st_mode):
                os.close(opened)
                return
            with open(opened, "rb") as file:
                lines = file.read().splitlines()
        except OSError:
            return
        for line in lines:
            with suppress(ValueError, KeyError, TypeError, AttributeError):
                document = json.loads(line)
                self._found[str(document["path"])] = _record(document)

    def of(self, path: str) -> Record:
        """The record of an item, or of a directory that contains it."""
        while True:
            if path in self._found:
                return self._found[path]
            if not path:
                return Record()
            path = path.rstrip("/").rpartition("/")[0]


def _record(document: Mapping[str, object]) -> Record:
    winner = document.get("against")
    known = {reason.value: reason for reason in Reason}
    return Record(
        known.get(str(document.get("why")), Reason.UNKNOWN),
        Winner(str(winner["side"]), int(winner["size"]), float(winner["modified"]))
        if isinstance(winner, dict)
        else None,
        str(document.get("workspace") or ""),
    )
