"""``home-persist add``: keep paths of the user's choice."""

import os
import re
from typing import Any

import click

from coder_ws_runtime.cli import commands, progress, render
from coder_ws_runtime.cli.loading import refuse_root, workspace_settings
from coder_ws_runtime.errors import ExitStatus, UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.add import add as run_add
from coder_ws_runtime.persist.manifest.entry import Scope
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.manifest.paths import in_shell
from coder_ws_runtime.persist.manifest.traps import trap
from coder_ws_runtime.persist.manifest.typed import typed, working_directory
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.wish import Added, Wish
from coder_ws_runtime.settings import Settings


def _mode(_: click.Context, __: click.Parameter, value: str | None) -> int | None:
    """Permission bits in octal."""
    if value is None:
        return None
    if not re.fullmatch("0?[0-7]{3}", value):
        raise click.BadParameter(f"{value!r} is not an octal mode, e.g. 0700")
    return int(value, 8)


@click.command(
    short_help="Keep a path from now on.",
    epilog=commands.examples(
        ("home-persist add ~/.config/gh", "keep a directory, for all your workspaces"),
        ("home-persist add .terraformrc .aws", "two paths; without ~/, they are relative to the home"),
        ("home-persist add --scope workspace .cache/ccache/", "one copy for this workspace only"),
        ("home-persist add --mode 0700 .gnupg", "readable by nobody else"),
    ),
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(readable=False))
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    help="owner: one copy for all your workspaces (default); workspace: one copy for this workspace.",
)
@click.option("--mode", callback=_mode, metavar="OCTAL", help="The mode to give it, e.g. 0700.")
@commands.with_quiet
@commands.with_json
@commands.with_layout
def add(  # noqa: PLR0913 - one argument an option
    layout: Layout, paths: tuple[str, ...], scope: str | None, mode: int | None, *, quiet: bool, as_json: bool
) -> int:
    """Keep PATH from now on: move its content to the volume, and replace it with a link.

    The volume remembers PATH, so it is kept in all your workspaces, or with --scope workspace in this
    one. A directory is kept as a directory, a file as a file. If PATH does not exist yet, it is kept as a
    file; with a trailing /, as a directory. A path that is already kept does not change; if its
    link was deleted, the link is created again.

    Exit status: 0 all paths are kept, 1 some were refused, 2 wrong usage, 3 no usable volume.
    """
    refuse_root(layout)
    values, faults = workspace_settings(layout)
    for fault in faults:
        render.complain(fault)
    wishes, refused = _wishes(layout, paths, Scope(scope) if scope else None, mode)
    added: list[Added] = []
    if wishes:
        again = "home-persist resolve"
        with (
            progress.show_progress(
                rerun=again, quiet=quiet, interrupted=lambda: _already_declared(layout, values, wishes)
            ) as monitor,
            Session(layout, values, monitor) as session,
        ):
            added = run_add(session, wishes)
    if as_json:
        document = {"paths": [_as_json(one) for one in added], "refused": _dicts(refused)}
        render.say_document("home-persist add", document)
    else:
        for one in added:
            _say(one, quiet=quiet)
        for error in refused:
            render.complain(error)
    return ExitStatus.REFUSED if refused or any(one.error for one in added) else ExitStatus.DONE


def _wishes(
    layout: Layout, paths: tuple[str, ...], scope: Scope | None, mode: int | None
) -> tuple[list[Wish], list[UserError]]:
    wishes: list[Wish] = []
    refused: list[UserError] = []
    cwd = working_directory(os.environ.get("PWD", ""))
    for path in paths:
        try:
            wishes.append(Wish(typed(path, layout.home, cwd), path.endswith("/"), scope, mode))
        except UserError as error:
            refused.append(error)
    return wishes, refused


def _already_declared(layout: Layout, values: Settings, wishes: list[Wish]) -> str:
    """What an interrupted `add` leaves: the declaration, which the daemon works on too."""
    declared = {entry.path for entry in load_declarations(layout, values).entries}
    paths = [f"~/{wish.path}" for wish in wishes if wish.path in declared]
    if not paths:
        return ""
    many = len(paths) > 1
    names = " ".join(in_shell(path.removeprefix("~/")) for path in paths)
    return (
        f"; {' and '.join(paths)} {'are' if many else 'is'} declared, and home-persist watch continues"
        f" with {'them' if many else 'it'}; to undo that: home-persist remove {names}"
    )


def _say(one: Added, *, quiet: bool) -> None:
    if one.error:
        render.complain(one.error)
        if one.new:
            render.say(f"~/{one.wish.path}: is declared, and will be linked as soon as that is fixed")
        return
    entry = one.entry
    if entry is None:
        return
    name = f"~/{entry.path}{entry.slash}"
    by = f"{entry.source}, {entry.scope.value}"
    if not one.new and not quiet:
        what = "" if entry.path == one.wish.path else f" as part of {name}"
        again = f"; {one.outcome.decision.text}" if one.outcome else ""
        render.say(f"~/{one.wish.path}: is already kept{what} [{by}], declared in {entry.place}{again}")
    if not one.new:
        return
    how = f"; {one.outcome.decision.text}" if one.outcome and one.outcome.changed else ""
    attic = one.outcome.attic if one.outcome else None
    lost = f"; the replaced version is in the attic: {attic}" if attic else ""
    if not quiet:
        inner = f"; this includes {render.paths(one.within)}" if one.within else ""
        render.say(f"{name}: is kept from now on [{by}]{how}{inner}{lost}", {"path": entry.path})
    if one.note:
        render.warn(f"{name}: {one.note}")
    found = trap(entry)
    if found:
        render.warn(f"{found.message} ({found.hint})")


def _as_json(one: Added) -> dict[str, Any]:
    entry = one.entry
    return {
        "path": one.wish.path,
        "added": one.new,
        "covered_by": entry.path if entry else None,
        "kind": entry.kind.value if entry else None,
        "scope": entry.scope.value if entry else None,
        "source": entry.source if entry else None,
        "declared_in": entry.place if entry else None,
        "outcome": one.outcome.code if one.outcome else None,
        "attic": (one.outcome.attic or None) if one.outcome else None,
        "message": one.note or None,
        "contains": list(one.within),
        "error": one.error.as_dict() if one.error else None,
    }


def _dicts(errors: list[UserError]) -> list[dict[str, str | None]]:
    return [error.as_dict() for error in errors]
