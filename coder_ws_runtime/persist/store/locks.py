"""Locks of single paths, and who holds them.

One file per path in ``.home-persist/locks``, locked with flock(2) while something is published there.
The holder writes who it is into the file, so that a workspace that waits can name the one it waits for.
No wait is without end: a holder that was paused (``docker pause``) would block every other workspace's boot.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass

WAIT = 5.0
"""Seconds to wait for another process that holds the lock of a path."""

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.1
_HOLDER_LIMIT = 1024
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock."""

    workspace: str
    """Its name, else its id; empty if neither is known."""
    host: str
    """The name of its container."""
    pid: int
    """In its container."""
    since: float
    """Seconds since the epoch."""

    def __str__(self) -> str:
        """As it is named in messages."""
        clock = time.strftime("%H:%M:%S", time.gmtime(self.since))
        where = f"host {self.host}, process {self.pid}, since {clock} UTC"
        return f"workspace {self.workspace or '?'!r} ({where})"


class HeldElsewhereError(OSError):
    """A lock was not released in time.

    Attributes:
        holder: who has it; None if that cannot be read.
    """

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(errno.EBUSY, f"held by {holder or 'another process'}")
        self.holder = holder


def open_lock(fd: int, name: str) -> int:
    """A descriptor of the lock file `name` in the directory `fd`; it is made if need be."""
    return os.open(name, _FLAGS, 0o600, dir_fd=fd)


@contextmanager
def held(lock: int, workspace: str, wait: float) -> Iterator[None]:
    """Hold an open lock file, and say in it who does.

    Args:
        lock: from `open_lock`; the caller closes it, which releases the lock.
        workspace: the name or id of this workspace.
        wait: seconds.

    Raises:
        HeldElsewhereError: another process had it all that time.
    """
    end = time.monotonic() + wait
    pause = _FIRST_PAUSE
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() >= end:
                raise HeldElsewhereError(read_holder(lock)) from None
        # flock(2) has no time limit, and a signal to end it is the whole process's.
        time.sleep(min(pause, max(0.0, end - time.monotonic())))
        pause = min(pause * 2, _LONGEST_PAUSE)
    with suppress(OSError):  # on a full volume it is held all the same
        _write_holder(lock, Holder(workspace, os.uname().nodename, os.getpid(), time.time()))
    yield


def _write_holder(lock: int, holder: Holder) -> None:
    text = json.dumps(asdict(holder)).encode()
    os.pwrite(lock, text, 0)
    os.ftruncate(lock, len(text))


def read_holder(lock: int) -> Holder | None:
    """Who says in an open lock file that it holds the lock; None if nobody does, or it cannot be read."""
    try:
        values = json.loads(os.pread(lock, _HOLDER_LIMIT, 0))
        return Holder(
            str(values["workspace"]), str(values["host"]), int(values["pid"]), float(values["since"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
