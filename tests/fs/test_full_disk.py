"""A volume without room: it is said, the home is as it was, and the next run with room finishes."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.add import add
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.remove import Removal
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.wish import Wish
from tests.conftest import missing
from tests.fs.conftest import mounted
from tests.harness.tree import Tree, content, read, write

SIZE = 1 << 20
BIG = "x" * (SIZE * 2)


def _grow(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", place], check=True)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Tree]:
    if os.geteuid() != 0:
        missing("root, to mount a small tmpfs")
    made = Tree.at(tmp_path)
    with mounted(made.volume, f"size={SIZE}"):
        yield made


def test_no_room_for_one_path_leaves_it_and_the_others_go_on(tree: Tree) -> None:
    home = {".small/a": "a", ".big/one": BIG, ".big/two": "two", "file": "file"}
    write(tree.home, home)
    tree.manifest(".big/", ".small/", "file")
    report = tree.resolve()
    assert [(error.place, error.code) for error in report.errors] == [("~/.big", "path.no-space")]
    assert report.errors[0].hint
    assert read(tree.home) == {
        ".big/one": BIG,
        ".big/two": "two",
        ".small": f"->{tree.volume}/.small",
        "file": f"->{tree.volume}/file",
    }
    assert content(tree.volume) == {".small/a": "a", "file": "file"}
    assert not list((tree.layout.state / "staging").iterdir()), "no half copy takes up room"


def test_when_there_is_room_the_next_run_finishes(tree: Tree) -> None:
    write(tree.home, {".big/one": BIG, ".big/two": "two"})
    tree.manifest(".big/")
    assert tree.resolve().errors
    _grow(tree.volume, f"size={SIZE * 4}")
    report = tree.resolve()
    assert report.errors == []
    assert report.changed
    assert content(tree.volume) == {".big/one": BIG, ".big/two": "two"}
    assert read(tree.home) == {".big": f"->{tree.volume}/.big"}
    assert not tree.resolve().changed


@pytest.mark.parametrize("running", [False, True], ids=["resolve", "heal"])
def test_no_room_for_what_replaced_a_link(tree: Tree, *, running: bool) -> None:
    """The newer save stays in the home, the older one on the volume."""
    from coder_ws_runtime.persist.manifest.load import load_declarations
    from coder_ws_runtime.persist.session import Session

    tree.manifest("file")
    write(tree.home, {"file": "older"})
    tree.resolve()
    (tree.home / "file").unlink()
    (tree.home / "file").write_text(BIG)
    entry = load_declarations(tree.layout, tree.settings).entries[0]
    with Session(tree.layout, tree.settings) as session:
        session.relink = not running
        outcome = settle(session, entry)
    assert outcome.error is not None
    assert (tree.home / "file").read_text() == BIG
    assert content(tree.volume) == {"file": "older"}


def test_a_volume_that_is_full_to_the_last_inode_or_block(tree: Tree) -> None:
    """Not even our own directories can be made: still one clear line for each path."""
    (tree.volume / "ballast").write_bytes(b"")
    with contextlib.suppress(OSError), (tree.volume / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)
    count = 0
    with contextlib.suppress(OSError):
        while count < 100_000:
            (tree.volume / f"n{count}").touch()
            count += 1
    write(tree.home, {".a/x": "x", "b": "b"})
    tree.manifest(".a/", "b", ".new/")
    report = tree.resolve()
    assert {error.place for error in report.errors} >= {"~/.a", "~/b"}
    assert {error.code for error in report.errors} == {"path.no-space"}
    assert read(tree.home)[".a/x"] == "x"
    assert read(tree.home)["b"] == "b"
    (tree.volume / "ballast").unlink()
    for number in range(count):
        (tree.volume / f"n{number}").unlink()
    assert tree.resolve().errors == []
    assert content(tree.volume) == {".a/x": "x", "b": "b", ".new/": ""}


def test_a_volume_that_became_read_only(tree: Tree) -> None:
    from coder_ws_runtime.errors import NoVolumeError

    write(tree.home, {".a/x": "x"})
    tree.manifest(".a/")
    _grow(tree.volume, "ro")
    with pytest.raises(NoVolumeError, match="read-only") as refused:
        tree.resolve()
    assert refused.value.hint
    assert read(tree.home) == {".a/x": "x"}
    _grow(tree.volume, "rw")
    assert tree.resolve().errors == []


def test_each_path_of_a_row_of_renames_is_named(tree: Tree) -> None:
    tree.manifest("a", "b")
    write(tree.home, {"a": "A", "b": "B"})
    tree.resolve()
    (tree.home / "a").rename(tree.home / "b")
    write(tree.home, {"a": "new"})
    _fill(tree.volume)
    report = tree.resolve()
    assert sorted((error.place, error.code) for error in report.errors) == [
        ("~/a", "path.no-space"),
        ("~/b", "path.no-space"),
    ]
    (tree.volume / "ballast").unlink()
    assert tree.resolve().errors == []
    assert content(tree.volume) == {"a": "new", "b": "A"}


# Which one is full: the home or the volume ------------------------------------------------------------


@pytest.fixture
def small_home(tmp_path: Path) -> Iterator[Tree]:
    """A home without room for a second copy of its one file, whose content is on a volume with room."""
    if os.geteuid() != 0:
        missing("root, to mount a small tmpfs")
    made = Tree.at(tmp_path)
    with mounted(made.home, f"size={SIZE}"):
        with Session(made.layout, made.settings) as session:
            write(made.home, {"f": "x" * (SIZE // 2)})
            add(session, [Wish("f", slash=False)])
        yield made


def _fill(place: Path) -> None:
    with contextlib.suppress(OSError), (place / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 4096)


def test_a_home_without_room_for_a_backup(small_home: Tree) -> None:
    """The partial copy is removed before the message is made: then there is some room."""
    (small_home.home / "f").rename(small_home.home / "f.bak")
    write(small_home.home, {"f": "new", "big": "x" * (SIZE * 3 // 4)})
    (error,) = small_home.resolve().errors
    assert (error.code, error.place) == ("path.no-space", "~/f")
    assert "home's file system" in error.message
    assert "resolve" in error.hint


@pytest.mark.parametrize("full", [False, True], ids=["a little room", "no room"])
def test_a_home_without_room_for_what_comes_back(small_home: Tree, full: bool) -> None:  # noqa: FBT001
    write(small_home.home, {"big": "x" * (SIZE * 3 // 4)})
    if full:
        _fill(small_home.home)
    with Session(small_home.layout, small_home.settings) as session:
        (removed,) = Removal(session).run(["f"])
    assert removed.error is not None
    assert (removed.error.code, "home's file system" in removed.error.message) == ("path.no-space", True)
    assert "resolve" not in removed.error.hint, "that does not remove it"
    assert len((small_home.home / "f").read_text()) == SIZE // 2


def test_a_home_without_room_for_a_link(small_home: Tree) -> None:
    small_home.manifest("g")
    write(small_home.volume, {"g": "1"})
    subprocess.run(["mount", "-o", "remount,nr_inodes=2", small_home.home], check=True)
    (error,) = small_home.resolve().errors
    assert (error.code, error.place) == ("path.no-space", "~/g")
    assert "home's file system" in error.message


def test_a_volume_without_room_and_a_home_with_little(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        missing("root, to mount a small tmpfs")
    tree = Tree.at(tmp_path)
    with mounted(tree.home, f"size={SIZE}"), mounted(tree.volume, f"size={SIZE}"):
        write(tree.home, {"f": "x" * (SIZE * 3 // 4)})
        write(tree.volume, {"other": "x" * (SIZE // 2)})
        tree.manifest("f")
        (error,) = tree.resolve().errors
    assert (error.code, error.message.startswith("the volume is full")) == ("path.no-space", True)


def test_what_add_could_not_declare_is_not_for_resolve(tree: Tree) -> None:
    write(tree.home, {"f": "1"})
    tree.resolve()
    _fill(tree.volume)
    with pytest.raises(RefusedError) as refused, Session(tree.layout, tree.settings) as session:
        add(session, [Wish("f", slash=False)])
    assert refused.value.code == "path.no-space"
    assert "volume" in refused.value.message
    assert "resolve" not in refused.value.hint
    assert (tree.home / "f").read_text() == "1"
