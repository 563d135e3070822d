"""Follow managed symlinks that were renamed while no daemon watched.

As when logs are rotated (`mv log.1 log.2; mv log log.1`), or a program leaves a backup (`sed -i.bak`). The
links themselves show it: one that this container made for a path is at another one, and not at its own.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.identity import link_mark, made_together
from coder_ws_runtime.persist.link_search import FoundLink, find_links
from coder_ws_runtime.persist.manifest.entry import DETOURS, Entry, Scope
from coder_ws_runtime.persist.reconcile.event import Fate, link_moved
from coder_ws_runtime.persist.reconcile.follow import follow
from coder_ws_runtime.persist.reconcile.observation import kind_of
from coder_ws_runtime.persist.reconcile.observe import node_at
from coder_ws_runtime.persist.reconcile.settle import Outcome, settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.names import RESERVED_SUFFIXES


def follow_renames(
    session: Session, entries: Iterable[Entry], *, dry_run: bool = False
) -> dict[str, Outcome]:
    """Settle the paths whose links were renamed to other paths.

    Args:
        session: home and volume, opened.
        entries: what is declared.
        dry_run: only report what would be done.

    Returns:
        The outcomes of declared paths, by path.
    """
    declared = {entry.path: entry for entry in entries}
    known = declared | former_entries(session, declared)
    places = find_renames(session, known)
    if not dry_run:
        _note_gone(session, _find_lost(session, known).values() - places.keys())
    followed = set(places.values())
    done: dict[str, Outcome] = {}
    while places:
        row = _row(places)
        if places[row[-1]] == row[0]:  # they have changed places in turn
            steps = [(row[0], tuple(known[path] for path in row[2:]))]
        else:  # the last one makes room first
            steps = [(path, ()) for path in reversed(row)]
        for path, beyond in steps:
            place = known.get(places[path])
            event = link_moved(places[path], place, beyond, followed=path in followed)
            if known[path] is not declared.get(path):
                if dry_run or follow(session, known[path], event):
                    continue
                break
            if place and not dry_run and _is_renamed(session, declared[path]):
                settle(session, place)  # a killed run has renamed the content, but not corrected the link
            outcome = settle(session, declared[path], event=event, dry_run=dry_run)
            done[path] = outcome
            if outcome.error:  # what has not made room is not replaced, and no link is corrected
                waiting = {*row, places[path]} & declared.keys() - done.keys()
                done |= {other: _as_of(declared[other], outcome, outcome.error) for other in waiting}
                break
        places = {path: place for path, place in places.items() if path not in row}
    return done


def _note_gone(session: Session, paths: Iterable[str]) -> None:
    """Forget the marks of links that were found nowhere, so that no later run searches the home again."""
    with suppress(OSError):  # then the next run does
        session.ledger.note_marks({path: "" for path in paths if session.ledger.mark(path)})


def _as_of(entry: Entry, outcome: Outcome, error: UserError) -> Outcome:
    """The failure of another path, as that of a path that waits for it."""
    parts = {**error.as_dict(), "place": f"~/{entry.path}"}
    return replace(outcome, entry=entry, error=UserError.from_dict(parts, error.exit_status))


def former_entries(session: Session, declared: Mapping[str, Entry]) -> dict[str, Entry]:
    """The paths that this container has linked and that are declared otherwise now, or by a parent, or not.

    Returns:
        By path: how each was declared, as its link says. Only what the volume still has.
    """
    root = f"{session.volume.path}/"
    found: dict[str, Entry] = {}
    for path, text in session.ledger.links().items():
        entry = declared.get(path)
        place = text.removeprefix(root)
        scope = Scope.OWNER if place == path else Scope.WORKSPACE
        # An interrupted rename has recorded the text that another path's link has.
        is_its_own = scope is Scope.OWNER or place == f".workspaces/{session.id}/{path}"
        if not is_its_own or path.startswith(f"{DETOURS}/") or (entry and entry.on_volume == place):
            continue
        with suppress(OSError):
            status = session.volume.anchor.status(place)
            if status is not None:
                found[path] = Entry(path, kind_of(status.st_mode), scope, "", "", place)
    return found


def _row(places: Mapping[str, str]) -> list[str]:
    """Paths of which each has the link of the one before, as far as their own links are elsewhere."""
    first = next((path for path in places if path not in places.values()), next(iter(places)))
    row = [first]
    while (place := places[row[-1]]) in places and place != row[0]:
        row.append(place)
    return row


def find_renames(session: Session, declared: Mapping[str, Entry], *, deep: bool = True) -> dict[str, str]:
    """The other paths at which managed symlinks are, by their own path.

    The ledger knows the mark of a link; a copy of it (cp -a), or of the whole home, is as old. If the mark is
    unknown because a run was killed, or because the link was found nowhere, only declared paths count. A link
    that was renamed by a killed run counts; one that a killed run was exchanging does not, because the
    content may be exchanged already.

    Args:
        session: home and volume, opened.
        declared: what is declared, by path.
        deep: whether to search the home, and not only the declared paths and next to them.
    """
    lost = _find_lost(session, declared)
    if not lost:
        return {}
    found: dict[str, dict[str, str]] = {path: {} for path in lost.values()}
    for place in declared:
        path = lost.get(_text(session, place), "")
        if path:
            found[path][place] = _mark(session, place)
    unseen = [path for path, places in found.items() if not places and session.ledger.mark(path)]
    for link in _links_elsewhere(session, unseen, deep=deep):
        path, place = lost.get(link.text, ""), link.path.removeprefix(f"{session.home.path}/")
        if path in unseen and place != path:
            found[path][place] = link.mark
    chosen = {path: _choose(places, session.ledger.mark(path)) for path, places in found.items()}
    return {path: place for path, place in chosen.items() if place}


def _find_lost(session: Session, declared: Mapping[str, Entry]) -> dict[str, str]:
    """The paths whose managed symlink is not in its place, by its text; no event has said why."""
    lost: dict[str, str] = {}
    for path, text in session.ledger.links().items():
        entry = declared.get(path)
        is_link = entry is not None and text == f"{session.volume.path}/{entry.on_volume}"
        if is_link and session.ledger.left(path) in ("", Fate.NONE.value) and _text(session, path) != text:
            lost[text] = path
    return lost


def _choose(marks: Mapping[str, str], mark: str) -> str:
    """The place that has the link with a mark, or else its only copy; empty if none is known to be it.

    Args:
        marks: the marks of the links with its text, by place.
        mark: the link's, or empty if it is unknown.
    """
    exact = [place for place, found in marks.items() if found == mark]
    alike = [place for place, found in marks.items() if not mark or made_together(found, mark)]
    return next(iter(exact), alike[0] if len(alike) == 1 else "")


def _links_elsewhere(session: Session, paths: Iterable[str], *, deep: bool) -> Iterator[FoundLink]:
    """The links to the volume in the home: first those next to some declared paths."""
    near = {path.rpartition("/")[0] for path in paths}
    roots = [session.home.path / place for place in sorted(near) if _is_directory(session, place)]
    if deep and near:
        roots.append(session.home.path)
    if not roots:
        return
    for link in find_links(session.volume.path, roots, deep=deep):
        if not link.path.endswith(RESERVED_SUFFIXES):
            yield link


def _is_directory(session: Session, path: str) -> bool:
    """Whether there is a directory in the home that is not behind a link."""
    with suppress(OSError):
        return session.home.has_directory(path)
    return False


def _text(session: Session, path: str) -> str:
    with suppress(OSError):  # `settle` reports it
        found = node_at(session.home, path)
        return found.target if found else ""
    return ""


def _mark(session: Session, path: str) -> str:
    with suppress(OSError), session.home.parent(path) as (fd, name):
        return link_mark(os.stat(name, dir_fd=fd, follow_symlinks=False))
    return ""


def _is_renamed(session: Session, entry: Entry) -> bool:
    """Whether the volume's content has gone to another name already."""
    with suppress(OSError):
        return session.volume.anchor.status(entry.on_volume) is None
    return False
