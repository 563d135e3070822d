"""What the volume remembers about children, in ``.home-persist/children/known.json``.

Which ones each workspace has prepared, by its ID: another one waits for it. Which ones had their link on the
volume: content in its place came later. An unreadable file counts as empty.
"""

import json
from contextlib import suppress

from coder_ws_runtime.persist.manifest.entry import Child, Scope
from coder_ws_runtime.persist.manifest.files import children_file
from coder_ws_runtime.persist.session import Session

_VERSION = 1


def noted(session: Session) -> dict[str, list[str]]:
    """The children that each workspace has prepared, by its ID."""
    with suppress(OSError, ValueError, AttributeError, TypeError, KeyError):
        prepared = json.loads(children_file(session.layout).read_bytes())["prepared"]
        return {key: list(value) for key, value in prepared.items()}
    return {}


def linked(session: Session) -> list[str]:
    """The children whose link was on the volume: content in its place came later."""
    with suppress(OSError, ValueError, AttributeError, TypeError, KeyError):
        paths = json.loads(children_file(session.layout).read_bytes())["linked"]
        return [path for path in paths if isinstance(path, str)]
    return []


def note_prepared(session: Session, child: Child) -> None:
    """Record that this workspace has prepared its side. Raises OSError."""
    if not session.id or child.entry.path not in noted(session).get(session.id, []):
        _write(session, prepared=(child.entry.path,))


def note_linked(session: Session, child: Child) -> None:
    """Record that the link is on the volume. Raises OSError."""
    if child.parent.scope is Scope.OWNER and child.entry.path not in linked(session):
        _write(session, links=(child.entry.path,))


def _write(session: Session, *, prepared: tuple[str, ...] = (), links: tuple[str, ...] = ()) -> None:
    with session.volume.lock(".home-persist/children"):
        by_id, known = noted(session), {*linked(session), *links}
        if prepared:
            by_id.setdefault(session.id, []).extend(prepared)
        paths = sorted({path for own in by_id.values() for path in own})
        document = {"version": _VERSION, "paths": paths, "prepared": by_id, "linked": sorted(known)}
        session.volume.write("children/known.json", (json.dumps(document, indent=2) + "\n").encode())
