"""``home-persist available``, ``enable`` and ``disable``: the optional manifests of the image."""

from typing import Any

import click

from coder_ws_runtime.cli import commands, progress, render
from coder_ws_runtime.cli.completion import any_optional_name, optional_name
from coder_ws_runtime.cli.home_persist.remove import say_removed
from coder_ws_runtime.cli.loading import called, refuse_root, workspace_settings
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.errors import ExitStatus, RefusedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import Entry, Scope
from coder_ws_runtime.persist.manifest.traps import trap
from coder_ws_runtime.persist.optional import Optional, Switched
from coder_ws_runtime.persist.optional import available as read_available
from coder_ws_runtime.persist.optional import disable as run_disable
from coder_ws_runtime.persist.optional import enable as run_enable
from coder_ws_runtime.persist.remove import Removal
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.text import suggest


def _settings(layout: Layout) -> Settings:
    values, faults = workspace_settings(layout)
    for fault in faults:
        render.complain(fault)
    return values


@click.command(
    epilog=commands.examples(
        ("home-persist available", "list the tools whose files the image can keep"),
        ("home-persist available npm", "show its paths, their scopes, and why"),
        ("home-persist enable npm", "keep it from now on"),
    )
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=any_optional_name)
@commands.with_json
@commands.with_layout
def available(layout: Layout, names: tuple[str, ...], *, as_json: bool) -> int:
    """List the tools whose files the image can keep.

    What most people want to keep is on for everybody ('home-persist status' shows it). For other tools, the
    image has optional manifests, which you enable by name. This shows which of them are on. With NAME, it
    shows each path: whether it has one copy for all your workspaces (owner) or one for each (workspace),
    and why.
    """
    return _list(layout, names, as_json=as_json)


@click.command(
    short_help="Keep the paths of an optional manifest.",
    epilog=commands.examples(
        ("home-persist available", "list them"),
        ("home-persist enable git gh", "keep both, for all your workspaces"),
        ("home-persist enable --scope workspace npm", "keep it in this workspace only"),
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=optional_name)
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    default=Scope.OWNER.value,
    show_default=True,
    help="Where it applies: in all your workspaces, or in this one.",
)
@commands.with_quiet
@commands.with_json
@commands.with_layout
def enable(layout: Layout, names: tuple[str, ...], scope: str, *, quiet: bool, as_json: bool) -> int:
    """Keep the paths of the image's optional manifest NAME; without NAME, list the manifests.

    The volume records only the name. A newer image may keep other paths for the same tool.
    Content moves to the volume at once.

    Exit status: 0 done, 1 some were refused, 2 wrong usage, 3 no usable volume.
    """
    if not names:
        return _list(layout, (), as_json=as_json)
    refuse_root(layout)
    values = _settings(layout)
    again = "home-persist resolve"
    with (
        progress.show_progress(rerun=again, quiet=quiet) as monitor,
        Session(layout, values, monitor) as session,
    ):
        done = run_enable(session, names, Scope(scope))
    return _tell("enable", done, ("is on", "is already on"), quiet=quiet, as_json=as_json)


@click.command(
    short_help="Stop keeping the paths of an optional manifest.",
    epilog=commands.examples(
        ("home-persist disable docker", "stop keeping it"),
        ("home-persist available", "see what is on"),
    ),
)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=optional_name)
@commands.with_quiet
@commands.with_json
@commands.with_layout
def disable(layout: Layout, names: tuple[str, ...], *, quiet: bool, as_json: bool) -> int:
    """Stop keeping the paths of the optional manifest NAME, in all your workspaces.

    To stop in this workspace only: 'home-persist remove --switch-off --scope workspace PATH'. Content comes
    back to the home, as with 'home-persist remove'; see its help.

    Exit status: 0 done, 1 some were refused, 2 wrong usage, 3 no usable volume.
    """
    refuse_root(layout)
    values = _settings(layout)
    with (
        progress.show_progress(rerun=called(layout), quiet=quiet) as monitor,
        Session(layout, values, monitor) as session,
    ):
        done = run_disable(Removal(session), names)
    return _tell("disable", done, ("is off", "is off"), quiet=quiet, as_json=as_json)


def _tell(command: str, done: list[Switched], words: tuple[str, str], *, quiet: bool, as_json: bool) -> int:
    """Report each result; `words` say what is on or off now, and what already was."""
    if as_json:
        document = {"manifests": [_switched_as_json(one) for one in done]}
        render.say_document(f"home-persist {command}", document)
    else:
        for one in done:
            if not quiet:
                _say_done(one, words[0] if one.changed else words[1])
            for removed in one.removed:
                if not removed.error:
                    say_removed(removed, quiet=quiet)
            for error in one.errors:
                render.complain(error)
    return ExitStatus.REFUSED if any(one.errors for one in done) else ExitStatus.DONE


def _say_done(one: Switched, word: str) -> None:
    if not one.error:
        render.say(f"{one.name}: {word}", {"name": one.name})
    for outcome in one.outcomes:
        if not outcome.error:
            entry = outcome.entry
            render.say(f"~/{entry.path}{entry.slash}: {outcome.decision.text}", {"path": entry.path})
        found = trap(outcome.entry)
        if found:
            render.warn(f"{found.message} ({found.hint})", {"code": found.code, "path": outcome.entry.path})


def _list(layout: Layout, names: tuple[str, ...], *, as_json: bool) -> int:
    everything = read_available(layout, _settings(layout))
    found = [item for item in everything if not names or item.name in names]
    for name in names:
        if name not in {item.name for item in everything}:
            raise RefusedError(
                f"no optional manifest {name!r}",
                code="optional.unknown",
                hint=suggest(name, [item.name for item in everything]),
            )
    status = ExitStatus.REFUSED if any(item.fault for item in found) else ExitStatus.DONE
    if as_json:
        document = {"manifests": [_as_json(item) for item in found]}
        render.say_document("home-persist available", document)
        return status
    for line in _details(found) if names else _overview(found):
        render.say(line)
    for item in found:
        if item.fault:
            render.complain(item.fault)
    on = sum(item.enabled for item in found)
    render.say(f"{len(found)} optional, {on} on; home-persist enable NAME")
    return status


def _overview(found: list[Optional]) -> list[str]:
    rows = [
        [item.name, _state(item), " ".join(_name(entry) for entry in item.entries), item.description]
        for item in found
    ]
    return table(["NAME", "STATE", "PATHS", "WHAT"], rows) if rows else []


def _details(found: list[Optional]) -> list[str]:
    rows = [
        [item.name, _state(item), _name(entry), entry.scope.value, entry.why or "-"]
        for item in found
        for entry in item.entries
    ]
    return table(["NAME", "STATE", "PATH", "SCOPE", "WHY"], rows)


def _state(item: Optional) -> str:
    return render.style("on", fg="green") if item.enabled else "off"


def _name(entry: Entry) -> str:
    return f"~/{entry.path}{entry.slash}"


def _as_json(item: Optional) -> dict[str, Any]:
    return {
        "name": item.name,
        "description": item.description or None,
        "enabled": item.enabled,
        "paths": [
            {"path": entry.path, "scope": entry.scope.value, "why": entry.why or None}
            for entry in item.entries
        ],
        "error": item.fault.as_dict() if item.fault else None,
    }


def _switched_as_json(one: Switched) -> dict[str, Any]:
    return {
        "name": one.name,
        "changed": one.changed,
        "paths": [*(o.entry.path for o in one.outcomes), *(r.path for r in one.removed)],
        "errors": [error.as_dict() for error in one.errors],
    }
