"""``ws-boot hooks``."""

from typing import Any

import click

from coder_ws_runtime.boot.hooks.discover import Hook, discover
from coder_ws_runtime.boot.hooks.result import Result, recall
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.completion import hook_id
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.cli.ws_boot.hooks_step import Wish, as_dict, none_text, run
from coder_ws_runtime.errors import UsageError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.text import suggest


def _with_time_limit(command: Any) -> Any:  # noqa: ANN401 - what click.option takes and gives
    return click.option(
        "--time-limit",
        type=commands.Number(0, commands.DAY, min_open=True),
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
    return run(layout, discover(layout), Wish(time_limit, as_json, once=once))


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
                "last": as_dict(results[hook.id]) if hook.id in results else None,
            }
            for hook in found
        ]
        render.say_document("ws-boot hooks list", {"hooks": items})
        return
    if not found:
        render.say(none_text(layout))
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
            hint = suggest(name, list(found)) if found else none_text(layout)
            raise UsageError(f"no such hook {name!r}", code="hooks.unknown", hint=hint)
    chosen = [hook for hook in found.values() if not ids or hook.id in ids]
    return run(layout, chosen, Wish(time_limit, as_json, aloud=not as_json))


def _state(hook: Hook, result: Result | None) -> str:
    if hook.trouble is not None:
        return render.style(hook.trouble.value, fg="red")
    if result is None:
        return "not run yet"
    colour = "green" if result.ok else "red"
    return render.style(f"{result.ending}, {result.seconds:.1f} s", fg=colour)
