"""Directories below a shared one that are each workspace's own, while the daemon runs."""

from tests.harness.tree import read
from tests.harness.watched import until
from tests.watch.conftest import Make

SPLIT = (".x/", {"path": ".x/own/", "scope": "workspace"})


def test_a_new_parent_brings_content_of_its_own(make: Make) -> None:
    """At once, not at the next sweep; the renamed parent has what it had."""
    a = make("a", *SPLIT)
    a.resolve()
    (a.home / ".x/own/port").write_text("old")
    a.start()
    (a.home / ".x").rename(a.home / ".x.old")
    (a.home / ".x/own").mkdir(parents=True)
    (a.home / ".x/own/port").write_text("new")
    until(lambda: read(a.volume / ".workspaces/id-a/.x/own") == {"port": "new"}, seconds=10)
    until(lambda: (a.volume / ".x/own").is_symlink() and a.linked(".x"), seconds=10)
    assert (a.home / ".x/own/port").read_text() == "new"
    until(lambda: read(a.home / ".x.old") == {"own/port": "old"}, seconds=10)
    a.stop()
    a.lose_container()
    a.resolve()
    assert (a.home / ".x/own/port").read_text() == "new"


def test_content_in_the_place_of_its_link_is_kept_at_the_stop(make: Make) -> None:
    """Not only when this workspace starts again: another one may run in between."""
    a = make("a", *SPLIT)
    a.resolve()
    (a.home / ".x/own/port").write_text("old")
    a.start()
    (a.home / ".x/own").unlink()
    (a.home / ".x/own").mkdir()
    (a.home / ".x/own/port").write_text("new")
    a.stop()
    assert read(a.volume / ".workspaces/id-a/.x/own") == {"port": "new"}
    assert (a.volume / ".x/own").is_symlink()
