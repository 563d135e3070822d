"""Directories below a shared one that are each workspace's own, or not kept; several containers, one volume.

Every container has the home at the same path, as in Docker: `Homes` moves one home away and another there.
"""

import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.fs.errors import ChangedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.child_content import take_over
from coder_ws_runtime.persist.children import ChildOutcome
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.status import status
from coder_ws_runtime.persist.store.attic_records import Reason
from coder_ws_runtime.persist.store.lease import Lease, note_seen
from coder_ws_runtime.settings import Workspace
from tests.harness.tree import Tree, read, write
from tests.unit.conftest import Command

SPLIT = [".x/", {"path": ".x/own/", "scope": "workspace"}]


class Homes:
    """Containers of one owner. The one that is entered has its home in place."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.parked = tree.layout.root / "parked"
        self.parked.mkdir()

    @contextmanager
    def enter(self, name: str) -> Iterator[Tree]:
        """The container of a workspace; its home and its ledger are as it left them."""
        tree = self.tree
        tree.settings = replace(tree.settings, workspace=Workspace(id=name, name=name))
        places = [
            (self.parked / f"{name}-home", tree.home),
            (self.parked / f"{name}-ledger", tree.layout.ledger_dir),
        ]
        for parked, place in places:
            shutil.rmtree(place, ignore_errors=True)
            if parked.exists():
                parked.rename(place)
            else:
                place.mkdir(parents=True)
        yield tree
        for parked, place in places:
            place.rename(parked)
            place.mkdir()

    def restart(self, name: str) -> None:
        """A new container: without the old one's home."""
        shutil.rmtree(self.parked / f"{name}-home", ignore_errors=True)
        shutil.rmtree(self.parked / f"{name}-ledger", ignore_errors=True)

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """The lease of a workspace is held."""
        with Session(self.tree.layout, replace(self.tree.settings, workspace=Workspace(id=name))) as session:
            lease = Lease(session.volume, name)
            yield
            lease.close()


@pytest.fixture
def homes(tree: Tree) -> Homes:
    return Homes(tree)


def settled(tree: Tree) -> ChildOutcome:
    report = tree.resolve()
    assert report.errors == []
    (child,) = report.children
    return child


