"""Observe a declared path of an open workspace: quickly, or with all its content. Changes nothing."""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.fs.errors import BlockedPathError
from coder_ws_runtime.fs.parents import Parents
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.reconcile.event import NO_EVENT, Fate, LinkEvent
from coder_ws_runtime.persist.reconcile.observation import (
    Difference,
    Node,
    Observation,
    Origin,
    Pair,
    kind_of,
)
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.names import aside_name

_FATES = frozenset(fate.value for fate in Fate)


def origin_name(origin: Origin, name: str) -> str:
    """The name of one origin of content, in the home's directory."""
    return name if origin is Origin.HOME else aside_name(name)


def look(
    session: Session, entry: Entry, event: LinkEvent = NO_EVENT, *, refuse_writers: bool = True
) -> Observation:
    """What there is at one path.

    Args:
        session: home and volume, opened.
        entry: what is declared.
        event: what the kernel reported about the link.
        refuse_writers: refuse content that a program has open for writing.

    Raises:
        BlockedPathError: a component of its path is a file, or a symlink on the volume.
        RefusedError: it is a database, and its last changes are in a file next to it.
        BusyError: a program has a file of the home open for writing.
        ChangedError: it changed while we looked at it.
        OSError: from the file systems.
    """
    session.ledger.refresh()
    root = f"{session.home.path}/{entry.path}"

    def content(fd: int, name: str) -> tuple[Pair, ...]:
        from coder_ws_runtime.persist.reconcile.compare import compare  # noqa: PLC0415 - most paths are links

        return compare((fd, name), session.volume.anchor, entry, root=root, refuse_writers=refuse_writers)

    looked = _look(session, entry, content, session.home, session.volume.anchor)
    looked = _explained(session, entry, event, looked)
    home = looked.home
    is_content = home is not None and home.kind is not Kind.LINK and looked.mounted is None
    if looked.aside is None and not is_content:
        return looked
    if refuse_writers and looked.aside is None and home is not None and home.kind is Kind.FILE:
        from coder_ws_runtime.persist.reconcile.database import refuse_journal  # noqa: PLC0415 - as above

        with session.home.parent(entry.path) as (fd, name):
            refuse_journal(fd, name, entry.path)
    if looked.pairs:
        records = session.ledger.copies(entry.path)
        looked = replace(looked, records=records, links_inside=_links_inside(session, entry, looked))
    if looked.renamed_away and _is_back(session, entry, looked):
        looked = replace(looked, renamed_away=False)
    return looked


def _links_inside(session: Session, entry: Entry, looked: Observation) -> tuple[str, ...]:
    """The links of this container below a path that are replaced, or lead where the path's own link leads."""
    content = looked.aside or looked.home
    if content is not None and content.kind is Kind.FILE:  # thousands of links need not be looked through
        return ()
    above = f"{entry.path}/"
    return tuple(
        path.removeprefix(above)
        for path, text in session.ledger.links(above).items()
        if text == f"{looked.link}/{path.removeprefix(above)}" or not _is_link(session, path)
    )


def _is_link(session: Session, path: str) -> bool:
    found = node_at(session.home, path)
    return found is not None and found.kind is Kind.LINK


def _is_back(session: Session, entry: Entry, looked: Observation) -> bool:
    """Whether the home has what the volume has, and nothing else: what was renamed away came back."""
    from coder_ws_runtime.fs.usage import measure  # noqa: PLC0415 - it is rare

    if any(pair.difference is not Difference.SAME for pair in looked.pairs):
        return False
    with (
        session.home.parent(entry.path) as mine,
        session.volume.anchor.parent(entry.on_volume) as its,
    ):
        return measure(*mine).files == measure(*its).files


def glance(
    session: Session,
    entry: Entry,
    event: LinkEvent = NO_EVENT,
    parents: tuple[Parents, Parents] | None = None,
) -> Observation:
    """As `look`, without the content, and as the ledger was when it was read last.

    Quick, and no basis for a plan of copies.

    Args:
        session: home and volume, opened.
        entry: what is declared.
        event: what the kernel reported about the link.
        parents: of the home and of the volume, from a look at another path.
    """
    home, volume = parents or (session.home, session.volume.anchor)
    seen = _look(session, entry, lambda _fd, _name: (), home, volume)
    return _explained(session, entry, event, seen)


