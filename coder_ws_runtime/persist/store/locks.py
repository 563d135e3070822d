"""Locks of single paths, and who holds them.

One file per path in ``.home-persist/locks``, locked with flock(2) while something is published at that path.
The holder writes its identity to the file, so a waiting workspace can name it. Every wait has an end: a
paused holder (``docker pause``) would otherwise block the boot of every other workspace.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from coder_ws_runtime.dataclass import asdict, dataclass

WAIT = 5.0
"""How many seconds to wait for another process that holds the lock of a path."""

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.1
_HOLDER_LIMIT = 1024
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a lock."""

    workspace: str
    """Its name, or else its ID; empty if neither is known."""
    host: str
    """The host name of its container."""
    pid: int
    """The process ID in its container."""
    since: float
    """Seconds since the epoch."""

    def __str__(self) -> str:
        """The holder, for messages."""
        clock = time.strftime("%H:%M:%S", time.gmtime(self.since))
        where = f"host {self.host}, process {self.pid}, since {clock} UTC"
        return f"workspace {self.workspace or '?'!r} ({where})"


class HeldElsewhereError(OSError):
    """A lock was not released in time.

    Attributes:
        holder: the process that has it; None if that cannot be read.
    """

    def __init__(self, holder: Holder | None) -> None:
        super().__init__(errno.EBUSY, f"held by {holder or 'another process'}")
        self.holder = holder


def open_lock(fd: int, name: str) -> int:
    """A descriptor of the lock file `name` in the directory `fd`; the file is created if necessary."""
    return os.open(name, _FLAGS, 0o600, dir_fd=fd)


@contextmanager
def held(lock: int, workspace: str, wait: float) -> Iterator[None]:
    """Hold an open lock file, and write our identity to it.

    Args:
        lock: from `open_lock`; the caller closes it, which releases the lock.
        workspace: the name or ID of this workspace.
        wait: seconds.

    Raises:
        HeldElsewhereError: another process held it during all that time.
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
        # flock(2) has no time limit, and a signal that would end it affects the whole process.
        time.sleep(min(pause, max(0.0, end - time.monotonic())))
        pause = min(pause * 2, _LONGEST_PAUSE)
    with suppress(OSError):  # on a full volume the file stays empty, but the lock is held
        _write_holder(lock, Holder(workspace, os.uname().nodename, os.getpid(), time.time()))
    yield


def _write_holder(lock: int, holder: Holder) -> None:
    text = json.dumps(asdict(holder)).encode()
    os.pwrite(lock, text, 0)
    os.ftruncate(lock, len(text))


def read_holder(lock: int) -> Holder | None:
    """The holder that an open lock file names; None if there is none, or it cannot be read."""
    try:
        values = json.loads(os.pread(lock, _HOLDER_LIMIT, 0))
        return Holder(
            str(values["workspace"]), str(values["host"]), int(values["pid"]), float(values["since"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
