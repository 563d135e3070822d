"""A volume without room: it is said, the home is as it was, and the next run with room finishes."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from coder_ws_runtime.persist.reconcile.settle import settle
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
