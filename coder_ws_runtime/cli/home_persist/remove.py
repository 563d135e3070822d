"""``home-persist remove``: stop keeping paths."""

import os
from typing import Any

import click

from coder_ws_runtime.cli import commands, progress, render
from coder_ws_runtime.cli.completion import removable_path
from coder_ws_runtime.cli.loading import called, refuse_root, workspace_settings
from coder_ws_runtime.errors import ExitStatus, UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import Scope
from coder_ws_runtime.persist.manifest.paths import in_shell
from coder_ws_runtime.persist.manifest.typed import typed, working_directory
from coder_ws_runtime.persist.remove import Removal, Removed
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.text import plural


@click.command(
    short_help="Stop keeping a path; its content comes back.",
    epilog=commands.examples(
        ("home-persist remove ~/.config/gh", "stop keeping a path that you added"),
        ("home-persist remove --switch-off ~/.claude", "… that the image or the template declares"),
        ("home-persist add ~/.claude", "switch it on again"),
        ("home-persist attic list ~/.config/gh", "see the volume's copy, which is kept for 30 days"),
    ),
)
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", shell_complete=removable_path)
@click.option(
    "--scope",
    type=click.Choice([scope.value for scope in Scope]),
    help="Only if it has this scope; with --switch-off: where to switch it off (default: owner).",
)
@click.option("--switch-off", is_flag=True, help="Also paths that the image or the template declares.")
@commands.with_quiet
@commands.with_json
@commands.with_layout
def remove(  # noqa: PLR0913 - one argument an option
    layout: Layout, paths: tuple[str, ...], scope: str | None, *, switch_off: bool, quiet: bool, as_json: bool
) -> int:
    """Stop keeping PATH: its content comes back to the home, and is lost when this container is replaced.

    First the content is copied to the home, then the volume's copy goes to the attic for 30 days. While
    another workspace of yours is running, its link may lead to that copy, so it stays on the volume; run
    this again later to move it to the attic. It also stays if --switch-off applies to this workspace only.

    A path that you did not add yourself is refused, unless you use --switch-off.

    Exit status: 0 done, 1 some were refused, 2 wrong usage, 3 no usable volume.
    """
    refuse_root(layout)
    values, faults = workspace_settings(layout)
    for fault in faults:
        render.complain(fault)
    wanted, refused = _wanted(layout, paths)
    with (
        progress.show_progress(rerun=called(layout), quiet=quiet) as monitor,
        Session(layout, values, monitor) as session,
    ):
        removal = Removal(session, scope=Scope(scope) if scope else None, switch_off=switch_off)
        removed = removal.run(wanted)
    if as_json:
        refusals = [error.as_dict() for error in refused]
        document = {"paths": [_as_json(one) for one in removed], "refused": refusals}
        render.say_document("home-persist remove", document)
    else:
        for one in removed:
            say_removed(one, quiet=quiet)
        for error in refused:
            render.complain(error)
    return ExitStatus.REFUSED if refused or any(one.error for one in removed) else ExitStatus.DONE


def _wanted(layout: Layout, paths: tuple[str, ...]) -> tuple[list[str], list[UserError]]:
    wanted: list[str] = []
    refused: list[UserError] = []
    cwd = working_directory(os.environ.get("PWD", ""))
    for path in paths:
        try:
            wanted.append(typed(path, layout.home, cwd, command="home-persist remove"))
        except UserError as error:
            refused.append(error)
    return wanted, refused


def say_removed(one: Removed, *, quiet: bool) -> None:
    """The result for one path."""
    if one.error:
        render.complain(one.error)
        return
    if not quiet:
        render.say(f"~/{one.path}: {_became(one)}", {"path": one.path, "attic": one.attic or None})
    if one.others:
        count = len(one.others)
        render.warn(
            f"~/{one.path}: {plural(count, 'other workspace')} of yours"
            f" {'is' if count == 1 else 'are'} running, so the volume's copy stays for now"
            f" (when none is: home-persist remove {in_shell(one.path)})"
        )


def _became(one: Removed) -> str:
    if one.still and one.former:
        by = f"[{one.still.source}, {one.still.scope.value}]"
        return f"its copy of the former scope is in the attic: {one.attic}; it is still kept as before {by}"
    if one.still:
        by = f"[{one.still.source}, {one.still.scope.value}], declared in {one.still.place}"
        what = "" if one.still.path == one.path else f"as part of ~/{one.still.path}/ "
        return f"you no longer declare it, but it is still kept {what}{by}"
    content = one.attic or one.others or one.shared
    there = "the home had no link to it" if content else "it had no content"
    where = "its content is back in the home" if one.returned else there
    if one.mounted:
        where = "what is mounted there stays as it is"
    if one.attic:
        where += f"; the volume's copy is in the attic: {one.attic}"
    if one.shared:
        where += "; your other workspaces keep the volume's copy"
    inner = f"; still kept inside it: {render.paths(one.within)}" if one.within else ""
    return f"is no longer kept; {where}{inner}"


def _as_json(one: Removed) -> dict[str, Any]:
    return {
        "path": one.path,
        "removed": one.entry is not None,
        "returned": one.returned,
        "attic": one.attic or None,
        "other_workspaces": list(one.others),
        "shared": one.shared,
        "contains": list(one.within),
        "still_declared_in": one.still.place if one.still else None,
        "error": one.error.as_dict() if one.error else None,
    }
