"""What the kernel's events mean for declared paths: a real inotify instance on real directories."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.persist.store.names import aside_name
from coder_ws_runtime.persist.watch.change import Change, Sign
from coder_ws_runtime.persist.watch.watches import Watches
from tests.harness.tree import write

DECLARED = ["f", "g", ".a/b/f", ".a/b/g", ".dir"]


class Watched:
    def __init__(self, home: Path, volume: Path) -> None:
        self.home, self.volume = home, volume
        self.anchors = [Anchor(home), Anchor(volume)]
        self.watches = Watches(*self.anchors)
        self.watches.watch(DECLARED)
        assert self.watches.inotify_error == ""

    def changes(self) -> Change:
        """What happened; what came or went is watched again, as the daemon does."""
        change = self.watches.changes()
        if change.stale:
            self.watches.watch_again(change.stale)
        return change

    def close(self) -> None:
        self.watches.close()
        for anchor in self.anchors:
            anchor.close()


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    home, volume = tmp_path / "home", tmp_path / "volume"
    write(home, {"f": "1", "other": "1", ".a/b/f": "1", ".dir/x": "1"})
    volume.mkdir()
    made = Watched(home, volume)
    yield made
    made.close()


def test_saves(watched: Watched) -> None:
    home = watched.home
    (home / "g").write_text("written")
    (home / "other").rename(home / "f")
    (home / ".a/b/new").write_text("1")
    (home / ".a/b/new").rename(home / ".a/b/f")
    (home / "not-declared").write_text("1")
    change = watched.changes()
    assert change.signs == {"g": Sign.SAVED, "f": Sign.SAVED, ".a/b/f": Sign.SAVED}
    assert (change.renamed, change.above, change.stale) == ({}, set(), set())


def test_the_latest_event_counts(watched: Watched) -> None:
    home = watched.home
    (home / "f").unlink()
    assert watched.changes().signs == {"f": Sign.DELETED}
    (home / "f").symlink_to("x")
    assert watched.changes().signs == {"f": Sign.CREATED}
    (home / "f").unlink()
    (home / "other").rename(home / "f")
    assert watched.changes().signs == {"f": Sign.SAVED}


def test_what_was_looked_at_is_still_reported(watched: Watched) -> None:
    home = watched.home
    (home / "f").rename(home / "not-declared")
    assert watched.watches.peek("f").moved == {"f"}
    (home / "other").rename(home / "g")
    assert watched.watches.peek("g").signs == {"f": Sign.MOVED, "g": Sign.SAVED}
    change = watched.changes()
    assert (change.moved, change.renamed) == ({"f"}, {"f": "not-declared"})
    assert watched.changes() == Change()


def test_what_the_daemon_sets_aside_was_not_renamed(watched: Watched) -> None:
    home = watched.home
    (home / "f").rename(home / aside_name("f"))
    change = watched.changes()
    assert (change.moved, change.renamed) == (set(), {})
    (home / "other").rename(home / "f")
    (home / "f").rename(home / "not-declared")
    assert watched.changes().moved == {"f"}


def test_a_rename_between_watched_directories_has_both_names(watched: Watched) -> None:
    home = watched.home
    (home / "f").rename(home / ".a/b/backup")
    change = watched.changes()
    assert change.signs == {"f": Sign.MOVED}
    assert change.renamed == {"f": ".a/b/backup"}
    (home / ".a/b/f").rename(home / "g")
    change = watched.changes()
    assert change.signs == {".a/b/f": Sign.MOVED, "g": Sign.SAVED}
    assert change.renamed == {".a/b/f": "g"}


def test_a_rename_to_where_nobody_watches_has_one(watched: Watched) -> None:
    (watched.home / "where").mkdir()
    (watched.home / "f").rename(watched.home / "where/f")
    change = watched.changes()
    assert (change.signs, change.renamed) == ({"f": Sign.MOVED}, {})


def test_a_directory_above_that_moves_takes_its_watches_along(watched: Watched) -> None:
    """What happens in it at its new place is nothing that happens at the declared paths."""
    home = watched.home
    (home / ".a").rename(home / ".a.old")
    (home / ".a.old/b/f").unlink()
    change = watched.changes()
    assert change.signs == {".a/b/f": Sign.ABOVE, ".a/b/g": Sign.ABOVE}
    assert change.above == {".a/b/f", ".a/b/g"}
    (home / ".a.old/b/g").write_text("1")
    assert watched.changes().signs == {}
    (home / ".a/b").mkdir(parents=True)
    watched.changes()
    watched.changes()
    (home / ".a/b/g").write_text("1")
    assert watched.changes().signs == {".a/b/g": Sign.SAVED}


def test_a_directory_that_was_deleted_and_made_again(watched: Watched) -> None:
    home = watched.home
    (home / ".a/b/f").unlink()
    (home / ".a/b").rmdir()
    change = watched.changes()
    assert change.signs[".a/b/f"] is Sign.DELETED
    assert ".a/b/f" in change.above
    (home / ".a/b").mkdir()
    (home / ".a/b/g").write_text("before it is watched")
    change = watched.watches.changes()
    assert set(watched.watches.watch_again(change.stale)) == {".a/b/f", ".a/b/g"}
    (home / ".a/b/f").write_text("1")
    assert watched.changes().signs == {".a/b/f": Sign.SAVED}


def test_a_directory_in_the_place_of_a_link(watched: Watched) -> None:
    (watched.home / "made").mkdir()
    (watched.home / ".dir/x").unlink()
    (watched.home / ".dir").rmdir()
    (watched.home / ".dir").mkdir()
    assert watched.changes().signs[".dir"] is Sign.FILLING
    (watched.home / ".dir").rmdir()
    (watched.home / "made").rename(watched.home / ".dir")
    assert watched.changes().signs[".dir"] is Sign.SAVED


def test_directories_that_are_watched_no_longer_cost_no_watch(watched: Watched) -> None:
    """A watch follows a directory wherever it goes; the host's limit counts them."""
    for number in range(5):
        (watched.home / ".a").rename(watched.home / f"old-{number}")
        (watched.home / ".a/b").mkdir(parents=True)
        watched.changes()
        watched.changes()
    assert watched.watches.inotify is not None
    lines = Path(f"/proc/self/fdinfo/{watched.watches.inotify.fd}").read_text().splitlines()
    assert len([line for line in lines if line.startswith("inotify")]) == 3  # the home, .a, .a/b


