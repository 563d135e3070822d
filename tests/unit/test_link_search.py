"""How the daemon searches for links that were deleted, and how often: counted, not measured."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coder_ws_runtime.persist import link_search
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.event import LINK_DELETED, LINK_DEPARTED, Fate, LinkEvent
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


def test_a_link_that_is_old_still_uses_the_content(
    tree: Tree, events: LinkEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was moved to a kept directory by an earlier container, say; this one has linked the path again."""
    (tree.home / "away").symlink_to((tree.home / PATHS[0]).readlink())
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)
    delete(tree, events, *PATHS[:2])
    assert [events.event(path) for path in PATHS[:2]] == [LINK_DEPARTED, LINK_DELETED]


@pytest.mark.parametrize("place", ["deep", "mount"])
def test_where_a_link_may_be(place: str, tree: Tree, events: LinkEvents, tmp_path: Path) -> None:
    """Below any number of directories, and where a file system is mounted, whatever its name."""
    found = tree.home.joinpath(*"abcdefghijklmnopqrst")
    if place == "mount":
        found = tmp_path / "a b\n\udcff"
        name = os.fsencode(found).replace(b" ", rb"\040").replace(b"\n", rb"\012")
        (tree.layout.proc / "self").mkdir(parents=True)
        (tree.layout.proc / "self/mountinfo").write_bytes(b"30 1 0:30 / %s rw - ext4 x rw\n" % name)
    found.mkdir(parents=True)
    (found / "away").symlink_to((tree.home / PATHS[0]).readlink())
    delete(tree, events, PATHS[0])
    assert events.event(PATHS[0]) is LINK_DEPARTED


def test_what_is_ours_uses_nothing(tree: Tree, events: LinkEvents) -> None:
    """What a killed run left next to a path, and what is in the attic."""
    text = f"->{(tree.home / PATHS[0]).readlink()}"
    write(tree.home, {".conf/.0.home-persist-swap": text})
    write(tree.layout.state, {"attic/20260101T000000.000Z-dev@owner/.dir/f": text})
    (tree.layout.proc / "self").mkdir(parents=True)
    (tree.layout.proc / "self/mountinfo").write_text(f"30 1 0:30 / {tree.volume} rw - ext4 x rw\n")
    delete(tree, events, PATHS[0])
    assert events.event(PATHS[0]) is LINK_DELETED


def test_unknown_is_not_a_deletion(
    tree: Tree, events: LinkEvents, searches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time ran out before all was searched: the content stays. Still one search for all."""
    monkeypatch.setattr(link_search, "_SECONDS_OF_DELETION", -1.0)
    delete(tree, events, *PATHS)
    assert {events.event(path) for path in PATHS} == {LINK_DEPARTED}
    assert searches == [0]


@pytest.mark.parametrize(("error", "event"), [(errno.EIO, LINK_DEPARTED), (errno.EACCES, LINK_DELETED)])
def test_a_directory_that_cannot_be_read(
    error: int, event: LinkEvent, tree: Tree, events: LinkEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault says nothing about what is in it; what the user may not read, no program of the user moved."""
    (tree.home / "faulty").mkdir()
    scan = os.open

    def fail(path: str, *args: int, **more: int) -> int:
        if str(path).endswith("/faulty"):
            raise OSError(error, os.strerror(error))
        return scan(path, *args, **more)

    delete(tree, events, PATHS[0])
    monkeypatch.setattr(os, "open", fail)
    assert events.event(PATHS[0]) is event


def test_a_short_search_does_not_count_for_a_deletion(
    tree: Tree, events: LinkEvents, searches: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The search for a second name, which a save waits for, found not everything."""
    monkeypatch.setattr(link_search, "_SECONDS", -1.0)
    for path in PATHS:
        os.link(tree.home / path, tree.home.parent / path.rpartition("/")[2], follow_symlinks=False)
    delete(tree, events, *PATHS)
    assert {events.event(path) for path in PATHS} == {LINK_DELETED}
    assert searches == [0, 0]