def test_each_workspace_sees_its_own(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    for name in ("w1", "w2"):
        with homes.enter(name) as tree:
            assert settled(tree).state.value == "child.separate"
            write(tree.home, {".x/shared": "both", ".x/own/lock": name})
    for name in ("w1", "w2"):
        homes.restart(name)
        with homes.enter(name) as tree:
            assert settled(tree).state.value == "child.separate"
            assert (tree.home / ".x/own/lock").read_text() == name
            assert (tree.home / ".x/shared").read_text() == "both"
            assert not tree.resolve().changed


def test_what_is_not_kept_ends_with_the_container(homes: Homes) -> None:
    homes.tree.manifest(".x/", excepting=[".x/own/"])
    with homes.enter("w1") as tree:
        settled(tree)
        write(tree.home, {".x/own/a": "1"})
    with homes.enter("w2") as tree:
        settled(tree)
        assert read(tree.home / ".x/own/") == {}
    with homes.enter("w1") as tree:
        assert read(tree.home / ".x/own/") == {"a": "1"}
    homes.restart("w1")
    with homes.enter("w1") as tree:
        settled(tree)
        assert read(tree.home / ".x/own/") == {}
        assert "a" not in read(tree.volume)


@pytest.mark.parametrize("kept", [True, False])
def test_what_was_shared_before_is_not_lost(homes: Homes, kept: bool) -> None:  # noqa: FBT001 - a column
    homes.tree.manifest(".x/")
    with homes.enter("w1") as tree:
        tree.resolve()
        write(tree.home, {".x/own/sub/a": "1"})
    if kept:
        homes.tree.manifest(*SPLIT)
    else:
        homes.tree.manifest(".x/", excepting=[".x/own/"])
    with homes.enter("w1") as tree:
        found = settled(tree)
        assert found.changed
        assert bool(found.attic) is not kept
        assert read(tree.home / ".x/own/") == ({"sub/a": "1"} if kept else {})
        assert tree.attic() == ({} if kept else {".x/own/sub/a": "1"})
    with homes.enter("w2") as tree:
        settled(tree)
        assert read(tree.home / ".x/own/") == {}


def test_it_waits_for_a_workspace_that_knows_nothing_of_it(homes: Homes) -> None:
    """It was started with an older image, or before the manifest was there: the link would lead nowhere."""
    homes.tree.manifest(".x/")
    with homes.enter("w2") as tree:
        tree.resolve()
        write(tree.home, {".x/own/live": "w2"})
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree, homes.running("w2"):
        found = settled(tree)
        assert (found.state.value, "w2" in found.problem) == ("child.waits", True)
        assert read(tree.home / ".x/own/") == {"live": "w2"}
        assert status(tree.layout, tree.settings).refused == ()
    with homes.enter("w2") as tree:
        with homes.running("w1"):  # it has prepared its side
            assert settled(tree).state.value == "child.separate"
        assert read(tree.home / ".x/own/") == {"live": "w2"}
    with homes.enter("w1") as tree:
        assert read(tree.home / ".x/own/") == {}
        assert settled(tree).state.value == "child.separate"


def test_an_image_that_does_not_declare_it_has_its_own_too(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        settled(tree)
        write(tree.home, {".x/own/a": "w1"})
    homes.tree.manifest(".x/")
    with homes.enter("w2") as tree:
        assert settled(tree).state.value == "child.separate"
        write(tree.home, {".x/own/a": "w2"})
    with homes.enter("w1") as tree:
        assert (tree.home / ".x/own/a").read_text() == "w1"


def test_what_was_linked_by_itself_before_its_parent_was(homes: Homes) -> None:
    homes.tree.manifest({"path": ".x/own/", "scope": "workspace"})
    with homes.enter("w1") as tree:
        tree.resolve()
        write(tree.home, {".x/own/a": "1", ".x/other": "2"})
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        settled(tree)
        assert read(tree.home / ".x/own/") == {"a": "1"}
        assert (tree.home / ".x/other").read_text() == "2"
    with homes.enter("w2") as tree:
        settled(tree)
        assert read(tree.home / ".x/own/") == {}


def test_a_link_of_the_users_stays(homes: Homes) -> None:
    homes.tree.manifest(".x/")
    with homes.enter("w1") as tree:
        tree.resolve()
        write(tree.home, {"mine/a": "1", ".x/own": "->../mine"})
        homes.tree.manifest(*SPLIT)
        found = settled(tree)
        assert (found.state.value, found.changed) == ("child.diverted", False)
        assert (tree.volume / ".x/own").readlink() == Path("../mine")


def test_a_home_with_another_path_shares_and_says_so(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        settled(tree)
    layout = replace(homes.tree.layout, home=homes.tree.layout.root / "root")
    layout.home.mkdir()
    other = Tree(layout, homes.tree.settings)
    assert settled(other).state.value == "child.other-home"


def test_without_the_parent_nothing_is_made(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        write(tree.home, {"mine/": "", ".x": "->mine"})
        found = settled(tree)
        assert found.state.value == "child.no-parent"
        assert ".x" not in read(tree.volume)


def test_an_interrupted_run_is_finished(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        settled(tree)
        write(tree.volume, {".x/.own.home-persist/a": "1"})
        assert settled(tree).changed
        assert read(tree.home / ".x/own/") == {"a": "1"}
        write(tree.volume, {".x/.own.home-persist": "->left"})
        settled(tree)
        assert sorted(read(tree.volume / ".x")) == ["own"]


def test_a_dry_run_changes_nothing(homes: Homes) -> None:
    homes.tree.manifest(".x/")
    with homes.enter("w1") as tree:
        tree.resolve()
        write(tree.home, {".x/own/a": "1"})
        homes.tree.manifest(*SPLIT)
        before = read(tree.volume), read(tree.home)
        (found,) = tree.resolve(dry_run=True).children
        assert (found.changed, (read(tree.volume), read(tree.home))) == (True, before)


def test_without_an_id_it_is_not_kept(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        tree.settings = replace(tree.settings, workspace=Workspace())
        report = tree.resolve()
        assert report.errors == []
        write(tree.home, {".x/own/a": "1"})
        assert ".workspaces" not in "".join(read(tree.volume))


def test_removed_by_a_program_it_is_made_again(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        settled(tree)
        write(tree.home, {".x/own/a": "w1"})
        (tree.home / ".x/own").unlink()
    with homes.enter("w2") as tree:
        write(tree.volume, {".x/own/b": "w2"})
        settled(tree)
        assert read(tree.home / ".x/own/") == {"b": "w2"}
    with homes.enter("w1") as tree:
        assert read(tree.home / ".x/own/") == {"a": "w1"}


def replace_by_directory(place: Path, files: dict[str, str]) -> None:
    """As `rm -r DIR; mkdir DIR` by a program that sees a directory; after the clock's next tick."""
    time.sleep(0.02)
    place.unlink()
    write(place, files)


def test_made_again_by_a_program_it_is_merged_as_a_save(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    for name in ("w2", "w1"):
        with homes.enter(name) as tree:
            settled(tree)
            write(tree.home, {".x/own/port": f"{name} old", ".x/own/log": name})
    for restart in (False, True):
        with homes.enter("w1") as tree:
            replace_by_directory(tree.home / ".x/own", {"port": "new", "sub/a": "1"})
        if restart:
            homes.restart("w1")
        with homes.enter("w1") as tree:
            found = settled(tree)
            assert (found.state.value, found.problem) == ("child.separate", "")
            assert bool(found.attic) is not restart
            assert read(tree.home / ".x/own/") == {"port": "new", "sub/a": "1", "log": "w1"}
            assert tree.attic() == {".x/own/port": "w1 old"}
            assert not tree.resolve().changed
    with homes.enter("w2") as tree:
        assert not tree.resolve().changed
        assert read(tree.home / ".x/own/") == {"port": "w2 old", "log": "w2"}


def test_what_another_workspace_put_there_is_not_taken(homes: Homes, run: Command) -> None:
    """It may have done so: it runs, or it ran when the content was written."""
    homes.tree.manifest(*SPLIT)
    for name in ("w2", "w1"):
        with homes.enter(name) as tree:
            settled(tree)
            write(tree.home, {".x/own/port": name})
    with homes.enter("w1") as tree, homes.running("w2"):
        replace_by_directory(tree.home / ".x/own", {"port": "whose?"})
        found = settled(tree)
        assert (found.state.value, bool(found.problem), bool(found.attic)) == ("child.separate", True, True)
        assert read(tree.home / ".x/own/") == {"port": "w1"}
        assert tree.attic() == {".x/own/port": "whose?"}
        assert run("attic", "restore", "--force", "~/.x/own").status == 0
        assert read(tree.home / ".x/own/") == {"port": "whose?"}
    with homes.enter("w2") as tree:
        replace_by_directory(tree.home / ".x/own", {"port": "w2 new"})
    time.sleep(0.02)
    with Session(homes.tree.layout, homes.tree.settings) as session:
        note_seen(session.volume, "w2")
    with homes.enter("w1") as tree:
        assert settled(tree).problem
        assert read(tree.home / ".x/own/") == {"port": "whose?"}


def test_an_empty_copy_does_not_take_what_another_workspace_put_there(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    for name in ("w2", "w1"):
        with homes.enter(name) as tree:
            settled(tree)
    with homes.enter("w1") as tree, homes.running("w2"):
        replace_by_directory(tree.home / ".x/own", {"port": "w2"})
        assert settled(tree).problem
        assert read(tree.home / ".x/own/") == {}
        assert tree.attic() == {".x/own/port": "w2"}


def test_made_again_in_a_new_parent_it_is_merged_or_replaced(homes: Homes) -> None:
    """In the home, it is this workspace's, whoever else is running."""
    homes.tree.manifest(*SPLIT)
    for name in ("w2", "w1"):
        with homes.enter(name) as tree:
            settled(tree)
            write(tree.home, {".x/shared": "1", ".x/own/port": "old", ".x/own/log": name})
    with homes.enter("w1") as tree, homes.running("w2"):
        (tree.home / ".x").unlink()
        write(tree.home, {".x/own/port": "merged"})
        assert settled(tree).state.value == "child.separate"
        assert read(tree.home / ".x/own/") == {"port": "merged", "log": "w1"}
        assert (tree.home / ".x/shared").read_text() == "1"
        (tree.home / ".x").rename(tree.home / ".x.old")
        write(tree.home, {".x/own/port": "replaced"})
        report = tree.resolve()
        assert (report.errors, [outcome.problem for outcome in report.outcomes]) == ([], [""])
        assert [child.state.value for child in report.children] == ["child.separate"]
        assert read(tree.home / ".x/") == {"own": read(tree.home / ".x/")["own"]}
        assert read(tree.home / ".x/own/") == {"port": "replaced"}
        assert read(tree.home / ".x.old") == {"shared": "1", "own/port": "merged", "own/log": "w1"}
        assert not tree.resolve().changed
    with homes.enter("w2") as tree:
        settled(tree)
        assert read(tree.home / ".x/own/") == {"port": "old", "log": "w2"}


def test_in_a_parent_that_stays_in_the_home_it_is_kept(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        settled(tree)
        write(tree.home, {".x/own/port": "old"})
        (tree.home / ".x").unlink()
        write(tree.home, {".x/own/port": "new"})
        os.mkfifo(tree.home / ".x/fifo")
        for _ in range(2):
            (child,) = tree.resolve().children
            assert child.state.value == "child.no-parent"
            assert (tree.home / ".x/own/port").read_text() == "new"
            assert read(tree.volume / ".workspaces/w1/.x/own") == {"port": "new"}
        (tree.home / ".x/fifo").unlink()
        assert settled(tree).state.value == "child.separate"
        assert read(tree.home / ".x/own/") == {"port": "new"}


def test_what_keeps_changing_is_moved_by_the_next_run(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        settled(tree)
        write(tree.home, {".x/own/port": "old"})
        (tree.home / ".x/own").unlink()
        write(tree.home, {".x/own/port": "new"})
        with patch("coder_ws_runtime.persist.child_content.compare", side_effect=ChangedError("port")):
            assert [error.code for error in tree.resolve().errors] == ["path.busy"]
        assert settled(tree).state.value == "child.separate"
        assert read(tree.home / ".x/own/") == {"port": "new"}


@pytest.mark.parametrize("renamed", [False, True])
def test_taken_over_by_a_run_that_was_killed(homes: Homes, renamed: bool) -> None:  # noqa: FBT001 - a column
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        settled(tree)
        write(tree.home, {".x/own/port": "old", ".x/own/log": "1"})
        if renamed:
            (tree.home / ".x").rename(tree.home / ".x.old")
        else:
            (tree.home / ".x").unlink()
        write(tree.home, {".x/own/port": "new"})
        with Session(tree.layout, tree.settings) as session:
            found = load_declarations(tree.layout, tree.settings)
            killed = patch("coder_ws_runtime.persist.child_content._lead_to_detour", side_effect=SystemExit)
            with killed, pytest.raises(SystemExit):
                take_over(session, found.children)
        assert (tree.home / ".x/own/port").read_text() == "old", "for this moment"
        assert settled(tree).state.value == "child.separate"
        assert read(tree.home / ".x/own/") == ({"port": "new"} if renamed else {"port": "new", "log": "1"})
        assert "old" in " ".join(tree.attic().values())
        assert not tree.resolve().changed


def test_renamed_by_a_program_its_new_name_has_the_content(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        settled(tree)
        write(tree.home, {".x/own/port": "old"})
        (tree.home / ".x/own").rename(tree.home / ".x/own.bak")
        assert settled(tree).state.value == "child.separate"
        (tree.home / ".x/own").rename(tree.home / ".x/own.bak2")
        write(tree.home, {".x/own/new": "1"})
        assert settled(tree).state.value == "child.separate"
        assert read(tree.home / ".x/own/") == {"new": "1"}
        for name in ("own.bak", "own.bak2"):
            assert read(tree.volume / ".x" / name) == {"port": "old"}
        assert not tree.resolve().changed


def test_a_note_that_is_broken_is_no_loss(homes: Homes) -> None:
    homes.tree.manifest(*SPLIT)
    for text in ("", "[]", '{"prepared": 3}', '{"paths": [3, "../x"], "prepared": {"w1": null}}'):
        write(homes.tree.layout.state, {"children/known.json": text})
        with homes.enter("w1") as tree:
            settled(tree)
    assert json.loads((homes.tree.layout.state / "children/known.json").read_text())["paths"] == [".x/own"]


def test_what_the_attic_has_of_it_is_restored_to_its_own(homes: Homes, run: Command) -> None:
    """Not to the shared directory, where the link has its place that all workspaces follow."""
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        settled(tree)
        write(tree.home, {".x/own/lock": "w1"})
        with (
            Session(tree.layout, tree.settings) as session,
            session.attic.place(".workspaces/w1/.x/own", Reason.MIGRATED) as (fd, name),
        ):
            os.rename(tree.volume / ".workspaces/w1/.x/own", name, dst_dir_fd=fd)
        assert run("attic", "restore", "~/.x/own").status == 0
        assert (tree.home / ".x/own/lock").read_text() == "w1"
        assert (tree.volume / ".x/own").is_symlink()
        assert not tree.resolve().changed


def test_it_is_listed_with_its_own_path(homes: Homes, run: Command) -> None:
    homes.tree.manifest(*SPLIT)
    with homes.enter("w1") as tree:
        settled(tree)
        write(tree.home, {".x/own/a": "12345"})
        shown = json.loads(run("status", "--json").out)["paths"]
        own = next(row for row in shown if row["path"] == ".x/own")
        assert (own["scope"], own["state"], len(shown)) == ("workspace", "linked", 2)


def test_the_user_declares_one(homes: Homes, run: Command) -> None:
    homes.tree.manifest(".x/")
    with homes.enter("w1") as tree:
        tree.resolve()
        write(tree.home, {".x/own/a": "1", ".x/file": "2"})
        told = run("add", "--scope", "workspace", "~/.x/own")
        assert (told.status, told.err) == (0, "")
        assert read(tree.home / ".x/own/") == {"a": "1"}
        assert read(tree.volume / ".workspaces/w1") == {".x/own/a": "1"}
        assert run("add", "--scope", "workspace", "~/.x/own").out.startswith("~/.x/own: is already kept")
        hints = {
            "~/.x/file": "leave it shared: it is a file",
            "~/.x/unwritten": "name the directory: home-persist add --scope workspace ~/.x/unwritten/",
        }
        for path, hint in hints.items():
            (error,) = run("add", "--json", "--scope", "workspace", path).errors
            assert error["remedy"] == hint
        assert run("add", "--scope", "workspace", "~/.x/unwritten/").status == 0
        assert (tree.home / ".x/unwritten").is_dir()


def test_shipped(tmp_path: Path) -> None:
    """What belongs to a running workspace below an owner's directory, in our own manifests."""
    tree = Tree.at(tmp_path)
    for file in (Path(__file__).parents[2] / "manifests").glob("*.json"):
        shutil.copy(file, tree.layout.manifest_dir)
    found = load_declarations(Layout.of(tmp_path), tree.settings)
    assert found.refused == ()
    assert {child.entry.path for child in found.children} == {".claude/ide", ".claude/sessions"}
