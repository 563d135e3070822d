"""Runs checks: all in parallel, each with its own time limit; none can stop another."""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.doctor.causes import without_consequences
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Status, Verdict, skipped
from coder_ws_runtime.doctor.systemd import boots, steps_ran, units
from coder_ws_runtime.doctor.volume import Usable, usable

LIMIT = 10.0
"""The default time limit of a check in seconds; a busy host is not a failure."""

PATIENCE = 1.0
"""After this many seconds, the user learns which checks are still running."""


class Need(Enum):
    """What a check depends on. If it is missing, the check is skipped.

    Another check reports what is missing, so that one cause leads to one finding.
    """

    LIVE = "this is a tree of files, not the running system"
    SYSTEMD = "systemd does not run"
    UNITS = "systemd does not answer; see system.state"
    BOOT = "no boot step has run, because systemd does not run; see system.pid1"
    VOLUME = "the volume cannot be used; see home.volume"
    SOCKET = "there is no Docker socket"


_MET: Mapping[Need, Callable[[Context], bool]] = {
    Need.LIVE: lambda context: context.live,
    Need.SYSTEMD: lambda context: context.ask(boots),
    Need.UNITS: lambda context: bool(context.ask(units)),
    Need.BOOT: lambda context: context.ask(steps_ran),
    Need.VOLUME: lambda context: context.ask(usable) is Usable.YES,
    Need.SOCKET: lambda context: context.layout.docker_socket.is_socket(),
}


def _is_met(need: Need, context: Context) -> bool:
    return _MET[need](context)


Function = Callable[[Context], Verdict]


@dataclass(frozen=True, slots=True)
class Check:
    """A check: its function, and what is needed to run it."""

    id: str
    """Stable, ``<category>.<noun>``."""
    title: str
    """What it looks at, a noun phrase."""
    function: Function
    needs: tuple[Need, ...] = ()
    limit: float = LIMIT
    """Seconds."""
    made_by: Need | None = None
    """What creates the things to check; if that is missing, problems with them are its consequence."""

    @property
    def category(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]

    @property
    def explanation(self) -> str:
        """What is true if the check is ok: the first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].removesuffix(".")


def check(
    id_: str, title: str, *, needs: Sequence[Need] = (), limit: float = LIMIT, made_by: Need | None = None
) -> Callable[[Function], Check]:
    """Make a function a check. See :class:`Check`; `catalogue` has the tuple of all checks."""

    def declare(function: Function) -> Check:
        return Check(id_, title, function, tuple(needs), limit, made_by)

    return declare


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a check."""

    check: Check
    verdict: Verdict
    seconds: float


def examine(
    checks: Sequence[Check],
    context: Context,
    *,
    waiting: Callable[[Sequence[str]], None] | None = None,
    patience: float = PATIENCE,
) -> list[Result]:
    """Run all checks in parallel and return their results in the same order, without consequences.

    Args:
        checks: the checks to run.
        context: the workspace.
        waiting: called with the checks that have not ended after `patience` seconds, again each time one
            ends, and finally with none.
        patience: seconds.

    A check that raises, or that has not returned when its limit is over, has crashed. Its thread is
    abandoned: a daemon thread does not keep the process from exiting.
    """
    done: queue.SimpleQueue[Result] = queue.SimpleQueue()
    began = time.monotonic()
    for item in checks:
        thread = threading.Thread(target=_work, args=(item, context, done), name=item.id, daemon=True)
        try:
            thread.start()
        except RuntimeError:  # the limit on processes, which includes threads
            _work(item, context, done)
    results: dict[str, Result] = {}
    pending = {item.id: item for item in checks}
    told = False
    while pending:
        passed = time.monotonic() - began
        if waiting and passed >= patience:
            waiting(tuple(pending))
            told = True
        limit = min(item.limit for item in pending.values())
        until = min(limit, patience) if waiting and not told else limit
        try:
            result = done.get(timeout=max(0.0, began + until - time.monotonic()))
        except queue.Empty:
            late = time.monotonic() - began
            for item in [item for item in pending.values() if item.limit <= late]:
                results[item.id] = Result(pending.pop(item.id), _late(item), late)
        else:
            if pending.pop(result.check.id, None):
                results[result.check.id] = result
    if waiting and told:
        waiting(())
    return without_consequences([results[item.id] for item in checks])


def _work(item: Check, context: Context, done: "queue.SimpleQueue[Result]") -> None:
    began = time.monotonic()
    try:
        missing = next((need for need in item.needs if not _is_met(need, context)), None)
        verdict = skipped(missing.value) if missing else item.function(context)
        if verdict.findings and item.made_by and not _is_met(item.made_by, context):
            verdict = skipped(item.made_by.value)
    except Exception as error:  # noqa: BLE001 - whatever it is, the other checks are still wanted
        import traceback  # noqa: PLC0415 - slow to import, and rarely needed

        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
        verdict = Verdict(
            Status.CRASHED, f"the check itself failed: {type(error).__name__}: {error} ({where})"
        )
    done.put(Result(item, verdict, time.monotonic() - began))


def _late(item: Check) -> Verdict:
    return Verdict(Status.CRASHED, f"the check did not end within {item.limit:g} s")
