"""Content that a program put in the place of a child's link, and how it is kept.

A program deletes or renames a link that it sees as a directory, and makes a new directory. That is a save, as
at any other path, if it is this workspace's. It is, in the home, in a directory that replaced the managed
link of the parent. On the volume, in the place of the link, `is_own` shows it.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress

from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import open_directory, sync_directory
from coder_ws_runtime.fs.copying import copy
from coder_ws_runtime.fs.errors import ChangedError
from coder_ws_runtime.fs.removing import remove_tree
from coder_ws_runtime.persist.child_owner import is_own
from coder_ws_runtime.persist.link_search import find_links
from coder_ws_runtime.persist.manifest.entry import DETOURS, Child, Declarations, Entry, Kind, Step
from coder_ws_runtime.persist.migrations.run import run_step
from coder_ws_runtime.persist.reconcile.compare import compare
from coder_ws_runtime.persist.reconcile.event import NO_EVENT, Fate, LinkEvent
from coder_ws_runtime.persist.reconcile.observation import Difference
from coder_ws_runtime.persist.reconcile.observe import node, node_at
from coder_ws_runtime.persist.reconcile.refusals import changing_error
from coder_ws_runtime.persist.reconcile.settle import Outcome, settle
from coder_ws_runtime.persist.renames import find_renames
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_records import Reason
from coder_ws_runtime.persist.store.journals import displaced
from coder_ws_runtime.persist.store.names import COPY_SUFFIX, SWAP_SUFFIX, sibling_name

_RENAMED = frozenset({Fate.MOVED.value, Fate.DEPARTED.value})


def settle_parent(
    session: Session, entry: Entry, children: Iterable[Child], event: LinkEvent = NO_EVENT
) -> Outcome:
    """Settle a directory, and its children if that changes anything. The daemon does it for each event.

    Args:
        session: home and volume, opened.
        entry: what is declared.
        children: those inside it.
        event: as for `settle`.
    """
    from coder_ws_runtime.persist.children import settle_child  # noqa: PLC0415 - it imports this module

    inside = tuple(children)
    places = take_over(session, inside)
    if event.fate is Fate.MOVED:
        places = {**places, entry.path: event.path}
    outcome = settle(session, entry, event=event)
    if outcome.changed:
        for child in inside:
            follow_parent(session, child, places)
            settle_child(session, child)
    return outcome


def take_over(session: Session, children: Iterable[Child]) -> dict[str, str]:
    """Make content in the home this workspace's own, before its parent becomes the owner's.

    It is exchanged with the link to the workspace's own copy, so it is merged with that as the content of any
    directory that replaced a managed link. If the parent's link was renamed, it replaces the copy.

    Returns:
        The places to which links of parents were renamed, by the parents' paths.
    """
    places: dict[str, str] = {}
    for child in children:
        # The parent's outcome reports what is wrong with it, or another process does the same.
        with suppress(OSError):
            if child.kept and _is_replaced(session, child):
                with session.ledger.lock(child.detour.path, wait=False):
                    _take_over(session, child, places)
    return {parent: place for parent, place in places.items() if place}


def _take_over(session: Session, child: Child, places: dict[str, str]) -> None:
    session.ledger.refresh()
    if not _is_replaced(session, child):  # another process has done it
        return
    parent = child.parent
    if parent.path not in places:
        places[parent.path] = find_renames(session, {parent.path: parent}).get(parent.path, "")
    if places[parent.path] or session.ledger.left(parent.path) in _RENAMED:
        session.ledger.note_left(child.detour.path, Fate.MOVED.value)
    with (
        session.home.parent(child.entry.path) as mine,
        session.home.parent(child.detour.path) as detour,
    ):
        kernel.exchange(*mine, *detour)
        sync_directory(detour[0])
        _lead_to_detour(session, child, mine, detour)
        sync_directory(mine[0])


def _lead_to_detour(session: Session, child: Child, mine: tuple[int, str], detour: tuple[int, str]) -> None:
    """Let what a program saves from now on reach the new content, not the copy that it may replace."""
    former = node(*mine)
    if former is None or former.target != f"{session.volume.path}/{child.entry.on_volume}":
        return
    aside = detour[0], sibling_name(detour[1], SWAP_SUFFIX)
    with suppress(FileNotFoundError):  # a killed run left it
        os.unlink(aside[1], dir_fd=aside[0])
    os.symlink(_detour(session, child), aside[1], dir_fd=aside[0])
    kernel.exchange(*aside, *mine)
    if node(*aside) != former:  # a program has taken the name
        kernel.exchange(*aside, *mine)
    os.unlink(aside[1], dir_fd=aside[0])


def _is_replaced(session: Session, child: Child) -> bool:
    """Whether the home has a directory at the child's path, and the managed link to its own copy."""
    if not session.ledger.link(child.parent.path):
        return False
    status = session.home.status(child.parent.path)
    if status is None or not stat.S_ISDIR(status.st_mode):
        return False
    status = session.home.status(child.entry.path)
    if status is None or not stat.S_ISDIR(status.st_mode):
        return False
    link = node_at(session.home, child.detour.path)
    text = f"{session.volume.path}/{child.entry.on_volume}"
    return link is not None and link.target == text and session.ledger.has(child.detour.path, text)


def save_taken_over(session: Session, child: Child) -> None:
    """Keep content of a child whose parent stays in the home because of something that cannot be moved."""
    found = node_at(session.home, child.detour.path)
    if child.kept and found is not None and found.kind is Kind.DIRECTORY:
        settle(session, child.detour)


