"""Runs checks: all at once, each within its own time limit, and none can stop another."""

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from coder_ws_runtime.doctor.causes import without_consequences
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Status, Verdict, skipped
from coder_ws_runtime.doctor.systemd import boots, steps_ran, units
from coder_ws_runtime.doctor.volume import Usable, usable

LIMIT = 10.0
"""Seconds that a check may take unless it says otherwise; a crowded host is not a failure."""

PATIENCE = 1.0
"""Seconds after which a user wants to know what is waited for."""


class Need(Enum):
    """What a check cannot do without; where it is missing, the check is skipped.

    What is missing is the finding of another check, so that one cause gives one finding.
    """

    LIVE = "this is a tree of files, not the running system"
    SYSTEMD = "systemd does not run"
    UNITS = "systemd does not answer; see system.state"
    BOOT = "no boot step has run, for want of systemd; see system.pid1"
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
    """A check: its function, and what to know before running it."""

    id: str
    """Stable, ``<category>.<noun>``."""
    title: str
    """What is looked at, a noun phrase."""
    function: Function
    needs: tuple[Need, ...] = ()
    limit: float = LIMIT
    """Seconds."""
    made_by: Need | None = None
    """What makes what is looked at; where it is missing, what is found to be wrong is its consequence."""

    @property
    def category(self) -> str:
        """The part of the id before the dot."""
        return self.id.partition(".")[0]

    @property
    def explanation(self) -> str:
        """What is right if the check is ok: the first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0].removesuffix(".")


def check(
    id_: str, title: str, *, needs: Sequence[Need] = (), limit: float = LIMIT, made_by: Need | None = None
) -> Callable[[Function], Check]:
    """Make a function a check. See :class:`Check`; the tuple of all checks is in `catalogue`."""

    def declare(function: Function) -> Check:
        return Check(id_, title, function, tuple(needs), limit, made_by)

    return declare


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a check."""

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
    """Run all checks at once and return their results in the same order, without consequences.

    Args:
        checks: which.
        context: the workspace.
        waiting: told which checks have not ended after `patience` seconds, again each time one ends,
            and at last that none is left.
        patience: seconds.

    A check that raises, or that has not returned when its limit is over, has crashed. Its thread is
    left to itself: it is a daemon thread, which does not keep the process from ending.
    """
    done: queue.SimpleQueue[Result] = queue.SimpleQueue()
    began = time.monotonic()
    for item in checks:
        threading.Thread(target=_work, args=(item, context, done), name=item.id, daemon=True).start()
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
