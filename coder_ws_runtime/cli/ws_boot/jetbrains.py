"""``ws-boot jetbrains``."""

import time
from collections.abc import Iterable, Iterator
from typing import Any

import click

from coder_ws_runtime.boot.jetbrains.backends import Choice, backends, choose, measured, remove
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.loading import refuse_root, workspace_settings
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.cli.ws_boot.jetbrains_step import STEP, run
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.store.lease import held_elsewhere
from coder_ws_runtime.text import plural

_BUDGET = 3.0
"""Seconds for measuring sizes."""


@click.group(
    "jetbrains",
    cls=commands.Group,
    invoke_without_command=True,
    epilog=commands.examples(
        ("ws-boot jetbrains", "set up IDEs that were added since the start"),
        ("ws-boot jetbrains list", "list the IDEs on the volume, with their sizes"),
        ("ws-boot jetbrains prune --keep 1", "remove the older ones"),
    ),
)
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing; show what would be done.")
@commands.with_json
@commands.with_layout
@click.pass_context
def jetbrains(context: click.Context, layout: Layout, *, dry_run: bool, as_json: bool) -> int | None:
    """Set up JetBrains IDEs and Toolbox.

    This sets where Toolbox finds IDEs, and whether it may update them. It sets up each IDE to keep settings
    and plugins on the volume, and caches and logs in /tmp/jetbrains. It removes caches and logs from the
    volume, and locks of IDEs whose container no longer exists, unless another workspace of yours is
    running. Your own lines and keys are kept.

    Exit status: 0 done, 1 some files were refused, 2 wrong usage, 3 no usable volume.
    """
    if not commands.has_no_subcommand(context):
        return None
    return run(layout, dry_run=dry_run, as_json=as_json)


@jetbrains.command(
    "list",
    epilog=commands.examples(
        ("ws-boot jetbrains list", "list the IDEs on the volume, with their sizes"),
        ("ws-boot jetbrains list --json", "for programs"),
    ),
)
@commands.with_json
@commands.with_layout
def list_backends(layout: Layout, *, as_json: bool) -> None:
    """List the IDE backends on the volume, and the size of each.

    A size that begins with '>' was not measured completely: it is at least that much.
    """
    found = [choice.backend for choice in choose(backends(layout), 1)]
    until = time.monotonic() + _BUDGET
    usages = [measured(backend, until=until) for backend in found]
    if as_json:
        items = [
            {
                "path": str(backend.path),
                "product": backend.product,
                "name": backend.name,
                "version": backend.version,
                "build": list(backend.build),
                "used": backend.used,
                "size_bytes": usage and usage.size,
                "size_complete": usage and usage.complete,
            }
            for backend, usage in zip(found, usages, strict=True)
        ]
        render.say_document("ws-boot jetbrains list", {"backends": items})
        return
    if not found:
        render.say(f"no IDE backends in {layout.jetbrains_dist}")
        return
    rows = [
        [
            backend.title,
            ".".join(map(str, backend.build)),
            render.usage(usage),
            "in use" if backend.used else "",
            str(backend.path),
        ]
        for backend, usage in zip(found, usages, strict=True)
    ]
    for line in table(["IDE", "BUILD", "SIZE", "", "DIRECTORY"], rows):
        render.say(line)


@jetbrains.command(
    epilog=commands.examples(
        ("ws-boot jetbrains prune --keep 1 --dry-run", "show what would be removed"),
        ("ws-boot jetbrains prune --keep 1", "remove all but the newest of each IDE"),
    ),
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    required=True,
    metavar="N",
    help="How many versions of each IDE to keep.",
)
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing; show what would be removed.")
@commands.with_json
@commands.with_layout
def prune(layout: Layout, *, keep: int, dry_run: bool, as_json: bool) -> None:
    """Remove old IDE backends from the volume.

    This keeps the N newest builds of each product, and those that run in this workspace. While another
    workspace of yours is running, it removes nothing: an IDE there may run from the same files.

    Exit status: 0 done, 1 something was not removed, 2 wrong usage.
    """
    refuse_root(layout)
    values, _ = workspace_settings(layout)
    choices = choose(backends(layout), keep)

    def others() -> list[str]:
        return held_elsewhere(layout.volume, values.workspace.id)

    if not as_json:
        for choice in choices:
            if choice.keep:
                render.say(f"keep    {choice.backend.title} ({choice.reason})")
    freed: list[int] = []
    for choice, size in _to_remove(choices) if dry_run else remove(layout, choices, others=others):
        freed.append(size)
        if not as_json:
            _say_pruned(choice, size, dry_run=dry_run)
    if dry_run and freed and others():
        render.warn("another workspace of yours is running: nothing is removed until it stops", STEP)
    if as_json:
        items = [_choice_as_json(choice) for choice in choices]
        document = {"dry_run": dry_run, "freed_bytes": sum(freed), "backends": items}
        render.say_document("ws-boot jetbrains prune", document)
    elif choices:
        render.say(_freed(freed, dry_run=dry_run))
    else:
        render.say(f"no IDE backends in {layout.jetbrains_dist}")


def _freed(sizes: list[int], *, dry_run: bool) -> str:
    if not sizes:
        return "nothing to remove"
    verb = "would be removed" if dry_run else "removed"
    return f"{verb}: {plural(len(sizes), 'IDE')}, {render.size(sum(sizes))}"


def _to_remove(choices: Iterable[Choice]) -> Iterator[tuple[Choice, int]]:
    for choice in choices:
        usage = None if choice.keep else measured(choice.backend)
        if usage:
            yield choice, usage.size


def _say_pruned(choice: Choice, size: int, *, dry_run: bool) -> None:
    fields = {**STEP, "path": choice.backend.path, "bytes": size}
    what = f"{choice.backend.title}: {render.size(size)} ({choice.reason})"
    render.say(f"{'would remove' if dry_run else 'removed'} {what}", fields)


def _choice_as_json(choice: Choice) -> dict[str, Any]:
    return {
        "path": str(choice.backend.path),
        "product": choice.backend.product,
        "version": choice.backend.version,
        "keep": choice.keep,
        "message": choice.reason,
    }