def follow_parent(session: Session, child: Child, places: Mapping[str, str]) -> None:
    """Give a renamed parent a copy of the child's content, in the place of the link to it.

    Args:
        session: home and volume, opened.
        child: its parent was settled.
        places: from `take_over`.
    """
    place = places.get(child.parent.path)
    if place and child.kept:
        path = f"{place}{child.entry.path[len(child.parent.path) :]}"
        with suppress(OSError), session.home.parent(path) as (fd, name):
            _materialize(session, child, fd, name)


def follow_left(session: Session, child: Child) -> None:
    """Do what `follow_parent` does, for a parent that a killed run had followed."""
    found = node_at(session.home, child.detour.path)
    if found is None or found.kind is not Kind.DIRECTORY:
        return
    home = session.home.path
    for link in find_links(home / DETOURS, [home]):
        path = link.path.removeprefix(f"{home}/")
        if link.text == _detour(session, child) and path != child.entry.path:
            with suppress(OSError), session.home.parent(path) as (fd, name):
                if name.endswith(SWAP_SUFFIX):  # the killed run left it
                    os.unlink(name, dir_fd=fd)
                else:
                    _materialize(session, child, fd, name)


def copy_to_renamed(session: Session, child: Child, fd: int, name: str) -> bool:
    """Give links that were renamed next to the child's place a copy of its content, if that is known.

    Args:
        session: home and volume, opened.
        child: what is declared.
        fd: the directory on the volume that contains the child's place.
        name: the child's name in it.

    Returns:
        Whether there was one: then new content replaces the former.
    """
    opened = open_directory(".", fd)
    try:
        names = sorted(os.listdir(opened))
    finally:
        os.close(opened)
    done = False
    for other in names:
        found = node(fd, other)
        if other == name or found is None or found.target != _detour(session, child):
            continue
        if other.endswith(SWAP_SUFFIX):  # a killed run left it
            os.unlink(other, dir_fd=fd)
        elif is_own(session, fd, other):
            _materialize(session, child, fd, other)
            done = True
    return done


def _materialize(session: Session, child: Child, fd: int, name: str) -> None:
    """Replace a link to the child by a copy of this workspace's content."""
    found = node(fd, name)
    if found is None or found.target != _detour(session, child):
        return
    partial, whole = sibling_name(name, COPY_SUFFIX), sibling_name(name, SWAP_SUFFIX)
    for left in (partial, whole):  # by a killed run; this workspace's copy still has its content
        remove_tree(fd, left)
    try:
        with session.volume.anchor.parent(child.entry.on_volume) as source:
            copy(source, (fd, partial), refuse_writers=False, progress=session.monitor.advance)
        kernel.rename_new(fd, partial, fd, whole)
        kernel.swap(fd, whole, fd, name)
        if node(fd, whole) != found:  # a program has taken the name
            kernel.swap(fd, whole, fd, name)
            remove_tree(fd, whole)
            return
        os.unlink(whole, dir_fd=fd)
        sync_directory(fd)
    except (FileNotFoundError, ChangedError):  # it has no content, or a program writes it: the link stays
        return
    finally:
        remove_tree(fd, partial)


def merge(session: Session, child: Child, source: str, *, whole: bool) -> None:
    """Move this workspace's newer content to its own copy; what it replaces goes to the attic.

    Args:
        session: home and volume, opened.
        child: what is declared.
        source: where the content is, relative to the volume.
        whole: whether it replaces the copy, and is not merged with it.
    """
    anchor, target = session.volume.anchor, child.entry.on_volume
    if whole and anchor.status(target) is not None:
        with (
            anchor.parent(target) as (fd, name),
            session.attic.place(target, Reason.SUPERSEDED) as (attic, kept),
        ):
            kernel.rename_new(fd, name, attic, kept)
            sync_directory(attic)
            sync_directory(fd)
    for path in _differing(session, child, source):
        replaced = f"{target}/{path}" if path else target
        # Not exchanged: what a killed run had exchanged would be taken for the newer one by the next.
        with (
            anchor.parent(replaced) as place,
            displaced(session.attic, place, replaced, Reason.SUPERSEDED),
            session.attic.place(replaced, Reason.SUPERSEDED) as kept,
        ):
            kernel.rename_new(*place, *kept)
            sync_directory(kept[0])
            sync_directory(place[0])
    step = Step("child", "rescope", source, target, child.entry.place, session.id)
    run_step(step, session, Declarations((), (), ()))


def _differing(session: Session, child: Child, source: str) -> list[str]:
    """What this workspace's copy has otherwise."""
    try:
        with session.volume.anchor.parent(source) as place:
            pairs = compare(place, session.volume.anchor, child.entry, refuse_writers=False)
    except ChangedError as changed:
        raise changing_error(child.entry.path) from changed
    return [pair.path for pair in pairs if pair.difference is Difference.DIFFERS]


def put_away(session: Session, child: Child, fd: int, name: str) -> None:
    """Move content of the shared directory to the attic."""
    with session.attic.place(child.entry.path, Reason.MIGRATED) as (attic, kept):
        kernel.rename_new(fd, name, attic, kept)
        sync_directory(attic)
        sync_directory(fd)


def drop_empty(session: Session, child: Child) -> bool:
    """Remove this workspace's copy if it is empty; returns whether it did."""
    with session.volume.anchor.parent(child.entry.on_volume) as (fd, name), suppress(OSError):
        os.rmdir(name, dir_fd=fd)
        return True
    return False


def _detour(session: Session, child: Child) -> str:
    return f"{session.home.path}/{child.detour.path}"
