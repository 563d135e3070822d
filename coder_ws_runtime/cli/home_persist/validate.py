"""``home-persist validate`` and ``home-persist schema``: for those who write manifests."""

from pathlib import Path
from typing import Any

import click

from coder_ws_runtime import settings
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.loading import workspace_settings
from coder_ws_runtime.errors import ExitStatus, UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.lint import Checked, check_files, check_workspace
from coder_ws_runtime.text import plural


@click.command(
    epilog=commands.examples(
        ("home-persist validate my-tool.json", "a manifest, before it goes into an image"),
        ("home-persist validate manifests/*.json", "several, each by itself and against one another"),
        ("home-persist validate", "all that counts in this workspace"),
    )
)
@click.argument(
    "files", nargs=-1, metavar="[FILE]...", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@commands.with_json
@commands.with_layout
def validate(layout: Layout, files: tuple[Path, ...], *, as_json: bool) -> int:
    """Say what is wrong with manifests, and how to fix it.

    Without FILE it looks at every source of this workspace: the image's manifests, the paths of the
    template, and your own. A warning is no fault: the path is kept, but its program handles a link
    badly, and there is a better way. 'home-persist schema' prints what a manifest may have.

    Exit status: 0 all are valid, 1 something is refused, 2 wrong usage.
    """
    values, faults = workspace_settings(layout)
    if files:
        checked = check_files(layout, files, values.workspace.id)
        faults = []
    else:
        checked = check_workspace(layout, values)
    if as_json:
        render.say_document("home-persist validate", _as_json(checked, faults))
    else:
        _say(checked, faults)
    return ExitStatus.REFUSED if faults or any(item.faults for item in checked) else ExitStatus.DONE


def _say(checked: list[Checked], faults: list[UserError]) -> None:
    for error in (*faults, *(fault for item in checked for fault in item.faults)):
        render.complain(error)
    for item in checked:
        for found in item.traps:
            render.warn(f"{found.place}: {found.message} ({found.hint})")
    for item in checked:
        if not item.faults:
            render.say(f"{item.place}: valid, {plural(item.paths, 'path')}")
    bad = sum(bool(item.faults) for item in checked) + len(faults)
    render.say(f"{plural(len(checked), 'source')}, {f'{bad} refused' if bad else 'all valid'}")


def _as_json(checked: list[Checked], faults: list[UserError]) -> dict[str, Any]:
    return {
        "sources": [
            {
                "place": item.place,
                "valid": not item.faults,
                "paths": item.paths,
                "errors": [fault.as_dict() for fault in item.faults],
                "warnings": [
                    {"code": found.code, "message": found.message, "place": found.place, "remedy": found.hint}
                    for found in item.traps
                ],
            }
            for item in checked
        ],
        "settings": [fault.as_dict() for fault in faults],
    }


_COMMANDS = (
    "resolve",
    "status",
    "add",
    "remove",
    "available",
    "enable",
    "disable",
    "attic list",
    "attic restore",
    "attic prune",
    "validate",
    "migrate",
    "migrate --list",
    "gc",
)
_OF_OTHERS = (
    "ws-boot docker-group",
    "ws-boot hooks",
    "ws-boot hooks list",
    "ws-boot jetbrains",
    "ws-boot jetbrains list",
    "ws-boot jetbrains prune",
    "ws-doctor",
    "ws-doctor --list",
    "error",
)
"""Documents by their whole names; a test compares both with the contract, which is slow to import."""


@click.command(
    epilog=commands.examples(
        ("home-persist schema > schema.json", "of manifests, for an editor or another validator"),
        ('{"$schema": "./schema.json", "source": …', "how a manifest names it"),
        ("home-persist schema settings", "of the document that a template uploads"),
        ("home-persist schema status", "of what 'home-persist status --json' prints"),
    )
)
@click.argument(
    "document",
    type=click.Choice(["manifest", "settings", *_COMMANDS, *_OF_OTHERS]),
    default="manifest",
    metavar="[DOCUMENT]",
)
def schema(document: str) -> None:
    """Print the JSON Schema of a document: of manifests by default.

    DOCUMENT is manifest, settings, the words of a command for what it prints with --json ('attic list', or
    'ws-doctor' and 'ws-boot hooks' of the other programs), or error for what a command prints with --json
    when an error ends it.

    The schema says which keys a document has and what each means. What it cannot say, for example that a
    path has to be below the home, 'home-persist validate' checks.
    """
    if document == "settings":
        render.say_json(settings.schema())
    elif document == "manifest":
        from coder_ws_runtime.persist.manifest import model  # noqa: PLC0415 - pydantic is slow to import

        render.say_json(model.schema())
    else:
        from coder_ws_runtime.cli import contract  # noqa: PLC0415 - as above

        render.say_json(contract.schema(document if document in _OF_OTHERS else f"home-persist {document}"))
