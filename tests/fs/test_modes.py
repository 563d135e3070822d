"""Directories that their owner may not write to, as a Go module cache has them: as the user, not as root."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_bounds import Bounds
from coder_ws_runtime.persist.store.attic_items import items
from coder_ws_runtime.persist.store.attic_pruning import prune
from tests.conftest import missing
from tests.fs.conftest import CODER, as_user, own
from tests.harness.tree import Tree, content, read, write


@dataclass(frozen=True)
class Case:
    """A state with directories of the mode 0555, and what is on the volume after a resolve."""

    home: dict[str, str]
    closed: list[str]
    volume: dict[str, str] = field(default_factory=dict)
    then: dict[str, str] = field(default_factory=dict)
    attic: dict[str, str] = field(default_factory=dict)


CASES = {
    "in a directory that is seeded": Case(
        {".d/a/b/x": "1", ".d/a/y": "2"}, ["home/.d/a/b", "home/.d/a"], then={".d/a/b/x": "1", ".d/a/y": "2"}
    ),
    "the declared directory itself": Case({".d/x": "1"}, ["home/.d"], then={".d/x": "1"}),
    "one that the volume lacks": Case(
        {".d/a/x": "1"}, ["home/.d/a"], {".d/y": "2"}, then={".d/a/x": "1", ".d/y": "2"}
    ),
    "one that both have": Case(
        {".d/a/x": "1", ".d/a/both": "h"},
        ["home/.d/a", "volume/.d/a"],
        {".d/a/y": "2", ".d/a/both": "v"},
        then={".d/a/x": "1", ".d/a/y": "2", ".d/a/both": "v"},
        attic={".d/a/both": "h"},
    ),
    "one where the volume has a file": Case(
        {".d/a/x": "1"}, ["home/.d/a"], {".d/a": "v"}, then={".d/a": "v"}, attic={".d/a/x": "1"}
    ),
}


@pytest.fixture
def tree() -> Iterator[Tree]:
    if os.geteuid() != 0:
        missing("root, to be another user")
    base = Path(tempfile.mkdtemp(prefix="cws-modes-"))
    base.chmod(0o755)
    made = Tree.at(base / "root")
    made.manifest(".d/")
    # What is imported late is imported now: `coder` may not be able to read this Python.
    write(made.home, {".d/x/y": "1"})
    write(made.volume, {".d/x": "1"})
    made.resolve()
    with Session(made.layout, made.settings) as session:
        items(session.volume)
    made.lose_container()
    shutil.rmtree(made.volume)
    made.volume.mkdir()
    yield made
    shutil.rmtree(base)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_moved_like_any_other(case: Case, tree: Tree) -> None:
    write(tree.home, case.home)
    write(tree.volume, case.volume)
    own(tree.layout.root)
    for path in case.closed:
        side, _, rest = path.partition("/")
        ((tree.home if side == "home" else tree.volume) / rest).chmod(0o555)

    def work() -> None:
        assert [str(error) for error in tree.resolve().errors] == []
        assert not tree.resolve().changed

    as_user(CODER, work)
    assert read(tree.home) == {".d": f"->{tree.volume}/.d"}
    assert content(tree.volume) == case.then
    assert tree.attic() == case.attic
    on_volume = [tree.volume / path.partition("/")[2] for path in case.closed]
    modes = {stat.S_IMODE(path.stat().st_mode) for path in on_volume if path.is_dir()}
    assert modes <= {0o555}, "what we had to open for a moment is closed again"


def test_the_attic_lets_go_of_it(tree: Tree) -> None:
    write(tree.home, {".d/a/x": "1"})
    write(tree.volume, {".d/a": "v"})
    own(tree.layout.root)
    (tree.home / ".d/a").chmod(0o555)

    def work() -> None:
        tree.resolve()
        with Session(tree.layout, tree.settings) as session:
            done = prune(session.volume, 0, Bounds(versions=0))
            assert [one.item.path for one in done.gone] == [".d/a/x"]
            assert items(session.volume) == []

    as_user(CODER, work)
    assert tree.attic() == {}
