"""Managed links that a program renamed, and whose content another workspace removed before a run saw that.

As after `sed -i.bak` here, and `home-persist remove` there: the backup is a link to what the volume no longer
has. It gets a copy of the content from the attic, as it would have got one from the volume.
"""

import os
from collections.abc import Iterator, Mapping

from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import sync_directory
from coder_ws_runtime.fs.copying import copy
from coder_ws_runtime.fs.errors import ChangedError
from coder_ws_runtime.fs.removing import remove_tree
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile.event import Fate
from coder_ws_runtime.persist.reconcile.observe import node
from coder_ws_runtime.persist.renames import find_renames
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic import versions
from coder_ws_runtime.persist.store.copies_in_home import copying
from coder_ws_runtime.persist.store.names import COPY_SUFFIX, SWAP_SUFFIX, sibling_name


def fill_renamed(session: Session, removed: Mapping[str, Entry]) -> Iterator[tuple[Entry, str]]:
    """Replace renamed links by copies from the attic. Each path is searched for once.

    Args:
        session: home and volume, opened.
        removed: what the volume no longer has, by path, with its former place there.

    Yields:
        What was removed, and the path in the home that has its content now.

    Raises:
        ChangedError, OSError: from the file systems.
    """
    places = find_renames(session, removed)
    for path, entry in removed.items():
        if path in places:
            _fill(session, entry, places[path])
            yield entry, places[path]
        session.ledger.note_left(path, Fate.DEPARTED.value)


def _fill(session: Session, entry: Entry, path: str) -> None:
    """Replace the link at a path of the home by the newest version in the attic."""
    volume, ledger = session.volume.anchor, session.ledger
    newest = next(versions(volume, entry.on_volume, session.settings.workspace.name))
    with (
        session.home.parent(path) as (fd, name),
        volume.parent(newest) as source,
        copying((fd, name), path, ledger, session.attic, entry.on_volume),
    ):
        partial, whole = sibling_name(name, COPY_SUFFIX), sibling_name(name, SWAP_SUFFIX)
        try:
            copy(source, (fd, partial), refuse_writers=False, progress=session.monitor.advance)
            kernel.rename_new(fd, partial, fd, whole)
        except BaseException:
            remove_tree(fd, partial)
            raise
        kernel.swap(fd, whole, fd, name)
        found = node(fd, whole)
        if found is None or found.target != ledger.link(entry.path):
            kernel.swap(fd, whole, fd, name)  # something else has taken the name
            raise ChangedError(path)
        os.unlink(whole, dir_fd=fd)
        sync_directory(fd)
