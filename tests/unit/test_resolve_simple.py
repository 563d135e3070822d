"""What a resolve settles at a glance, all paths together: what fails there, `settle` does one by one."""

import errno
from collections.abc import Mapping

import pytest

from coder_ws_runtime.persist import resolve as module
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.settle import Outcome, settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.ledger import Ledger
from tests.harness.tree import Tree, read, write

NEW = (".a/x/", ".a/y/", ".b/c/z/", ".w")


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were settled one by one."""
    paths: list[str] = []

    def note(session: Session, entry: Entry, *, dry_run: bool) -> Outcome:
        paths.append(entry.path)
        return settle(session, entry, dry_run=dry_run)

    monkeypatch.setattr(module, "settle", note)
    return paths


def codes(tree: Tree) -> dict[str, str]:
    return {outcome.entry.path: outcome.code for outcome in tree.resolve().outcomes}


def test_what_is_new_or_in_place(tree: Tree, settled: list[str]) -> None:
    tree.manifest(*NEW)
    first, again = codes(tree), codes(tree)
    assert set(first.values()) == {Decision.CREATE.value}
    assert set(again.values()) == {Decision.LINKED.value}
    assert not settled
    with Session(tree.layout, tree.settings) as session:
        assert session.ledger.links().keys() == {".a/x", ".a/y", ".b/c/z", ".w"}


def test_what_has_content_is_left_to_settle(tree: Tree, settled: list[str]) -> None:
    tree.manifest(*NEW, ".full/")
    write(tree.home, {".full/saved": "1"})
    assert codes(tree)[".full"] == Decision.SEED.value
    assert settled == [".full"]


def test_one_that_fails_keeps_no_other_from_being_made(tree: Tree, settled: list[str]) -> None:
    tree.manifest(*NEW)
    write(tree.home, {".b/c": "a file"})
    found = codes(tree)
    assert settled == [".b/c/z"]
    assert found.pop(".b/c/z").startswith("path.")
    assert set(found.values()) == {Decision.CREATE.value}
    assert read(tree.home)[".b/c"] == "a file"


def test_the_lock_of_all_paths_excludes_that_of_one(tree: Tree) -> None:
    with (
        Session(tree.layout, tree.settings) as one,
        Session(tree.layout, tree.settings) as other,
    ):
        with one.ledger.lock(".a/x", wait=False), pytest.raises(BlockingIOError), other.ledger.lock_all():
            pass
        with one.ledger.lock_all(), pytest.raises(BlockingIOError), other.ledger.lock(".a/x", wait=False):
            pass


def test_while_another_process_works_on_a_path_the_others_are_made(tree: Tree, settled: list[str]) -> None:
    tree.manifest(*NEW)
    with Session(tree.layout, tree.settings) as other, other.ledger.lock(".elsewhere", wait=False):
        assert set(codes(tree).values()) == {Decision.CREATE.value}
    assert settled == [".a/x", ".a/y", ".b/c/z", ".w"]


def test_something_came_since_the_glance(
    tree: Tree, settled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The steps fail where something is; nothing is replaced."""
    tree.manifest(*NEW)
    record_all = Ledger.record_all

    def save(self: Ledger, links: Mapping[str, str]) -> None:
        write(tree.home, {".a/x/saved": "1"})
        record_all(self, links)

    monkeypatch.setattr(Ledger, "record_all", save)
    assert codes(tree)[".a/x"] in {Decision.SEED.value, Decision.HOME_WINS.value, Decision.MERGE.value}
    assert settled == [".a/x"]
    assert (tree.volume / ".a/x/saved").read_text() == "1"


def test_the_ledger_cannot_be_written(
    tree: Tree, settled: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.manifest(*NEW)

    def full(_: Ledger, __: str) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Ledger, "_append", full)
    found = codes(tree)
    assert settled == [".a/x", ".a/y", ".b/c/z", ".w"]
    assert set(found.values()) == {"path.no-space"}
    assert not (tree.home / ".a/x").is_symlink()
