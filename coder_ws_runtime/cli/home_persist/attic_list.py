"""``home-persist attic list``."""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import click

from coder_ws_runtime import settings
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.completion import attic_path
from coder_ws_runtime.cli.home_persist.attic_selection import (
    choose,
    columns,
    item_as_json,
    of_path,
    typed_path,
    with_workspace,
)
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.errors import ExitStatus
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_batch import parse_batch
from coder_ws_runtime.persist.store.attic_items import (
    Item,
    contents,
)
from coder_ws_runtime.text import visible


@click.command(
    "list",
    short_help="List what is in the attic, newest first.",
    epilog=commands.examples(
        ("home-persist attic list", "the owner's versions and this workspace's own, newest first"),
        ("home-persist attic list ~/.claude", "each file below this path"),
        ("home-persist attic list --workspace old-one", "another workspace's own versions"),
    ),
)
@click.argument("path", required=False, shell_complete=attic_path)
@with_workspace
@click.option("--all", "every", is_flag=True, help="Versions of all workspaces.")
@commands.with_json
@commands.with_layout
def list_(layout: Layout, path: str | None, workspace: str | None, *, every: bool, as_json: bool) -> int:
    """List what is in the attic, newest first; with PATH, each file at or below it.

    A batch is what one run added. Its name has the time in UTC, the workspace, and whose copies these are:
    the owner's, or one workspace's own.

    Exit status: 0 done, 1 something cannot be read, 2 wrong usage, 3 no usable volume.
    """
    values = settings.load(layout, os.environ)
    known = load_declarations(layout, values).entries
    with Session(layout, values, writing=False) as session:
        read = contents(session.volume)
        everything = found = read.items if every else choose(session, read, known, workspace)
    wanted = typed_path(layout, path, "list") if path else ""
    if wanted:
        found = of_path(found, wanted)
    status = ExitStatus.REFUSED if read.problems else ExitStatus.DONE
    if as_json:
        errors = [error.as_dict() for error in read.problems]
        document = {"items": [item_as_json(item) for item in found], "errors": errors}
        render.say_document("home-persist attic list", document)
        return status
    if wanted and found:
        lines = table(["BATCH", "PATH", "SIZE", "AGE", "WHY"], _each(found))
    elif found:
        lines = table(["BATCH", "PATH", "FILES", "SIZE", "AGE"], _rows(found, known))
    else:
        lines = [_nothing(wanted, workspace, read.items)]
        hint = render.nearest_path(wanted, [item.path for item in everything]) if wanted else ""
        lines += [hint] if hint else []
    for line in lines:
        render.say(line)
    for error in read.problems:
        render.complain(error)
    return status


def _nothing(wanted: str, workspace: str | None, everything: Sequence[Item]) -> str:
    """What to say if nothing is listed."""
    if wanted:
        return f"the attic has nothing of ~/{visible(wanted)}"
    if not everything:
        return "the attic is empty"
    whose = f"the workspace {workspace!r}" if workspace else "this workspace"
    return f"the attic has nothing of {whose}; home-persist attic list --all shows the rest"


def _rows(found: Iterable[Item], known: Sequence[Entry]) -> list[list[str]]:
    """The rows of a table, and what each is about: see `_groups`."""
    now = time.time()
    return [
        [
            batch,
            f"~/{visible(path)}",
            str(sum(not item.path.endswith("/") for item in listed)),
            render.size(sum(item.size for item in listed)),
            render.ago(now - parse_batch(batch).time),
        ]
        for batch, path, listed in _groups(found, {entry.path for entry in known})
    ]


def _groups(found: Iterable[Item], declared_paths: set[str]) -> Iterator[tuple[str, str, list[Item]]]:
    """Batch, path and items of each row.

    A declared path has one row per batch. Other items have one row for each name at the top of the home, with
    the deepest directory that contains all of them.
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
    return [[*columns(item), item.record.reason.text] for item in found]
