"""What is declared while the daemon runs."""

import time

from coder_ws_runtime.persist.watch.declarations import POLL
from tests.harness.watched import until
from tests.watch.conftest import Make


def test_a_new_manifest_counts_at_once(make: Make) -> None:
    a = make("a", "first")
    a.resolve()
    a.start()
    (a.home / "late").write_text("1")
    began = time.monotonic()
    a.declare("first", "late", ".new/")
    until(lambda: a.linked("late") and a.linked(".new"))
    assert time.monotonic() - began < POLL, "without a poll"
    assert a.volume_has("late", "1")


def test_what_is_no_longer_declared_is_left_alone(make: Make) -> None:
    a = make("a", "file", "other")
    a.resolve()
    a.start()
    a.save("file", "1")
    until(lambda: a.volume_has("file", "1"))
    (a.home / "probe").write_text("1")
    a.declare("other", "probe")
    until(lambda: a.linked("probe"), "the declarations are read")
    a.save("file", "2")
    time.sleep(1)
    a.stop()
    assert not a.linked("file")
    assert a.volume_has("file", "1")


def test_a_removed_path_comes_back_and_is_no_save(make: Make) -> None:
    a = make("a")
    a.start()
    a.save("mine", "1")
    done = a.command("add", "mine")
    assert done.returncode == 0, done.stderr
    until(lambda: a.linked("mine"))
    done = a.command("remove", "mine")
    assert done.returncode == 0, done.stderr
    time.sleep(1)
    assert not a.linked("mine")
    assert (a.home / "mine").read_text() == "1"


def test_a_scope_changes_there_and_back(make: Make) -> None:
    """Its content stays in sight, and the workspace's own is the newer save when it comes back."""
    a = make("a", "f")
    b = make("b", "f")
    (a.home / "f").write_text("owner")
    a.resolve()
    b.resolve()
    a.start()
    a.declare({"path": "f", "scope": "workspace"})
    own = a.volume / ".workspaces/id-a/f"
    until(lambda: (a.home / "f").is_symlink() and (a.home / "f").readlink() == own)
    assert (a.home / "f").read_text() == "owner"
    a.save("f", "own")
    until(lambda: own.read_text() == "own" and (a.home / "f").is_symlink())
    assert (b.home / "f").read_text() == "owner"
    a.declare("f")
    until(lambda: a.linked("f") and (a.home / "f").readlink() == a.volume / "f")
    assert (a.home / "f").read_text() == (b.home / "f").read_text() == "own"
    assert sorted(a.attic()) == ["owner", "owner"]


def test_a_manifest_that_nobody_can_read_changes_nothing(make: Make) -> None:
    a = make("a", "file")
    a.resolve()
    a.start()
    (a.layout.manifest_dir / "bad.json").write_text("[" * 100_000)
    time.sleep(1)
    a.save("file", "1")
    until(lambda: a.volume_has("file", "1") and a.linked("file"))


def test_a_directory_of_each_workspaces_own(make: Make) -> None:
    """A child below a shared directory that is declared while the daemon runs needs no restart."""
    a = make("a", ".x/")
    a.resolve()
    a.start()
    a.declare(".x/", {"path": ".x/own/", "scope": "workspace"})
    until((a.volume / ".x/own").is_symlink, "it is separate")
    (a.home / ".x/own/lock").write_text("a's")
    assert (a.volume / ".workspaces/id-a/.x/own/lock").read_text() == "a's"
