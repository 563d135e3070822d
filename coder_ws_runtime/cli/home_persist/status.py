"""``home-persist status``: the state of every declared path."""

import os
from collections.abc import Sequence
from typing import Any

import click

from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.completion import any_path
from coder_ws_runtime.cli.loading import workspace_settings
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.errors import ExitStatus, RefusedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.paths import in_shell, is_below
from coder_ws_runtime.persist.manifest.typed import typed, working_directory
from coder_ws_runtime.persist.path_state import MEANING, State
from coder_ws_runtime.persist.status import PathStatus, Status
from coder_ws_runtime.persist.status import status as read_status
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.text import plural, size, visible

_COLOURS = {
    State.LINKED: "green",
    State.UNWRITTEN: "green",
    State.DELETED: "green",
    State.OFF: "bright_black",
}
_UNDECLARED = (State.NOT_DECLARED, State.REMOVED, State.OFF)


@click.command(
    epilog=commands.examples(
        ("home-persist status", "show everything"),
        ("home-persist status ~/.config", "show what is kept below it"),
        ("home-persist status --json", "for programs"),
    )
)
@click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=any_path)
@click.option("--exact", is_flag=True, help="Measure every size completely, however long it takes.")
@commands.with_json
@commands.with_layout
def status(layout: Layout, paths: tuple[str, ...], *, exact: bool, as_json: bool) -> int:
    """Show every declared path, its state and its size.

    With PATH, only that path and what is below it. SOURCE is the manifest that declares it, template or
    user. With the scope owner, all your workspaces share one copy; with workspace, each has its own. States
    that need an explanation have one below the table. A size that begins with '>' was not measured
    completely: it is at least that much.

    Exit status: 0 everything is as declared, 1 something is not, 2 wrong usage, 3 no usable volume.
    """
    values, faults = workspace_settings(layout)
    found = read_status(layout, values, exact=exact)
    found = replace(
        found, paths=_chosen(layout, values, found.paths, paths), refused=(*faults, *found.refused)
    )
    if as_json:
        render.say_document("home-persist status", _as_json(found))
    else:
        _say(found)
    if found.fault:
        return found.fault.exit_status
    odd = found.refused or not all(item.state.fine for item in found.paths)
    return ExitStatus.REFUSED if odd else ExitStatus.DONE


def _chosen(
    layout: Layout, values: Settings, items: tuple[PathStatus, ...], paths: tuple[str, ...]
) -> tuple[PathStatus, ...]:
    """The paths that the user asked for.

    Raises:
        RefusedError: nothing has that name; the hint names the nearest.
    """
    cwd = working_directory(os.environ.get("PWD", ""))
    wanted = [typed(path, layout.home, cwd, command="home-persist status") for path in paths]
    for path in wanted:
        if not any(_concerns(item, path) for item in items):
            hint = _offered(layout, values, path) or render.nearest_path(
                path, [item.entry.path for item in items]
            )
            raise RefusedError(
                "is not declared",
                code="path.not-declared",
                place=f"~/{path}",
                hint=hint
                or f"home-persist status lists what is; to keep it: home-persist add {in_shell(path)}",
            )
    return tuple(item for item in items if not wanted or any(_concerns(item, path) for path in wanted))


def _offered(layout: Layout, values: Settings, path: str) -> str:
    """How to keep a path that an optional manifest of the image declares; empty if none does."""
    from coder_ws_runtime.persist.optional import available  # noqa: PLC0415 - only a mistake needs it

    for offer in available(layout, values):
        if any(path == entry.path or is_below(path, entry.path) for entry in offer.entries):
            return f"the image knows how to keep it: home-persist enable {offer.name}"
    return ""


def _concerns(item: PathStatus, path: str) -> bool:
    own = item.entry.path
    return own == path or is_below(own, path) or is_below(path, own)


def _say(found: Status) -> None:
    rows = [
        [
            _path(item),
            item.entry.source or "-",
            item.entry.scope.value,
            render.style(item.state.value, fg=_COLOURS.get(item.state, "yellow")),
            render.usage(item.usage),
        ]
        for item in found.paths
    ]
    if rows:
        for line in table(["PATH", "SOURCE", "SCOPE", "STATE", "SIZE"], rows):
            render.say(line)
    _say_legend(found.paths)
    for error in (*found.refused, *([found.fault] if found.fault else ())):
        render.complain(error)
    if found.paths and not found.watched:
        render.warn(
            "home-persist watch does not run, so a file that a program saves in place of a link stays only in"
            " this container (sudo systemctl start home-persist-watch; ws-doctor says why it stopped)"
        )
    render.say(_summary(found))


def _say_legend(paths: Sequence[PathStatus]) -> None:
    states = [state for state in State if state is not State.LINKED and _has(paths, state)]
    for state in states:
        render.say(f"{render.style(state.value, bold=True)}: {MEANING[state]}")
    for item in paths:
        if item.error:
            render.say(f"~/{item.entry.path}: {item.error.strerror}")


def _has(paths: Sequence[PathStatus], state: State) -> bool:
    return any(item.state is state for item in paths)


def _path(item: PathStatus) -> str:
    return f"~/{visible(item.entry.path)}{item.entry.slash}"


def _summary(found: Status) -> str:
    declared = [item for item in found.paths if item.state not in _UNDECLARED]
    odd = sum(not item.state.fine for item in declared)
    count = plural(len(declared), "path")
    how = f"{odd} not as declared" if odd else "all as declared"
    sizes = [item.usage for item in found.paths if item.usage]
    total = size(sum(usage.size for usage in sizes))
    more = "" if all(usage.complete for usage in sizes) else "more than "
    free = f"{size(found.free)} of {size(found.size)} free on the volume"
    return f"{count}, {how}; {more}{total}, {free}"


def _as_json(found: Status) -> dict[str, Any]:
    return {
        "paths": [_path_as_json(item) for item in found.paths],
        "refused": [error.as_dict() for error in found.refused],
        "daemon_running": found.watched,
        "volume": {
            "free_bytes": found.free,
            "size_bytes": found.size,
            "error": found.fault.as_dict() if found.fault else None,
        },
    }


def _path_as_json(item: PathStatus) -> dict[str, Any]:
    entry, usage = item.entry, item.usage
    return {
        "path": entry.path,
        "kind": entry.kind.value,
        "source": entry.source or None,
        "declared_in": entry.place or None,
        "scope": entry.scope.value,
        "why": entry.why or None,
        "target": entry.on_volume,
        "state": item.state.name.lower().replace("_", "-"),
        "ok": item.state.fine,
        "message": MEANING[item.state],
        "size_bytes": usage.size if usage else None,
        "size_complete": usage.complete if usage else None,
        "files": usage.files if usage else None,
        "error": item.error.strerror if item.error else None,
    }
