"""``home-persist attic``: what lost, and how to get it back."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import click

from coder_ws_runtime import settings
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.completion import attic_path
from coder_ws_runtime.cli.loading import refuse_root
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.errors import ExitStatus, RefusedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.manifest.paths import in_shell, is_below
from coder_ws_runtime.persist.manifest.typed import typed, working_directory
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_items import (
    Bounds,
    Item,
    batch_time,
    items,
    prune,
    restore,
    restore_to_home,
    to_prune,
)

_DAY = 86400.0


@click.group(
    cls=commands.Group,
    epilog=commands.examples(
        ("home-persist attic list", "what is there"),
        ("home-persist attic restore ~/.npmrc", "put the newest copy back"),
    ),
)
def attic() -> None:
    """See what lost against another copy, and put it back.

    Where home and volume both had content, one of them won; the other is kept here for 30 days, and so
    is what 'home-persist remove' took from the volume and what a program deleted.
    """


@attic.command(
    "list",
    short_help="List what is in the attic, the newest first.",
    epilog=commands.examples(
        ("home-persist attic list", "everything, the newest first"),
        ("home-persist attic list ~/.claude", "each file that is there of it"),
    ),
)
@click.argument("path", required=False, shell_complete=attic_path)
@commands.with_json
@commands.with_layout
def list_(layout: Layout, path: str | None, *, as_json: bool) -> None:
    """List what is in the attic, the newest first; with PATH each file that is there of it.

    A batch is what one run put there: its name is the time in UTC, and the workspace.
    """
    values = settings.load(layout, os.environ)
    with Session(layout, values, writing=False) as session:
        everything = found = items(session.volume)
    wanted = _typed(layout, path, "list") if path else ""
    if wanted:
        found = _of(found, wanted)
    if as_json:
        render.say_json({"version": 1, "items": [_as_json(item) for item in found]})
        return
    if not found:
        render.say(f"nothing of ~/{wanted} is in the attic" if wanted else "nothing is in the attic")
        hint = render.nearest_path(wanted, [item.path for item in everything]) if wanted else ""
        if hint:
            render.say(hint)
        return
    if wanted:
        lines = table(["BATCH", "PATH", "SIZE", "AGE"], _each(found))
    else:
        rows = _rows(found, load_declarations(layout, values).entries)
        lines = table(["BATCH", "PATH", "FILES", "SIZE", "AGE"], rows)
    for line in lines:
        render.say(line)


def _typed(layout: Layout, path: str, command: str) -> str:
    """The path relative to the home that the user means."""
    cwd = working_directory(os.environ.get("PWD", ""))
    return typed(path, layout.home, cwd, command=f"home-persist attic {command}")


def _of(found: Iterable[Item], path: str) -> list[Item]:
    return [item for item in found if item.path.rstrip("/") == path or is_below(item.path, path)]


def _as_json(item: Item) -> dict[str, Any]:
    return {"batch": item.batch, "time": batch_time(item.batch), "path": item.path, "size": item.size}


def _rows(found: Iterable[Item], known: Sequence[Entry]) -> list[list[str]]:
    """The rows of a table, and what each is about: see `_groups`."""
    now = time.time()
    return [
        [
            batch,
            f"~/{path}",
            str(sum(not item.path.endswith("/") for item in listed)),
            render.size(sum(item.size for item in listed)),
            render.ago(now - batch_time(batch)),
        ]
        for batch, path, listed in _groups(found, {entry.path for entry in known})
    ]


def _groups(found: Iterable[Item], declared_paths: set[str]) -> Iterator[tuple[str, str, list[Item]]]:
    """Batch, path and items of one row each.

    What is declared has one row in a batch. What is not (any more) has one for all that the batch has below
    one name of the home, called by the deepest directory that holds it.
    """
    for batch, items_ in groupby(found, key=lambda item: item.batch):
        groups: dict[tuple[str, bool], list[Item]] = {}
        for item in items_:
            parts = item.path.split("/")
            heads = ("/".join(parts[:length]) for length in range(1, len(parts) + 1))
            head = next((head for head in heads if head in declared_paths), "")
            groups.setdefault((head or parts[0], bool(head)), []).append(item)
        for (head, is_declared), listed in groups.items():
            path = head if is_declared else os.path.commonpath([item.path for item in listed])
            yield batch, path, listed


def _each(found: Iterable[Item]) -> list[list[str]]:
    now = time.time()
    return [
        [item.batch, f"~/{item.path}", render.size(item.size), render.ago(now - batch_time(item.batch))]
        for item in found
    ]


@attic.command(
    "restore",
    short_help="Put a path back on the volume.",
    epilog=commands.examples(
        ("home-persist attic restore ~/.npmrc", "the newest copy, if nothing is in its place"),
        ("home-persist attic restore --force ~/.npmrc", "in exchange for what is there now"),
        ("home-persist attic restore --batch 20260131T093000.000Z-dev ~/.npmrc", "an older one"),
    ),
)
@click.argument("path", shell_complete=attic_path)
@click.option("--batch", metavar="BATCH", help="From this batch; else from the newest that has the path.")
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Put what is there now into the attic in exchange, if PATH is declared.",
)
@commands.with_json
@commands.with_layout
def restore_(layout: Layout, path: str, batch: str | None, *, force: bool, as_json: bool) -> None:
    """Put PATH back on the volume, where the link in the home leads.

    If there is something in its place, nothing is done unless --force is given; then that goes to the
    attic, as a whole: a directory takes the place of the other and is not merged with it. What is not
    declared (any more) is copied into the home, onto nothing.

    Exit status: 0 done, 1 refused, 2 wrong usage, 3 no usable volume.
    """
    refuse_root(layout)
    wanted = _typed(layout, path, "restore")
    values = settings.load(layout, os.environ)
    known = load_declarations(layout, values).entries
    with Session(layout, values) as session:
        found = items(session.volume)
        entry = _declaring(known, found, wanted)
        if batch is None:
            batch = next((item.batch for item in _of(found, wanted)), "")
        if not batch:
            near = render.nearest_path(wanted, [item.path for item in found])
            seen = session.glance(entry) if entry else None
            if seen and seen.home is None and seen.volume:
                near = "its content is on the volume; home-persist resolve makes the link that is gone"
            raise RefusedError(
                "is not in the attic",
                code="attic.unknown",
                place=f"~/{wanted}",
                hint=near or "home-persist attic list shows what is",
            )
        exchanged = ""
        if entry:
            target = entry.on_volume + wanted.removeprefix(entry.path)
            exchanged = restore(session.attic, batch, wanted, target, force=force)
        else:
            restore_to_home(session.volume, session.home, batch, wanted)
    if as_json:
        document = {"path": wanted, "batch": batch, "kept": entry is not None, "attic": exchanged or None}
        render.say_json({"version": 1, **document})
        return
    if entry is None:
        render.say(
            f"~/{wanted}: copied into the home from {batch}; nothing declares it, so it is gone with this"
            f" container (to keep it: home-persist add {in_shell(wanted)})",
            {"path": wanted, "batch": batch},
        )
        return
    lost = f"; what was there is in the attic: {exchanged}" if exchanged else ""
    render.say(f"~/{wanted}: restored from {batch}{lost}", {"path": wanted, "batch": batch})


def _declaring(known: Sequence[Entry], found: Sequence[Item], path: str) -> Entry | None:
    """The entry that a path of the attic belongs to; None if nothing declares it.

    Raises:
        RefusedError: it is not one path of the volume, and not one of the home; the hint is what the user
            may have meant.
    """
    for entry in known:
        if path == entry.path or is_below(path, entry.path):
            return entry
    inner = [entry.path for entry in known if is_below(entry.path, path)]
    if inner and _of(found, path):
        has = [f"~/{other}" for other in inner if _of(found, other)]
        raise RefusedError(
            "is not declared, so it has no place on the volume",
            code="path.not-declared",
            place=f"~/{path}",
            hint=f"what is declared in it has one: {', '.join(has)}"
            if has
            else "restore its parts one by one",
        )
    return None


@attic.command(
    "prune",
    short_help="Remove for good what is old.",
    epilog=commands.examples(
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
@click.option("--yes/--dry-run", " /-n", help="Do it, or only say it, which is the default.")
@commands.with_json
@commands.with_layout
def prune_(layout: Layout, older_than: float, *, yes: bool, as_json: bool) -> int:
    """Remove for good what is older than DAYS, and what is beyond 1 GiB or 50 versions of a file.

    The daemon does the same by itself, with 30 days.
    """
    if yes:
        refuse_root(layout)
    bounds = Bounds(age=older_than * _DAY)
    with Session(layout, settings.load(layout, os.environ), writing=yes) as session:
        now = time.time()
        gone = prune(session.volume, now, bounds) if yes else to_prune(items(session.volume), now, bounds)
    if as_json:
        render.say_json({"version": 1, "done": yes, "items": [_as_json(item) for item in gone]})
        return ExitStatus.DONE
    for line in table(["BATCH", "PATH", "SIZE", "AGE"], _each(gone)) if gone else ():
        render.say(line)
    if not gone:
        render.say("nothing to remove")
        return ExitStatus.DONE
    what = f"{len(gone)} file{'' if len(gone) == 1 else 's'}, {render.size(sum(item.size for item in gone))}"
    render.say(f"removed: {what}" if yes else f"would be removed: {what}; --yes does it")
    return ExitStatus.DONE
