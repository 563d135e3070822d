"""The work of ``ws-boot hooks``. Without click: every boot runs this."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from coder_ws_runtime.boot.hooks.discover import FILE, Hook, discover
from coder_ws_runtime.boot.hooks.execute import PATIENCE, Order, Watcher, run_hooks
from coder_ws_runtime.boot.hooks.result import Ending, Result
from coder_ws_runtime.cli import render
from coder_ws_runtime.cli.loading import refuse_root, workspace_settings
from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import ExitStatus
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system import journal
from coder_ws_runtime.text import plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run_all(layout: Layout) -> int:
    """Run all hooks, as the unit does, and return the exit status."""
    return run(layout, discover(layout), Wish())


def run_once(layout: Layout) -> int:
    """Run those that have not run since the start, as the template's script does; return the exit status."""
    return run(layout, discover(layout), Wish(once=True))


@dataclass(frozen=True, slots=True)
class Wish:
    """How to run the hooks."""

    time_limit: float | None = None
    as_json: bool = False
    once: bool = False
    aloud: bool = False
    """Run the hooks and show their output."""


def run(layout: Layout, chosen: Sequence[Hook], wish: Wish) -> int:
    """Run some hooks, report, and return the exit status.

    Raises:
        UsageError: this is root.
    """
    refuse_root(layout)
    values, faults = workspace_settings(layout)
    for fault in faults:
        render.complain(fault)
    # A signal that stops us has to stop the hook too, which has its own process group.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    quiet = wish.as_json
    watcher = Watcher(
        slow=lambda hook: None if quiet else render.say(f"{hook.id}: still running after {PATIENCE:.0f} s"),
        output=_show if wish.aloud and not journal.connected() else lambda _data: None,
        ended=lambda result: None if quiet else _say(result),
        blocked=lambda: (
            None if quiet else render.say("another run of the hooks is in progress; waiting for it")
        ),
    )
    limit = wish.time_limit or values.hooks.time_limit
    results = run_hooks(layout, Order(chosen, os.environ, limit, once=wish.once), watcher)
    if wish.as_json:
        render.say_document("ws-boot hooks", {"hooks": [as_dict(result) for result in results]})
    else:
        _say_summary(layout, results)
    return ExitStatus.DONE if all(result.ok for result in results) else ExitStatus.REFUSED


def _show(data: bytes) -> None:
    if sys.stdout is not None:  # closed by the caller
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()


def _say(result: Result) -> None:
    fields = {"step": "hooks", "hook": result.id, "ending": result.ending, "seconds": result.seconds}
    if result.ok:
        render.say(f"{result.id}: done in {result.seconds:.1f} s", fields)
        return
    said = f"; its last line: {result.detail}" if result.detail else ""
    what = {
        Ending.NOT_RUN: f"not run: {result.detail}",
        Ending.TIMED_OUT: f"stopped after {result.seconds:.0f} s, its time limit{said}",
        Ending.FAILED: f"failed with status {result.status} after {result.seconds:.1f} s{said}",
    }[result.ending]
    more = "; ".join(part for part in (result.remedy, result.log and f"log: {result.log}") if part)
    render.warn(f"{result.id}: {what}{more and f' ({more})'}", fields)


def _say_summary(layout: Layout, results: Sequence[Result]) -> None:
    if not results:
        render.say(none_text(layout))
        return
    failed = [result.id for result in results if not result.ok]
    count = plural(len(results), "hook")
    how = f"{len(failed)} did not succeed: {', '.join(failed)}" if failed else "all succeeded"
    fields = {"step": "hooks", "hooks": len(results), "failed": len(failed)}
    render.say(f"{count}, {how}", fields, journal.WARNING if failed else journal.INFO)


def none_text(layout: Layout) -> str:
    """The message if the image has no hooks."""
    return f"no hooks: there is no {layout.share}/*/{FILE}"


def as_dict(result: Result) -> dict[str, Any]:
    """The result of a hook, for a JSON document."""
    return {
        "id": result.id,
        "ending": str(result.ending),
        "status": result.status,
        "seconds": result.seconds,
        "message": result.detail or None,
        "remedy": result.remedy or None,
        "log": result.log or None,
    }
