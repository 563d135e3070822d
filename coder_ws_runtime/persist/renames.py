"""Follow managed symlinks that were renamed while no daemon watched.

As when logs are rotated (`mv log.1 log.2; mv log log.1`), or a program leaves a backup (`sed -i.bak`). The
links themselves show it: one that this container made for a path is at another one, and not at its own.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.persist.link_search import find_links
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile.event import Fate, link_moved
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
        The outcomes by path.
    """
    declared = {entry.path: entry for entry in entries}
    places = find_renames(session, declared)
    followed = set(places.values())
    done: dict[str, Outcome] = {}
    while places:
        row = _row(places)
        if places[row[-1]] == row[0]:  # they have changed places in turn
            steps = [(row[0], tuple(declared[path] for path in row[2:]))]
        else:  # the last one makes room first
            steps = [(path, ()) for path in reversed(row)]
        for path, beyond in steps:
            place = declared.get(places[path])
            event = link_moved(places[path], place, beyond, followed=path in followed)
            if place and not dry_run and _is_renamed(session, declared[path]):
                settle(session, place)  # a killed run has renamed the content, but not corrected the link
            outcome = settle(session, declared[path], event=event, dry_run=dry_run)
            done[path] = outcome
            if outcome.error:  # what has not made room is not replaced, and no link is corrected
                waiting = {*row, places[path]} & declared.keys() - done.keys()
                done |= {other: replace(outcome, entry=declared[other]) for other in waiting}
                break
        places = {path: place for path, place in places.items() if path not in row}
    return done


def _row(places: Mapping[str, str]) -> list[str]:
    """Paths of which each has the link of the one before, as far as their own links are elsewhere."""
    first = next((path for path in places if path not in places.values()), next(iter(places)))
    row = [first]
    while (place := places[row[-1]]) in places and place != row[0]:
        row.append(place)
    return row


def find_renames(session: Session, declared: Mapping[str, Entry], *, deep: bool = True) -> dict[str, str]:
    """The other paths at which managed symlinks are, by their own path.

    If several links have the same text, none of them is known to be the renamed one. A link that was renamed
    by a killed run counts; one that a killed run was exchanging does not, because the content may be
    exchanged already.

    Args:
        session: home and volume, opened.
        declared: what is declared, by path.
        deep: whether to search the home, and not only the declared paths and next to them.
    """
    lost: dict[str, str] = {}
    for path, text in session.ledger.links().items():
        entry = declared.get(path)
        is_link = entry is not None and text == f"{session.volume.path}/{entry.on_volume}"
        if is_link and session.ledger.left(path) in ("", Fate.NONE.value) and _text(session, path) != text:
            lost[text] = path
    if not lost:
        return {}
    found: dict[str, list[str]] = {}
    for path in declared:
        found.setdefault(_text(session, path), []).append(path)
    unseen = [path for text, path in lost.items() if text not in found]
    for path, text in _links_elsewhere(session, unseen, deep=deep):
        if path not in declared:
            found.setdefault(text, []).append(path)
    return {path: found[text][0] for text, path in lost.items() if len(found.get(text, ())) == 1}


def _links_elsewhere(session: Session, paths: Iterable[str], *, deep: bool) -> Iterator[tuple[str, str]]:
    """The paths in the home of links to the volume, and their texts: first next to some declared paths."""
    home = session.home.path
    near = {path.rpartition("/")[0] for path in paths}
    roots = [home / directory for directory in sorted(near) if _is_directory(session, directory)]
    for link in find_links(session.volume.path, [*roots, home] if deep and near else roots, deep=deep):
        if not link.path.endswith(RESERVED_SUFFIXES):
            yield link.path.removeprefix(f"{home}/"), link.text


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


def _is_renamed(session: Session, entry: Entry) -> bool:
    """Whether the volume's content has gone to another name already."""
    with suppress(OSError):
        return session.volume.anchor.status(entry.on_volume) is None
    return False
