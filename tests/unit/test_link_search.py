"""How often the daemon searches for links that were deleted: counted, not measured."""

import os
from collections.abc import Iterator

import pytest

from coder_ws_runtime.persist import link_search
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.event import LINK_DELETED, LINK_DEPARTED, Fate
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.watch.change import Change, Sign
from coder_ws_runtime.persist.watch.link_events import LinkEvents
from tests.harness.tree import Tree, write

MANY = 200
PATHS = [f".conf/{number}" for number in range(MANY)]


@pytest.fixture
def events(tree: Tree) -> Iterator[LinkEvents]:
    """What the daemon knows of many links that it follows."""
    tree.manifest(*PATHS)
    write(tree.home, dict.fromkeys(PATHS, "x"))
    tree.resolve()
    entries = {entry.path: entry for entry in load_declarations(tree.layout, tree.settings).entries}
    with Session(tree.layout, tree.settings) as session:
        made = LinkEvents(session)
        made.entries = entries
        for path, entry in entries.items():
            made.note_settled(path, f"{tree.volume}/{entry.on_volume}", diverted=False)
        yield made
        made.links.close()


@pytest.fixture
def searches(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many links each search found."""
    found: list[int] = []
    find = link_search._Search.find  # noqa: SLF001 - what is counted

    def count(*args: object) -> object:
        links = find(*args)  # type: ignore[arg-type]
        found.append(len(links))
        return links

    monkeypatch.setattr(link_search._Search, "find", count)  # noqa: SLF001 - as above
    monkeypatch.setattr("coder_ws_runtime.persist.watch.link_events.mount_points", list)
    return found


def delete(tree: Tree, events: LinkEvents, *paths: str) -> None:
    for path in paths:
        (tree.home / path).unlink()
    events.note(Change(signs=dict.fromkeys(paths, Sign.DELETED)))


def test_one_search_for_all_that_were_deleted_together(
    tree: Tree, events: LinkEvents, searches: list[int]
) -> None:
    delete(tree, events, *PATHS)
    assert {events.event(path) for path in PATHS} == {LINK_DELETED}
    assert searches == [0]


def test_a_later_deletion_is_searched_again(tree: Tree, events: LinkEvents, searches: list[int]) -> None:
    delete(tree, events, *PATHS[:100])
    assert {events.event(path) for path in PATHS[:100]} == {LINK_DELETED}
    (tree.home / "away").symlink_to((tree.home / PATHS[150]).readlink())  # mv(1) to another file system
    delete(tree, events, *PATHS[100:])
    found = {path: events.event(path) for path in PATHS[100:]}
    assert [path for path, event in found.items() if event is LINK_DEPARTED] == [PATHS[150]]
    assert searches == [100, 1]


def test_one_search_for_all_that_have_a_second_name(
    tree: Tree, events: LinkEvents, searches: list[int]
) -> None:
    """`cp -al ~/.conf ~/backup; rm -r ~/.conf/*`."""
    (tree.home / "backup").mkdir()
    for path in PATHS:
        os.link(tree.home / path, tree.home / "backup" / path.rpartition("/")[2], follow_symlinks=False)
    delete(tree, events, *PATHS)
    found = {path: events.event(path) for path in PATHS}
    assert {event.fate for event in found.values()} == {Fate.MOVED}
    assert found[PATHS[7]].path == "backup/7"
    assert searches == [MANY]
