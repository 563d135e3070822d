"""Select the items in the attic that a command is about, and show them."""

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

import click

from coder_ws_runtime.cli import render
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import Entry, Scope
from coder_ws_runtime.persist.manifest.paths import is_below
from coder_ws_runtime.persist.manifest.typed import typed, working_directory
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_batch import digest_of, label_of
from coder_ws_runtime.persist.store.attic_items import Contents, Item, of_workspace
from coder_ws_runtime.text import visible

with_workspace = click.option(
    "--workspace",
    metavar="WORKSPACE",
    help="This workspace's own copies: its ID or name, e.g. of a deleted one.",
)


def choose(session: Session, read: Contents, known: Sequence[Entry], workspace: str | None) -> list[Item]:
    """The items that a command is about: the owner's and this workspace's, or another workspace's own."""
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


def typed_path(layout: Layout, path: str, command: str) -> str:
    """The path relative to the home that the user means."""
    cwd = working_directory(os.environ.get("PWD", ""))
    return typed(path, layout.home, cwd, command=f"home-persist attic {command}")


def of_path(found: Iterable[Item], path: str) -> list[Item]:
    """The items at a path, relative to the home, and below it."""
    return [item for item in found if item.path.rstrip("/") == path or is_below(item.path, path)]


def item_as_json(item: Item) -> dict[str, Any]:
    """An item for the JSON documents: `AtticItem` of the contract."""
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


def columns(item: Item) -> list[str]:
    """The first columns of an item's row in a table: batch, path, size, age."""
    return [
        item.batch,
        f"~/{visible(item.path)}",
        render.size(item.size),
        render.ago(time.time() - item.origin.time),
    ]
