"""``home-persist attic``: the versions that were replaced, and how to get them back.

The three commands are in one module: they share how items are chosen, named and shown.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
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
from coder_ws_runtime.persist.manifest.entry import Entry, Scope
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.manifest.paths import in_shell, is_below
from coder_ws_runtime.persist.manifest.typed import typed, working_directory
from coder_ws_runtime.persist.reconcile.observe import glance
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_batch import digest_of, label_of, parse_batch
from coder_ws_runtime.persist.store.attic_bounds import Bounds, Expired, Space, to_prune
from coder_ws_runtime.persist.store.attic_items import (
    Contents,
    Item,
    contents,
    of_workspace,
    restore,
    restore_to_home,
)
from coder_ws_runtime.persist.store.attic_pruning import Pruned, prune
from coder_ws_runtime.text import plural

_DAY = 86400.0


@click.group(
    cls=commands.Group,
    epilog=commands.examples(
        ("home-persist attic list", "what is there"),
        ("home-persist attic restore ~/.npmrc", "put the newest copy back"),
    ),
)
def attic() -> None:
    """List the versions that were replaced, and put them back.

    Where home and volume both had content, one of them won; the other is kept here for 30 days, and so
    is what 'home-persist remove' took from the volume, what a program deleted, and what 'home-persist gc'
    collected. There are at most 50 versions of a file; together they take at most a tenth of the volume.
    """


_with_workspace = click.option(
    "--workspace",
    metavar="WORKSPACE",
    help="Of this workspace's own copies, by its id or name, e.g. of one that is gone.",
)


@attic.command(
    "list",
    short_help="List what is in the attic, the newest first.",
    epilog=commands.examples(
        ("home-persist attic list", "the owner's and this workspace's own, the newest first"),
        ("home-persist attic list ~/.claude", "each file that is there of it"),
        ("home-persist attic list --workspace old-one", "what another workspace had for itself"),
    ),
)
@click.argument("path", required=False, shell_complete=attic_path)
@_with_workspace
@click.option("--all", "every", is_flag=True, help="Of all workspaces.")
@commands.with_json
@commands.with_layout
def list_(layout: Layout, path: str | None, workspace: str | None, *, every: bool, as_json: bool) -> int:
    """List what is in the attic, the newest first; with PATH each file that is there of it.

    A batch is what one run put there: its name is the time in UTC, the workspace, and whose copies it has:
    the owner's, or one workspace's own.

    Exit status: 0 done, 1 something cannot be read, 2 wrong usage, 3 no usable volume.
    """
    values = settings.load(layout, os.environ)
    known = load_declarations(layout, values).entries
    with Session(layout, values, writing=False) as session:
        read = contents(session.volume)
        everything = found = read.items if every else _choose(session, read, known, workspace)
    wanted = _typed(layout, path, "list") if path else ""
    if wanted:
        found = _of(found, wanted)
    status = ExitStatus.REFUSED if read.problems else ExitStatus.DONE
    if as_json:
        errors = [error.as_dict() for error in read.problems]
        document = {"items": [_as_json(item) for item in found], "errors": errors}
        render.say_document("home-persist attic list", document)
        return status
    if wanted and found:
        lines = table(["BATCH", "PATH", "SIZE", "AGE", "WHY"], _each(found))
    elif found:
        lines = table(["BATCH", "PATH", "FILES", "SIZE", "AGE"], _rows(found, known))
    else:
        lines = [f"nothing of ~/{wanted} is in the attic" if wanted else "nothing is in the attic"]
        hint = render.nearest_path(wanted, [item.path for item in everything]) if wanted else ""
        lines += [hint] if hint else []
    for line in lines:
        render.say(line)
    for error in read.problems:
        render.complain(error)
    return status


def _choose(session: Session, read: Contents, known: Sequence[Entry], workspace: str | None) -> list[Item]:
    """What a command is about: the items of the owner and this workspace, or another workspace's own."""
    if workspace is None:
        own = [entry.path for entry in known if entry.scope is Scope.WORKSPACE]
        return of_workspace(read.items, session.id, session.settings.workspace.name, own)
    digest, label = digest_of(workspace), label_of(workspace)
    return [
        item
        for item in read.items
        if item.origin.scope != "owner"
        and (
            item.origin.workspace == digest
            or item.record.workspace == workspace
            or item.origin.label == label
        )
    ]


def _typed(layout: Layout, path: str, command: str) -> str:
    """The path relative to the home that the user means."""
    cwd = working_directory(os.environ.get("PWD", ""))
    return typed(path, layout.home, cwd, command=f"home-persist attic {command}")


def _of(found: Iterable[Item], path: str) -> list[Item]:
    return [item for item in found if item.path.rstrip("/") == path or is_below(item.path, path)]


def _as_json(item: Item) -> dict[str, Any]:
    record, winner = item.record, item.record.winner
    return {
        "batch": item.batch,
        "time": item.origin.time,
        "path": item.path,
        "size_bytes": item.size,
        "scope": item.origin.scope or None,
        "workspace": record.workspace or None,
        "workspace_name": item.origin.label,
        "reason": record.reason.value,
        "replaced_by": {"side": winner.side, "size_bytes": winner.size, "modified": winner.modified}
        if winner
        else None,
    }


