"""Record what the image brought to a path that cannot be linked: what comes later is a save."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress

from coder_ws_runtime.fs.anchored import open_directory, report_deep_nesting
from coder_ws_runtime.fs.errors import ChangedError, MountPointError
from coder_ws_runtime.identity import CopyRecord, Identity
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile.observation import Origin
from coder_ws_runtime.persist.reconcile.path_work import in_home, joined
from coder_ws_runtime.persist.session import Session


def note_brought(session: Session, entry: Entry) -> None:
    """Record the state of a path's content in the home, once for a container.

    When the path can be linked at last, what differs from the record is a program's save. Nothing is recorded
    if there was a link, if another process works on the path, or if some of the content cannot be seen: then
    all of it counts as the image's.
    """
    with suppress(OSError, ChangedError), session.ledger.lock(entry.path, wait=False):
        session.ledger.refresh()
        if session.ledger.link(entry.path) or session.ledger.is_awaited(entry.path):
            return
        known = session.ledger.copies(entry.path)
        found = {path: CopyRecord(its) for path, its in _content(session, entry) if path not in known}
        if found:
            session.ledger.note_copies(entry.path, found)
        session.ledger.note_awaited(entry.path)


@report_deep_nesting()
def _content(session: Session, entry: Entry) -> list[tuple[str, Identity]]:
    """Everything in it, by path within the entry. Raises OSError if some of it cannot be seen."""
    if session.home.status(in_home(entry, "", Origin.ASIDE)) is not None:
        raise ChangedError(entry.path)  # an interrupted run: the records are of what it set aside
    if session.home.status(entry.path) is None:
        return []
    with session.home.parent(entry.path) as (fd, name):
        return list(_below(fd, name, ""))


def _below(fd: int, name: str, path: str) -> Iterator[tuple[str, Identity]]:
    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    if not stat.S_ISDIR(found.st_mode):
        yield path, Identity.of(found)
        return
    try:
        opened = open_directory(name, fd)
    except MountPointError:
        if not path:  # what it hides is the image's, and cannot be seen
            raise
        return
    yield path, Identity.of(found)
    try:
        for inner in os.listdir(opened):
            yield from _below(opened, inner, joined(path, inner))
    finally:
        os.close(opened)
