"""What an event said of a managed link, and what a look without an event makes of it."""

import pytest

from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.event import LINK_DELETED, LINK_DEPARTED, NO_EVENT, LinkEvent
from coder_ws_runtime.persist.reconcile.settle import Outcome, settle
from coder_ws_runtime.persist.session import Session
from tests.harness.tree import Tree, content, read, write


def told(tree: Tree, event: LinkEvent, path: str, *, daemon: bool = True) -> Outcome:
    """Settle one path as the daemon does after its first sweep, or as a resolve does."""
    (entry,) = [one for one in load_declarations(tree.layout, tree.settings).entries if one.path == path]
    with Session(tree.layout, tree.settings) as session:
        session.relink = not daemon
        return settle(session, entry, event=event)


def enable_watch(tree: Tree) -> None:
    """As in an image: systemd is PID 1, and the daemon's unit is enabled."""
    tree.layout.systemd_runtime.mkdir(parents=True)
    tree.layout.watch_wanted.parent.mkdir(parents=True)
    tree.layout.watch_wanted.symlink_to("/usr/local/lib/systemd/system/home-persist-watch.service")


def test_a_deleted_link_to_a_file_is_a_deleted_file(tree: Tree) -> None:
    enable_watch(tree)
    tree.manifest("f")
    write(tree.home, {"f": "1"})
    tree.resolve()
    (tree.home / "f").unlink()
    outcome = told(tree, LINK_DELETED, "f")
    assert (outcome.decision, outcome.code) == (Decision.DELETED, "path.deleted")
    assert (read(tree.home), content(tree.volume), tree.attic()) == ({}, {}, {"f": "1"})
    assert told(tree, NO_EVENT, "f").decision is Decision.WAIT
    write(tree.home, {"f": "2"})
    assert told(tree, NO_EVENT, "f").decision is Decision.SEED


@pytest.mark.parametrize("path", ["f", ".a/f"])
def test_a_link_that_a_look_misses_is_not_deleted(tree: Tree, path: str) -> None:
    tree.manifest(path)
    write(tree.home, {path: "1"})
    tree.resolve()
    (tree.home / path).unlink()
    if "/" in path:
        (tree.home / path).parent.rmdir()
    assert told(tree, NO_EVENT, path).decision is Decision.LINK
    assert (tree.home / path).read_text() == "1"
    assert tree.attic() == {}


def test_a_link_that_went_with_its_directory_is_not_deleted(tree: Tree) -> None:
    """Also where an event came for the link itself: its directory is gone."""
    tree.manifest(".a/f")
    write(tree.home, {".a/f": "1"})
    tree.resolve()
    (tree.home / ".a/f").unlink()
    (tree.home / ".a").rmdir()
    assert told(tree, LINK_DELETED, ".a/f").decision is Decision.LINK
    assert tree.attic() == {}


@pytest.mark.parametrize(("declared", "event"), [(".d/", LINK_DELETED), ("f", LINK_DEPARTED)])
def test_a_link_that_went_stays_away_until_the_next_resolve(
    tree: Tree, declared: str, event: LinkEvent
) -> None:
    tree.manifest(declared)
    path = declared.rstrip("/")
    tree.resolve()
    write(tree.volume, {f"{path}/x" if declared.endswith("/") else path: "1"})
    before = content(tree.volume)
    (tree.home / path).unlink()
    assert told(tree, event, path).problem
    assert told(tree, NO_EVENT, path).problem
    assert (read(tree.home), content(tree.volume), tree.attic()) == ({}, before, {})
    assert told(tree, NO_EVENT, path, daemon=False).decision is Decision.LINK
    assert told(tree, NO_EVENT, path).decision is Decision.LINKED


def test_no_link_leads_nowhere_where_the_daemon_runs(tree: Tree) -> None:
    enable_watch(tree)
    tree.manifest(".a/f")
    assert tree.settle(".a/f").decision is Decision.WAIT
    assert read(tree.home) == {}
    write(tree.home, {".a/f": "1"})
    assert tree.settle(".a/f").decision is Decision.SEED
    assert (tree.home / ".a/f").is_symlink()
    # Another workspace of the owner deletes it.
    (tree.volume / ".a/f").unlink()
    assert tree.settle(".a/f").decision is Decision.WAIT
    assert not (tree.home / ".a/f").is_symlink()
    assert not tree.resolve().changed


def test_a_masked_daemon_links_nothing_later(tree: Tree) -> None:
    enable_watch(tree)
    tree.layout.watch_unit.symlink_to("/dev/null")
    tree.manifest("f")
    assert tree.settle("f").decision is Decision.CREATE
    assert (tree.home / "f").is_symlink()
