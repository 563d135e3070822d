"""Links to what another workspace of the owner removed while this one was not running.

It did so by `home-persist remove`, which leaves the volume's copy for workspaces that are running, or by a
migration. The content of a link in any other workspace is in the attic then, and nothing declares the path.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.errors import BusyError, ChangedError
from coder_ws_runtime.persist.manifest.entry import DETOURS, Declarations, Entry, Kind, Scope
from coder_ws_runtime.persist.manifest.paths import in_shell, is_below
from coder_ws_runtime.persist.reconcile.event import Fate
from coder_ws_runtime.persist.reconcile.observe import node
from coder_ws_runtime.persist.reconcile.refusals import changing_error
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic import DIRECTORY, in_attic, versions
from coder_ws_runtime.persist.store.attic_records import Reason, Records
from coder_ws_runtime.persist.store.failures import failure_of


def find_removed(session: Session, found: Declarations) -> Iterator[Entry]:
    """The paths that this container has linked, and that another workspace removed since. Changes nothing.

    A path at which the home has other content now is none of them.
    """
    for entry in _removed(session, found):
        with suppress(OSError):
            there = session.home.status(entry.path) is not None
            if not there or _is_link(session, entry.path, session.ledger.link(entry.path)):
                yield entry


def _removed(session: Session, found: Declarations) -> Iterator[Entry]:
    """The same, whatever the home has at the path."""
    declared = {entry.path for entry in found.entries}
    root, volume = f"{session.volume.path}/", session.volume.anchor
    for path, link in session.ledger.links().items():
        if path in declared or path.startswith(f"{DETOURS}/") or not link.startswith(root):
            continue
        place = link.removeprefix(root)
        with suppress(OSError):
            gone = volume.status(place) is None and in_attic(volume, place, session.settings.workspace.name)
            if gone and not any(is_below(path, one) for one in declared):
                yield Entry(path, Kind.FILE, Scope.OWNER, "", "", place)


def fill_renamed_links(session: Session, found: Declarations) -> Iterator[UserError]:
    """Give links to such paths that a program had renamed their content; yields what is to be reported."""
    removed = {
        entry.path: entry
        for entry in _removed(session, found)
        if session.ledger.left(entry.path) in ("", Fate.NONE.value)
    }
    if not removed:
        return
    from coder_ws_runtime.persist.dangling_links import fill_renamed  # noqa: PLC0415 - it is rare

    try:
        for entry, place in fill_renamed(session, removed):
            yield RefusedError(
                f"another workspace removed it ({_by(session, entry)}), so it is no longer kept;"
                f" ~/{place}, to which the link was renamed, has what was removed",
                code="path.removed-elsewhere",
                place=f"~/{entry.path}",
                hint=f"to keep it again: home-persist add {in_shell(entry.path)}",
            )
    except (BusyError, ChangedError) as changed:
        yield changing_error(str(changed))
    except OSError as error:
        yield failure_of("~", error)


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
    return RefusedError(
        f"another workspace removed it ({_by(session, entry)}), so it is no longer kept; the attic has it",
        code="path.removed-elsewhere",
        place=f"~/{entry.path}",
        hint=f"to copy it into this home: home-persist attic restore {path}; then, to keep it again:"
        f" home-persist add {path}",
    )


def _by(session: Session, entry: Entry) -> str:
    """What removed it, by the record of the newest version in the attic."""
    volume = session.volume.anchor
    newest = next(versions(volume, entry.on_volume, session.settings.workspace.name), "")
    batch = newest.removeprefix(f"{DIRECTORY}/").partition("/")[0]
    by_migration = Records(volume, batch).of(entry.path).reason is Reason.MIGRATED
    return "a migration" if by_migration else "home-persist remove"
