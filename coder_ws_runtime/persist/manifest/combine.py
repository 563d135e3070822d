"""Several declarations of the same or of nested paths. Pure."""

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.manifest.paths import is_below


def combined(found: list[Entry]) -> tuple[list[Entry], list[RefusedError]]:
    """One entry per path, parents before children; duplicates and covered children are dropped.

    The same path twice with the same scope is one entry, the first; a child of a directory with the
    same scope is covered by it. Everything else that overlaps is refused: a link inside another
    entry's target would lie on the volume.
    """
    refused: list[RefusedError] = []
    first: dict[str, Entry] = {}
    for entry in found:
        known = first.setdefault(entry.path, entry)
        if known is entry:
            continue
        if known.scope is not entry.scope:
            refused.append(_conflict(entry, known, f"is declared with the scope '{known.scope.value}'"))
        elif known.kind is not entry.kind:
            refused.append(_conflict(entry, known, f"is declared as a {known.kind.value}"))
    kept: dict[str, Entry] = {}
    for path in sorted(first, key=lambda path: path.split("/")):
        entry = first[path]
        parent = _parent(path, kept)
        if parent is None:
            kept[path] = entry
        elif parent.kind is Kind.FILE:
            refused.append(
                _conflict(entry, parent, f"lies below {parent.path!r}, which is declared as a file")
            )
        elif parent.scope is not entry.scope:
            below = f"lies below {parent.path!r}, which has the scope '{parent.scope.value}'"
            refused.append(_conflict(entry, parent, below))
    return list(kept.values()), refused


def _parent(path: str, kept: dict[str, Entry]) -> Entry | None:
    parts = path.split("/")
    for length in range(1, len(parts)):
        parent = kept.get("/".join(parts[:length]))
        if parent is not None and is_below(path, parent.path):
            return parent
    return None


def _conflict(entry: Entry, known: Entry, why: str) -> RefusedError:
    return RefusedError(
        f"path {entry.path!r} {why} in {known.place}",
        code="manifest.conflict",
        place=entry.place,
        hint="declare it once, or with the same scope and kind",
    )
