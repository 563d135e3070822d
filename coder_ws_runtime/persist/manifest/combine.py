"""Combine declarations of the same path or of nested paths. Pure."""

from collections.abc import Iterable

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.manifest.entry import (
    NO_WORKSPACE_ID,
    WORKSPACE_ID_HINT,
    Child,
    Entry,
    Kind,
    Scope,
)
from coder_ws_runtime.persist.manifest.paths import is_below


@dataclass(frozen=True, slots=True)
class Combined:
    """The declarations that apply."""

    entries: list[Entry]
    """One per path, parents before children; none is below another."""
    children: list[Child]
    """Directories below an entry that are each workspace's own, or not kept."""
    refused: list[RefusedError]


def combine(found: Iterable[Entry], below: Iterable[Entry] = ()) -> Combined:
    """Remove duplicates and paths that others cover, and separate children.

    If a path is declared twice with the same scope, the first declaration counts. A path below a directory
    with the same scope is covered by it. A directory with the scope 'workspace' below one of the owner's is a
    child. Everything else that overlaps is refused: a link inside another entry's target would be on the
    volume.

    Args:
        found: what to keep, in the order of the sources.
        below: directories that count only as children, below an entry; those without a place on the volume
            are not kept.
    """
    refused: list[RefusedError] = []
    first = _first_of_each(found, refused)
    kept: dict[str, Entry] = {}
    children: dict[str, Child] = {}
    for path in sorted(first, key=lambda path: path.split("/")):
        entry = first[path]
        parent = _find_parent(path, kept)
        if parent is None and entry.on_volume:
            kept[path] = entry
        elif parent is None:
            refused.append(_no_id(entry))
        elif _is_child(entry, parent) and not _find_parent(path, _entries(children)):
            children[path] = Child(entry, parent)
        else:
            refused += _overlap(entry, parent, _find_parent(path, _entries(children)))
    for entry in below:
        parent = _find_parent(entry.path, kept)
        covered = entry.path in children or _find_parent(entry.path, _entries(children))
        if parent is None or parent.kind is Kind.FILE or covered:
            continue
        if parent.scope is Scope.OWNER or not entry.on_volume:
            children[entry.path] = Child(entry, parent)
    return Combined(list(kept.values()), list(children.values()), refused)


def _entries(children: dict[str, Child]) -> dict[str, Entry]:
    return {path: child.entry for path, child in children.items()}


def _no_id(entry: Entry) -> RefusedError:
    what = f"path {entry.path!r} has the scope 'workspace', but the workspace's ID is not known"
    return RefusedError(what, code=NO_WORKSPACE_ID, place=entry.place, hint=WORKSPACE_ID_HINT)


def _first_of_each(found: Iterable[Entry], refused: list[RefusedError]) -> dict[str, Entry]:
    first: dict[str, Entry] = {}
    for entry in found:
        known = first.setdefault(entry.path, entry)
        if known is entry:
            continue
        if known.scope is not entry.scope:
            refused.append(_conflict(entry, known, f"is declared with the scope '{known.scope.value}'"))
        elif known.kind is not entry.kind:
            refused.append(_conflict(entry, known, f"is declared as a {known.kind.value}"))
    return first


def _find_parent(path: str, kept: dict[str, Entry]) -> Entry | None:
    parts = path.split("/")
    for length in range(1, len(parts)):
        parent = kept.get("/".join(parts[:length]))
        if parent is not None and is_below(path, parent.path):
            return parent
    return None


def _is_child(entry: Entry, parent: Entry) -> bool:
    """Whether a directory is each workspace's own below one that they share."""
    return parent.scope is Scope.OWNER and entry.scope is Scope.WORKSPACE and entry.kind is parent.kind


def _overlap(entry: Entry, parent: Entry, child: Entry | None) -> list[RefusedError]:
    """Why a path that is below another is refused; nothing if the other one covers it."""
    nearest = child or parent
    if parent.kind is Kind.FILE:
        return [_conflict(entry, parent, f"is below {parent.path!r}, which is declared as a file")]
    if nearest.scope is entry.scope:
        return []
    error = _conflict(
        entry, nearest, f"is below {nearest.path!r}, which has the scope '{nearest.scope.value}'"
    )
    if nearest.scope is Scope.OWNER:
        error.hint = f"only a directory can be each workspace's own there: '{entry.path}/', or one above it"
    return [error]


def _conflict(entry: Entry, known: Entry, why: str) -> RefusedError:
    return RefusedError(
        f"path {entry.path!r} {why} in {known.place}",
        code="manifest.conflict",
        place=entry.place,
        hint="declare it once, or with the same scope and kind",
    )
