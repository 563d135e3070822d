"""Settle what may take long in a child process, one path at a time.

While a large tree is compared, copied and synced, the daemon continues with small saves and reacts to
SIGTERM. A child that is interrupted discards its partial copy, like `home-persist resolve` after Ctrl-C. The
memory that it needed, such as for the identities of 50,000 files, is freed when it ends.
"""

import json
import os
import select
import signal
import time
from collections.abc import Callable

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.settle import Outcome

_LIMIT = 1 << 20
"""The most bytes that a child may report."""


class Worker:
    """At most one child, and its work."""

    def __init__(self) -> None:
        self.entry: Entry | None = None
        """The path that is being settled; None if there is none."""
        self.fd = -1
        """Becomes readable when the child has ended; -1 if there is none."""
        self.seconds = 0.0
        """How long the last one took, in seconds."""
        self._began = 0.0
        self._child = 0

    def start(self, entry: Entry, work: Callable[[], Outcome]) -> None:
        """Start a child that works on a path; there must be no other.

        Args:
            entry: the path.
            work: called in the child. It must open home and volume itself: locks on inherited descriptors
                would be the parent's too.
        """
        reading, writing = os.pipe2(os.O_CLOEXEC)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.close(reading)
                _behave_as_child()
                os.write(writing, json.dumps(_to_json(work())).encode())
                status = 0
            finally:
                # None of the daemon's cleanup may run here, and no traceback appear: the parent reports the
                # result.
                os._exit(status)
        os.close(writing)
        self.entry, self.fd, self._child = entry, reading, child
        self._began = time.monotonic()

    def has_ended(self) -> bool:
        """Whether the child has ended."""
        return self.wait(0)

    def wait(self, seconds: float) -> bool:
        """Wait for the child to end; returns whether it has."""
        poll = select.poll()  # not select(): the links' descriptors use all small numbers
        poll.register(self.fd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def finish(self) -> Outcome:
        """Wait for the child to end, and return its result for the path."""
        if self.entry is None:
            raise RuntimeError("there is no child")
        entry = self.entry
        with open(self.fd, "rb") as reading:
            text = reading.read(_LIMIT)
        _, status = os.waitpid(self._child, 0)
        self.entry, self.fd, self._child = None, -1, 0
        self.seconds = time.monotonic() - self._began
        try:
            return _from_json(entry, json.loads(text))
        except ValueError:
            return Outcome(entry, Decision.FAILED, error=_died(entry, os.waitstatus_to_exitcode(status)))

    def interrupt(self, patience: float) -> Outcome:
        """End the child and return its result for the path.

        Args:
            patience: seconds until it is killed. If it is killed, its partial copy stays until the staging
                directory is cleared.
        """
        os.kill(self._child, signal.SIGINT)
        if not self.wait(patience):
            os.kill(self._child, signal.SIGKILL)
        return self.finish()


def _behave_as_child() -> None:
    """Let signals end the child as Ctrl-C ends a command; do not notify systemd."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.environ.pop("NOTIFY_SOCKET", None)
    os.nice(5)


def _to_json(outcome: Outcome) -> dict[str, object]:
    return {
        "decision": outcome.decision.name,
        "changed": outcome.changed,
        "problem": outcome.problem,
        "hint": outcome.hint,
        "error": outcome.error.as_dict() if outcome.error else None,
        "attic": outcome.attic,
    }


def _from_json(entry: Entry, parts: dict[str, object]) -> Outcome:
    error = parts["error"]
    return Outcome(
        entry,
        Decision[str(parts["decision"])],
        changed=bool(parts["changed"]),
        problem=str(parts["problem"]),
        hint=str(parts["hint"]),
        error=UserError.from_dict(error, 1) if isinstance(error, dict) else None,
        attic=str(parts["attic"]),
    )


def _died(entry: Entry, status: int) -> UserError:
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return RefusedError(
        f"the process that worked on it ended early ({how}); it will be tried again",
        code="path.interrupted",
        place=f"~/{entry.path}",
    )
