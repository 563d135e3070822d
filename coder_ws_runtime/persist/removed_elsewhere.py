"""Links to what another workspace of the owner removed while this one was not running.

It did so by `home-persist remove`, which leaves the volume's copy for workspaces that are running, or by a
migration. The content of a link in any other workspace is in the attic then, and nothing declares the path.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.persist.manifest.entry import DETOURS, Declarations, Entry, Kind, Scope
from coder_ws_runtime.persist.manifest.paths import in_shell, is_below
from coder_ws_runtime.persist.reconcile.observe import node
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic import DIRECTORY, in_attic, versions
from coder_ws_runtime.persist.store.attic_records import Reason, Records


def find_removed(session: Session, found: Declarations) -> Iterator[Entry]:
    """The paths that this container has linked, and that another workspace removed since. Changes nothing."""
    declared = {entry.path for entry in found.entries}
    root = f"{session.volume.path}/"
    for path, link in session.ledger.links().items():
        if path in declared or path.startswith(f"{DETOURS}/") or not link.startswith(root):
            continue
        place = link.removeprefix(root)
        with suppress(OSError):
            if _is_removed(session, path, link, place) and not any(is_below(path, one) for one in declared):
                yield Entry(path, Kind.FILE, Scope.OWNER, "", "", place)


def _is_removed(session: Session, path: str, link: str, place: str) -> bool:
    """Whether the home has nothing but our link, the volume nothing, and the attic a copy."""
    if session.home.status(path) is not None and not _is_link(session, path, link):
        return False
    volume = session.volume.anchor
    return volume.status(place) is None and in_attic(volume, place, session.settings.workspace.name)


def _is_link(session: Session, path: str, link: str) -> bool:
    with session.home.parent(path) as (fd, name):
        found = node(fd, name)
    return found is not None and found.target == link


def drop_removed_link(session: Session, entry: Entry) -> None:
    """Remove the link, which leads nowhere. The ledger keeps it: `find_removed` still reports the path."""
    link = session.ledger.link(entry.path)
    with session.ledger.lock(entry.path, wait=True), suppress(OSError):
        if _is_link(session, entry.path, link):
            with session.home.parent(entry.path) as (fd, name):
                os.unlink(name, dir_fd=fd)


def removed_elsewhere(session: Session, entry: Entry) -> UserError:
    """What happened, and how to get the content back."""
    path = in_shell(entry.path)
    by = "a migration" if _reason(session, entry) is Reason.MIGRATED else "home-persist remove"
    return RefusedError(
        f"another workspace removed it ({by}), so it is no longer kept; the attic has it",
        code="path.removed-elsewhere",
        place=f"~/{entry.path}",
        hint=f"to copy it into this home: home-persist attic restore {path}; then, to keep it again:"
        f" home-persist add {path}",
    )


def _reason(session: Session, entry: Entry) -> Reason:
    """Why the attic has the newest version."""
    volume = session.volume.anchor
    newest = next(versions(volume, entry.on_volume, session.settings.workspace.name), "")
    batch = newest.removeprefix(f"{DIRECTORY}/").partition("/")[0]
    return Records(volume, batch).of(entry.path).reason