def _explained(session: Session, entry: Entry, event: LinkEvent, seen: Observation) -> Observation:
    """An observation with what the ledger and an event said about the link, and whether the daemon runs."""
    if session.relink and seen.left is not Fate.NONE:
        seen = replace(seen, left=Fate.NONE)
    if event.fate is Fate.MOVED:
        seen = replace(seen, new_name=node_at(session.home, event.path))
    is_absent = seen.home is None or seen.home.kind is Kind.LINK
    if is_absent and seen.volume is None and entry.kind is Kind.FILE:
        seen = replace(seen, watched=session.watched)
    return seen


def _look(
    session: Session,
    entry: Entry,
    content: Callable[[int, str], tuple[Pair, ...]],
    home: Anchor | Parents,
    volume: Anchor | Parents,
) -> Observation:
    ledger, root = session.ledger, session.volume.anchor.path
    volume_node, volume_parent = _on_volume(volume, entry.on_volume)
    left = _fate(ledger.left(entry.path))
    observed = partial(
        Observation,
        link=f"{root}/{entry.on_volume}",
        volume_root=str(root),
        volume=volume_node,
        recorded=ledger.link(entry.path),
        left=left,
        renamed_away=left in (Fate.MOVED, Fate.DEPARTED),
        awaited=ledger.is_awaited(entry.path),
        volume_parent=volume_parent,
    )
    try:
        with home.parent(entry.path) as (fd, name):
            at_home, aside = node(fd, name), node(fd, aside_name(name))
            if aside is not None:
                return observed(home=at_home, aside=aside, pairs=content(fd, aside_name(name)))
            if at_home is None or at_home.kind is Kind.LINK:
                return _link(entry, observed(home=at_home))
            mount = _mounted(session, entry, (fd, name), at_home)
            # What is mounted is not moved, so the content does not matter.
            return observed(home=at_home, mounted=mount, pairs=content(fd, name) if mount is None else ())
    except FileNotFoundError:
        return observed(home=None, parent=False)
    except BlockedPathError as error:
        if not error.is_link or ledger.link(error.component):
            raise
        leads_to = _text(session.home, error.component)
        return observed(home=None, parent=False, diverted_at=error.component, diverted_to=leads_to)


def _mounted(session: Session, entry: Entry, place: tuple[int, str], found: Node) -> str | None:
    """What is mounted in the home's content, as `Observation.mounted`."""
    if found.kind is Kind.FILE:
        from coder_ws_runtime.fs.kernel import is_mount_point  # noqa: PLC0415 - most paths are links

        # A list of all mounts takes as long as a tenth of a heal.
        with suppress(FileNotFoundError):
            if not is_mount_point(*place):
                return None
    return session.mounted_in(entry.path)


def _link(entry: Entry, seen: Observation) -> Observation:
    """Who made the link, if there is one."""
    if seen.home is None or seen.home.target == seen.link:
        return seen
    if seen.ours:
        return replace(seen, astray=os.path.lexists(seen.home.target))
    return replace(seen, diverted_at=entry.path, diverted_to=seen.home.target)


def _fate(noted: str) -> Fate:
    return Fate(noted) if noted in _FATES else Fate.NONE


def _text(home: Anchor, link: str) -> str:
    with home.parent(link) as (fd, name):
        return os.readlink(name, dir_fd=fd)


def _on_volume(volume: Anchor | Parents, path: str) -> tuple[Node | None, bool]:
    """The volume's side, and whether its directory exists."""
    try:
        with volume.parent(path) as (fd, name):
            try:
                found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                return None, True
            # Unlike in the home, hardly anything here is a link.
            return node(fd, name) if stat.S_ISLNK(found.st_mode) else _node(found), True
    except FileNotFoundError:
        return None, False


def node_at(anchor: Anchor, path: str) -> Node | None:
    """What is at a path below an anchor; None if nothing is, or it is behind a link."""
    try:
        with anchor.parent(path) as (fd, name):
            return node(fd, name)
    except (FileNotFoundError, BlockedPathError):
        return None


def node(fd: int, name: str) -> Node | None:
    """What `name` is in a directory; None if it does not exist."""
    try:
        # Most paths are already links: one call is enough.
        return Node(Kind.LINK, target=os.readlink(name, dir_fd=fd))
    except FileNotFoundError:
        return None
    except OSError:  # EINVAL: not a link
        pass
    try:
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return _node(found)


def _node(found: os.stat_result) -> Node:
    """What lstat(2) found of something that is no link."""
    return Node(kind_of(found.st_mode), stat.S_IMODE(found.st_mode))