def test_what_another_workspace_writes_first(watched: Watched) -> None:
    targets = {"g": "g", ".a/b/g": ".a/b/g", ".own": ".workspaces/w/.own"}
    assert watched.watches.await_files(targets) == sorted(targets), "looked at once more: they may be there"
    assert watched.watches.await_files(targets) == []
    write(watched.volume, {"other": "1", "g": "1"})
    assert watched.changes().arrived == {"g"}
    (watched.volume / ".a").mkdir()
    assert watched.changes().arrived == {".a/b/g"}
    assert watched.watches.await_files(targets) == [".a/b/g"]
    write(watched.volume, {".a/b/g": "1"})
    assert watched.changes().arrived == {".a/b/g"}


def test_a_directory_of_the_volume_that_is_made_again(watched: Watched) -> None:
    (watched.volume / ".a").mkdir()
    watched.watches.await_files({".a/g": ".a/g"})
    (watched.volume / ".a").rmdir()
    (watched.volume / ".a").mkdir()
    assert watched.changes().arrived == {".a/g"}
    watched.watches.await_files({".a/g": ".a/g"})
    write(watched.volume, {".a/g": "1"})
    assert watched.changes().arrived == {".a/g"}


def test_nothing_is_awaited_any_more(watched: Watched) -> None:
    watched.watches.await_files({"g": "g"})
    assert watched.watches.await_files({}) == []
    write(watched.volume, {"g": "1"})
    assert watched.changes().arrived == set()