def _rows(found: Iterable[Item], known: Sequence[Entry]) -> list[list[str]]:
    """The rows of a table, and what each is about: see `_groups`."""
    now = time.time()
    return [
        [
            batch,
            f"~/{path}",
            str(sum(not item.path.endswith("/") for item in listed)),
            render.size(sum(item.size for item in listed)),
            render.ago(now - parse_batch(batch).time),
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
    return [[*_columns(item), item.record.reason.text] for item in found]


def _columns(item: Item) -> list[str]:
    return [item.batch, f"~/{item.path}", render.size(item.size), render.ago(time.time() - item.origin.time)]


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
@_with_workspace
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Put what is there now into the attic in exchange, if PATH is declared.",
)
@commands.with_json
@commands.with_layout
def restore_(  # noqa: PLR0913 - one argument an option
    layout: Layout, path: str, batch: str | None, workspace: str | None, *, force: bool, as_json: bool
) -> None:
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
        everything = contents(session.volume)
        found = _choose(session, everything, known, workspace)
        entry = _declaring(known, found, wanted)
        if batch is None:
            batch = next((item.batch for item in _of(found, wanted)), "")
        else:
            _refuse_other_workspace(parse_batch(batch).name, found, everything.items, wanted)
        if not batch:
            near = render.nearest_path(wanted, [item.path for item in found])
            seen = glance(session, entry) if entry else None
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
        document = {"path": wanted, "batch": batch, "declared": entry is not None, "attic": exchanged or None}
        render.say_document("home-persist attic restore", document)
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


def _refuse_other_workspace(batch: str, found: Sequence[Item], everything: Sequence[Item], path: str) -> None:
    """Refuse a batch that has the path for another workspace only.

    Raises:
        RefusedError: that is so; the hint is how to get it all the same.
    """
    if any(item.batch == batch for item in found):
        return
    others = [item for item in everything if item.batch == batch]
    if not _of(others, path):
        return
    whose = others[0].record.workspace or others[0].origin.label
    raise RefusedError(
        f"batch {batch!r} has another workspace's own copy of it",
        code="attic.other-workspace",
        place=f"~/{path}",
        hint=f"to take that: home-persist attic restore --workspace {whose} --batch {batch} {in_shell(path)}",
    )


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
    short_help="Remove for good what is beyond the bounds.",
    epilog=commands.examples(
        ("home-persist attic prune", "what would be removed, and what is kept"),
        ("home-persist attic prune --older-than 7 --yes", "remove what is older than a week"),
        ("home-persist attic prune --versions 3 --yes", "keep three versions of each file"),
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
@click.option(
    "--versions",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    metavar="NUMBER",
    help="What a file has more versions than this goes, the oldest first.",
)
@_with_workspace
@click.option("--yes/--dry-run", " /-n", help="Do it, or only say it, which is the default.")
@commands.with_json
@commands.with_layout
def prune_(  # noqa: PLR0913 - one argument an option
    layout: Layout, older_than: float, versions: int, workspace: str | None, *, yes: bool, as_json: bool
) -> int:
    """Remove for good what is older than DAYS, or one of more than NUMBER versions of a file.

    All together may take a tenth of the volume, 4 GiB at most, and a twentieth of the volume should stay
    free: beyond that the oldest versions go that have a newer one here. home-persist does the same by
    itself, when something is added and when there is no room.

    Exit status: 0 done, 1 something cannot be read or removed, 2 wrong usage, 3 no usable volume.
    """
    if yes:
        refuse_root(layout)
    bounds = replace(Bounds(), age=older_than * _DAY, versions=versions)
    values = settings.load(layout, os.environ)
    with Session(layout, values, writing=yes) as session:
        now, space = time.time(), Space.of(session.volume)
        read = contents(session.volume)
        chosen = read.items if workspace is None else _choose(session, read, (), workspace)
        if yes:
            done = prune(session.volume, now, bounds, only=chosen)
        else:
            gone = to_prune(chosen, now, bounds, space)
            going = {id(one.item) for one in gone}
            done = Pruned(gone, [], [item for item in chosen if id(item) not in going])
    places = {one.place for one in done.problems}
    problems = [*done.problems, *(one for one in read.problems if one.place not in places)]
    if as_json:
        items = [{**_as_json(one.item), "cause": one.cause.value} for one in done.gone]
        errors = [error.as_dict() for error in problems]
        render.say_document("home-persist attic prune", {"done": yes, "items": items, "errors": errors})
    else:
        _say_pruned(done, bounds, space, done_already=yes)
        for error in problems:
            render.complain(error)
    return ExitStatus.REFUSED if problems else ExitStatus.DONE


def _say_pruned(done: Pruned, bounds: Bounds, space: Space, *, done_already: bool) -> None:
    if done.gone:
        rows = [[*_columns(one.item), _cause(one)] for one in done.gone]
        for line in table(["BATCH", "PATH", "SIZE", "AGE", "BECAUSE"], rows):
            render.say(line)
    if done.kept:
        oldest = render.ago(time.time() - done.kept[-1].origin.time)
        limit = f"{bounds.share:.0%} of the volume ({render.size(bounds.limit(space))})"
        limits = f"{bounds.age / _DAY:g} days, {bounds.versions} versions of a file, {limit}"
        render.say(
            f"kept: {_amount(done.kept)}, the oldest from {oldest}; the bounds are {limits};"
            " to remove more: --older-than, --versions"
        )
    if not done.gone:
        render.say("nothing to remove")
        return
    what = _amount([one.item for one in done.gone])
    render.say(f"removed: {what}" if done_already else f"would be removed: {what}; --yes does it")


_CAUSES = {
    "age": "too old",
    "versions": "too many versions",
    "share": "the attic is too large",
    "room": "no room",
}


def _cause(one: Expired) -> str:
    return _CAUSES[one.cause.value]


def _amount(found: Sequence[Item]) -> str:
    return f"{plural(len(found), 'file')}, {render.size(sum(item.size for item in found))}"
