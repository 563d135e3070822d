"""``home-persist validate`` and ``home-persist schema``: for authors of manifests."""

from pathlib import Path
from typing import Any

import click

from coder_ws_runtime import settings
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.loading import workspace_settings
from coder_ws_runtime.errors import ExitStatus, UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.files import SCHEMA
from coder_ws_runtime.persist.manifest.lint import Checked, check_files, check_workspace
from coder_ws_runtime.text import plural


@click.command(
    epilog=commands.examples(
        ("home-persist validate my-tool.json", "check a manifest before it goes into an image"),
        ("home-persist validate manifests/*.json", "check several, each alone and against the others"),
        ("home-persist validate", "check everything that is declared in this workspace"),
    )
)
@click.argument(
    "files", nargs=-1, metavar="[FILE]...", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@commands.with_json
@commands.with_layout
def validate(layout: Layout, files: tuple[Path, ...], *, as_json: bool) -> int:
    """Check manifests: report what is wrong and how to fix it.

    Without FILE, this checks all sources of this workspace: the image's manifests, the template's paths, and
    yours. A warning is not an error: the path is kept, but its program does not handle a link well, and
    there is a better way. 'home-persist schema' prints the format of a manifest.

    Exit status: 0 all are valid, 1 something was refused, 2 wrong usage.
    """
    values, faults = workspace_settings(layout)
    if files:
        manifests = [file for file in files if file.name != SCHEMA]  # it is next to them: DIR/*.json
        checked = check_files(layout, manifests, values.workspace.id)
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
        ("home-persist schema > schema.json", "the schema of manifests, for an editor or a validator"),
        ('{"$schema": "./schema.json", "source": …', "how a manifest names its schema"),
        ("home-persist schema settings", "the schema of the document that a template uploads"),
        ("home-persist schema status", "the schema of the output of 'home-persist status --json'"),
    )
)
@click.argument(
    "document",
    type=click.Choice(["manifest", "settings", *_COMMANDS, *_OF_OTHERS]),
    default="manifest",
    metavar="[DOCUMENT]",
)
def schema(document: str) -> None:
    """Print the JSON Schema of a document; by default, of manifests.

    DOCUMENT is manifest, settings, a command for the output of its --json ('attic list', 'ws-doctor',
    'ws-boot hooks'), or error for the output of --json when a command fails.

    The schema says which keys a document has and what each means. 'home-persist validate' also checks what
    a schema cannot express, for example that a path is below the home.
    """
    if document == "settings":
        render.say_json(settings.schema())
    elif document == "manifest":
        from coder_ws_runtime.persist.manifest import model  # noqa: PLC0415 - pydantic is slow to import

        render.say_json(model.schema())
    else:
        from coder_ws_runtime.cli import contract  # noqa: PLC0415 - as above

        render.say_json(contract.schema(document if document in _OF_OTHERS else f"home-persist {document}"))
