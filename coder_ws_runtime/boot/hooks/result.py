"""How a hook ended, and the record of it, which is kept until the next boot."""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from coder_ws_runtime.boot.hooks.discover import Hook
from coder_ws_runtime.dataclass import asdict, dataclass, fields
from coder_ws_runtime.fs.writing import replace_file
from coder_ws_runtime.layout import Layout

_RECORD = "hooks.json"
_LOCK = "hooks.lock"


class Ending(StrEnum):
    """How a hook ended."""

    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    NOT_RUN = "not-run"


@dataclass(frozen=True, slots=True)
class Result:
    """How one hook ended."""

    id: str
    ending: Ending
    stamp: str = ""
    """Identifies the version of the script."""
    status: int | None = None
    """Its exit status, or minus the signal that ended it; None if it was stopped or did not start."""
    seconds: float = 0.0
    detail: str = ""
    """Why it did not run, or the last line it wrote before it failed."""
    remedy: str = ""
    log: str = ""
    """Its log, or why there is none."""
    at: float = 0.0
    """When it ended, in seconds since the epoch."""

    @property
    def ok(self) -> bool:
        """Whether it succeeded."""
        return self.ending is Ending.DONE


def stamp(hook: Hook) -> str:
    """A value that differs between two versions of a script."""
    try:
        found = hook.path.stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns}:{found.st_size}:{found.st_mode:o}"


def recall(layout: Layout) -> dict[str, Result]:
    """The last result of each hook since the boot, by ID; unreadable records are left out."""
    known = {field.name for field in fields(Result)}
    try:
        items = json.loads((layout.runtime_dir / _RECORD).read_bytes())["hooks"]
        results = [Result(**{key: item[key] for key in item.keys() & known}) for item in items]
        return {result.id: _typed(result) for result in results}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _typed(result: Result) -> Result:
    return Result(**{**asdict(result), "ending": Ending(result.ending)})


def remember(layout: Layout, result: Result) -> None:
    """Add a result to the record. If that fails, the hooks run all the same."""
    record = {**recall(layout), result.id: result}
    document = {"version": 1, "hooks": [asdict(item) for item in record.values()]}
    with contextlib.suppress(OSError):
        replace_file(layout.runtime_dir / _RECORD, json.dumps(document).encode(), durable=False)


@contextmanager
def alone(layout: Layout, waiting: Callable[[], None]) -> Iterator[float]:
    """Hold the lock of the hooks, so that two runs never work on one home at once.

    Args:
        layout: says where the lock is; if its directory is not writable, there is no lock.
        waiting: called if this run has to wait for another.

    Yields:
        The time of this call in seconds since the epoch: what ended later is fresh.
    """
    asked = time.time()
    try:
        layout.runtime_dir.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(layout.runtime_dir / _LOCK, flags, 0o600)
    except OSError:
        yield asked
        return
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield asked
    finally:
        os.close(lock)
