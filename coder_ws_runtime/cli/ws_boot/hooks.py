"""``ws-boot hooks``."""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from coder_ws_runtime.boot.hooks.discover import FILE, Hook, discover
from coder_ws_runtime.boot.hooks.execute import PATIENCE, Order, Watcher, run_hooks
from coder_ws_runtime.boot.hooks.result import Ending, Result, recall
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.completion import hook_id
from coder_ws_runtime.cli.loading import refuse_root, workspace_settings
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.errors import ExitStatus, UsageError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system import journal
from coder_ws_runtime.text import plural, suggest


def _with_time_limit(command: Any) -> Any:  # noqa: ANN401 - what click.option takes and gives
    return click.option(
        "--time-limit",
        type=click.FloatRange(min=0, min_open=True),
        metavar="SECONDS",
        help="How long each may take, instead of the workspace's setting (120).",
    )(command)


@click.group(
    "hooks",
    cls=commands.Group,
    invoke_without_command=True,
    epilog=commands.examples(
        ("ws-boot hooks", "run them all again"),
        ("ws-boot hooks list", "list them, and how each ended"),
        ("ws-boot hooks run rtk", "run one, and show its output"),
        ("ws-boot hooks --once", "run only those that have not run since the start"),
    ),
)
@click.option("--once", is_flag=True, help="Do not run again what has run since the start; show its result.")
@_with_time_limit
@commands.with_json
@commands.with_layout
@click.pass_context
def hooks(
    context: click.Context, layout: Layout, *, once: bool, time_limit: float | None, as_json: bool
) -> int | None:
    """Run the tools' post-create hooks.

    A hook is what a tool of the image does for the user at every start: the script
    /usr/local/share/ID/post-create.sh. Hooks run in the order of their IDs. Each has a time limit, and its
    own log in /var/log/coder-ws/hooks. If one fails, the others still run.

    Exit status: 0 all succeeded, 1 some did not, 2 wrong usage.
    """
    if not commands.has_no_subcommand(context):
        return None
    return _run(layout, discover(layout), _Wish(time_limit, as_json, once=once))


@hooks.command(
    "list",
    epilog=commands.examples(
        ("ws-boot hooks list", "for people"),
        ("ws-boot hooks list --json", "for programs"),
    ),
)
@commands.with_json
@commands.with_layout
def list_hooks(layout: Layout, *, as_json: bool) -> None:
    """List the hooks, and how each ended since the start."""
    found = discover(layout)
    results = recall(layout)
    if as_json:
        items = [
            {
                "id": hook.id,
                "path": str(hook.path),
                "trouble": hook.trouble and hook.trouble.value,
                "last": _as_json(results[hook.id]) if hook.id in results else None,
            }
            for hook in found
        ]
        render.say_document("ws-boot hooks list", {"hooks": items})
        return
    if not found:
        render.say(_none(layout))
        return
    rows = [[hook.id, _state(hook, results.get(hook.id)), str(hook.path)] for hook in found]
    for line in table(["HOOK", "LAST", "SCRIPT"], rows):
        render.say(line)


@hooks.command(
    "run",
    epilog=commands.examples(
        ("ws-boot hooks run rtk", "the hook of one tool"),
        ("ws-boot hooks run --time-limit 600 rtk", "allow it ten minutes"),
    ),
)
@click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=hook_id)
@_with_time_limit
@commands.with_json
@commands.with_layout
def run_some(layout: Layout, *, ids: tuple[str, ...], time_limit: float | None, as_json: bool) -> int:
    """Run these hooks, or all, and show their output."""
    found = {hook.id: hook for hook in discover(layout)}
    for name in ids:
        if name not in found:
            hint = suggest(name, list(found)) if found else _none(layout)
            raise UsageError(f"no such hook {name!r}", code="hooks.unknown", hint=hint)
    chosen = [hook for hook in found.values() if not ids or hook.id in ids]
    return _run(layout, chosen, _Wish(time_limit, as_json, aloud=not as_json))


@dataclass(frozen=True, slots=True)
class _Wish:
    """How to run the hooks."""

    time_limit: float | None
    as_json: bool
    once: bool = False
    aloud: bool = False
    """Run the hooks and show their output."""


def _run(layout: Layout, chosen: Sequence[Hook], wish: _Wish) -> int:
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
        render.say_document("ws-boot hooks", {"hooks": [_as_json(result) for result in results]})
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
        render.say(_none(layout))
        return
    failed = [result.id for result in results if not result.ok]
    count = plural(len(results), "hook")
    how = f"{len(failed)} did not succeed: {', '.join(failed)}" if failed else "all succeeded"
    fields = {"step": "hooks", "hooks": len(results), "failed": len(failed)}
    render.say(f"{count}, {how}", fields, journal.WARNING if failed else journal.INFO)


def _state(hook: Hook, result: Result | None) -> str:
    if hook.trouble is not None:
        return render.style(hook.trouble.value, fg="red")
    if result is None:
        return "not run yet"
    colour = "green" if result.ok else "red"
    return render.style(f"{result.ending}, {result.seconds:.1f} s", fg=colour)


def _none(layout: Layout) -> str:
    return f"no hooks: there is no {layout.share}/*/{FILE}"


def _as_json(result: Result) -> dict[str, Any]:
    return {
        "id": result.id,
        "ending": str(result.ending),
        "status": result.status,
        "seconds": result.seconds,
        "message": result.detail or None,
        "remedy": result.remedy or None,
        "log": result.log or None,
    }
