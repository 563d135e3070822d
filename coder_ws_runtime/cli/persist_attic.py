"""``home-persist attic``: what lost, and how to get it back."""

import os
import time
from collections.abc import Iterable
from itertools import groupby

import click

from coder_ws_runtime import settings
from coder_ws_runtime.cli import render
from coder_ws_runtime.cli.completion import any_path
from coder_ws_runtime.errors import ExitStatus, RefusedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.attic_items import Bounds, Item, batch_time, items, prune, restore
from coder_ws_runtime.persist.entries import Declared, Entry
from coder_ws_runtime.persist.manifest import declared
from coder_ws_runtime.persist.paths import is_below, normalise
from coder_ws_runtime.persist.resolve import Workspace

_DAY = 86400.0


@click.group(cls=render.Group)
def attic() -> None:
    """See what lost against another copy, and put it back.

    Where home and volume both had content, one of them won; the other is kept here for 30 days.
    """


@attic.command(
    "list",
    short_help="List what is in the attic, the newest first.",
    epilog=render.examples(
        ("home-persist attic list", "everything, the newest first"),
        ("home-persist attic list ~/.claude", "what is there of it"),
    ),
)
@click.argument("path", required=False, shell_complete=any_path)
@render.with_json
@render.with_layout
def list_(layout: Layout, path: str | None, *, as_json: bool) -> None:
    """List what is in the attic, the newest first; with PATH only what is there of it."""
    with Workspace(layout, settings.load(layout, os.environ)) as workspace:
        found = items(workspace.volume)
    if path:
        wanted = normalise(path, str(layout.home))
        found = [item for item in found if item.path == wanted or is_below(item.path, wanted)]
    if as_json:
        render.say_json(
            [{"batch": item.batch, "path": item.path, "size": item.size} for item in found],
        )
        return
    for line in render.table(["BATCH", "PATH", "FILES", "SIZE"], _rows(found, _entries(layout))):
        render.say(line)
    if not found:
        render.say("nothing is in the attic")


def _entries(layout: Layout) -> Declared:
    return declared(layout, settings.load(layout, os.environ))


def _rows(found: Iterable[Item], known: Declared) -> list[list[str]]:
    """One row per batch and declared path; what is not declared any more has a row per file."""
    paths = {entry.path for entry in known.entries}

    def key(item: Item) -> tuple[str, str]:
        parts = item.path.split("/")
        heads = ("/".join(parts[:length]) for length in range(1, len(parts) + 1))
        return item.batch, next((head for head in heads if head in paths), item.path)

    rows: list[list[str]] = []
    for (batch, path), group in groupby(found, key=key):
        listed = list(group)
        rows.append([batch, f"~/{path}", str(len(listed)), render.size(sum(item.size for item in listed))])
    return rows


@attic.command(
    "restore",
    short_help="Put a path back on the volume.",
    epilog=render.examples(
        ("home-persist attic restore ~/.npmrc", "the newest copy, if nothing is in its place"),
        ("home-persist attic restore --force ~/.npmrc", "in exchange for what is there now"),
    ),
)
@click.argument("path", shell_complete=any_path)
@click.option("--batch", help="From this batch; else from the newest that has the path.")
@click.option("-f", "--force", is_flag=True, help="Put what is there now into the attic in exchange.")
@render.with_layout
def restore_(layout: Layout, path: str, batch: str | None, *, force: bool) -> None:
    """Put PATH back on the volume, where the link in the home leads.

    If there is something in its place, nothing is done unless --force is given.
    """
    wanted = normalise(path, str(layout.home))
    entry = _declaring(_entries(layout), wanted)
    with Workspace(layout, settings.load(layout, os.environ)) as workspace:
        if batch is None:
            found = items(workspace.volume)
            batch = next((i.batch for i in found if i.path == wanted or is_below(i.path, wanted)), "")
        if not batch:
            raise RefusedError(
                "is not in the attic",
                code="attic.unknown",
                place=f"~/{wanted}",
                hint="home-persist attic list",
            )
        target = entry.on_volume + wanted.removeprefix(entry.path)
        restore(workspace.volume, batch, wanted, target, force=force)
    render.say(f"~/{wanted}: restored from {batch}", {"path": wanted, "batch": batch})


def _declaring(known: Declared, path: str) -> Entry:
    """The entry that a path belongs to."""
    for entry in known.entries:
        if path == entry.path or is_below(path, entry.path):
            return entry
    raise RefusedError(
        "is not declared, so it has no place on the volume",
        code="path.not-declared",
        place=f"~/{path}",
        hint=f"declare it first: home-persist add {path}",
    )


@attic.command(
    "prune",
    short_help="Remove for good what is old.",
    epilog=render.examples(
        ("home-persist attic prune", "what would be removed"),
        ("home-persist attic prune --older-than 7 --yes", "remove what is older than a week"),
    ),
)
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    default=30.0,
    show_default=True,
    metavar="DAYS",
    help="What is older goes.",
)
@click.option("--yes", is_flag=True, help="Do it; without this it is only said.")
@render.with_layout
def prune_(layout: Layout, older_than: float, *, yes: bool) -> int:
    """Remove for good what is older than DAYS, and what is beyond 1 GiB or 50 versions of a file.

    The daemon does the same by itself, with 30 days.
    """
    from coder_ws_runtime.persist.attic_items import to_prune  # noqa: PLC0415 - kept beside its use

    bounds = Bounds(age=older_than * _DAY)
    with Workspace(layout, settings.load(layout, os.environ)) as workspace:
        now = time.time()
        gone = prune(workspace.volume, now, bounds) if yes else to_prune(items(workspace.volume), now, bounds)
    for item in gone:
        age = (now - batch_time(item.batch)) / _DAY
        render.say(f"{item.batch} ~/{item.path} ({age:.0f} days, {render.size(item.size)})")
    word = "removed" if yes else "would be removed; --yes does it"
    render.say(f"{len(gone)} file{'' if len(gone) == 1 else 's'} {word}")
    return ExitStatus.DONE
