"""A directory that stays in the home, because of a FIFO: all is kept, and nothing twice."""

import os
import time
from pathlib import Path

import pytest

from tests.fs.test_situations import save, told
from tests.harness.tree import Tree, write

WAL = b"\x37\x7f\x06\x82 last changes"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree.at(tmp_path)
    (made.home / ".d").mkdir()
    os.mkfifo(made.home / ".d/fifo")
    made.manifest(".d/")
    return made


@pytest.mark.parametrize("program", ["adds", "changes", "replaces", "moves in"])
def test_a_directory_where_the_volume_has_a_file(tree: Tree, program: str) -> None:
    """It loses as a whole. What a program does in it later makes it the newer save, as a whole."""
    write(tree.layout.root, {"made-before/saved": "saved"})
    time.sleep(0.02)
    write(tree.home, {".d/one/sub/inside": "home", ".d/one/other": "home"})
    time.sleep(0.02)
    write(tree.volume, {".d/one": "volume"})
    for _ in range(3):
        assert told(tree, ".d").code == "path.special"
        assert tree.attic() == {".d/one/sub/inside": "home", ".d/one/other": "home"}
    time.sleep(0.02)
    inside = tree.home / ".d/one/sub/inside"
    match program:
        case "adds":
            write(tree.home, {".d/one/sub/new": "saved"})
        case "changes":
            inside.write_text("saved")
        case "replaces":
            save(inside, "saved")
        case _:  # older files in a directory, and no more files than before
            inside.unlink()
            (tree.layout.root / "made-before").rename(tree.home / ".d/one/moved")
    for _ in range(2):
        assert told(tree, ".d").code == "path.special"
        assert tree.attic()[".d/one"] == "volume"
    shown = [tree.home / ".d/one", tree.volume / ".d/one"]
    mine, its = ({str(file.relative_to(top)) for file in top.rglob("*")} for top in shown)
    assert mine == its
    (tree.home / ".d/fifo").unlink()
    assert told(tree, ".d").error is None
    assert {str(file.relative_to(shown[1])) for file in shown[1].rglob("*")} == its
    assert "saved" in {file.read_text() for file in shown[1].rglob("*") if file.is_file()}


def test_a_directory_is_as_new_as_the_newest_file_in_it(tree: Tree) -> None:
    write(tree.volume, {".d/one": "volume"})
    time.sleep(0.02)
    write(tree.home, {".d/one/sub/inside": "home"})
    for _ in range(2):
        assert told(tree, ".d").code == "path.special"
        assert (tree.volume / ".d/one/sub/inside").read_text() == "home"
        assert tree.attic() == {".d/one": "volume"}


def test_an_older_database_with_its_last_changes(tree: Tree) -> None:
    """Both go to the attic once, and the run ends."""
    write(tree.home, {".d/db": "home"})
    journal = tree.home / ".d/db-wal"
    journal.write_bytes(WAL)
    time.sleep(0.02)
    write(tree.volume, {".d/db": "volume"})
    for _ in range(3):
        assert told(tree, ".d").code == "path.special"
        assert _kept_journals(tree) == [WAL]
    time.sleep(0.02)
    journal.write_bytes(WAL + b"later")
    assert told(tree, ".d").code == "path.special"
    assert sorted(_kept_journals(tree)) == [WAL, WAL + b"later"]
    assert (tree.volume / ".d/db").read_text() == "volume"


def _kept_journals(tree: Tree) -> list[bytes]:
    return [file.read_bytes() for file in tree.layout.state.glob("attic/*/.d/db-wal")]
