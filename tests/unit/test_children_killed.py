"""A program has replaced a child's directory, and a run is killed before each call that changes something."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from coder_ws_runtime.fs import kernel
from tests.harness.tree import Tree, read, write
from tests.unit.test_children import SPLIT, Homes

CALLS = ((kernel, "_renamed"), *((os, name) for name in ("unlink", "symlink", "rmdir", "rename", "mkdir")))
REPLACE: dict[str, Callable[[Path], object]] = {
    "the link on the volume is deleted": lambda home: (home / ".x/own").unlink(),
    "the link on the volume is renamed": lambda home: (home / ".x/own").rename(home / ".x/own.old"),
    "the parent's link is deleted": lambda home: (home / ".x").unlink(),
    "the parent's link is renamed": lambda home: (home / ".x").rename(home / ".x.old"),
}


class Killed(BaseException):
    """SIGKILL, as far as this process is concerned."""


def kill_at(patch: pytest.MonkeyPatch, limit: int) -> None:
    """Let the call with this number fail, and all later ones."""
    count = 0

    def wrapped(real: Callable[..., object]) -> Callable[..., object]:
        def call(*values: object, **options: object) -> object:
            nonlocal count
            count += 1
            if count >= limit:
                raise Killed
            return real(*values, **options)

        return call

    for module, name in CALLS:
        patch.setattr(module, name, wrapped(getattr(module, name)))


def replaced_and_killed(tree: Tree, replace: Callable[[Path], object], limit: int) -> bool:
    """Replace the directory, and resolve; returns whether that was killed."""
    tree.manifest(*SPLIT)
    tree.resolve()
    write(tree.home, {".x/own/port": "old", ".x/own/log": "1"})
    replace(tree.home)
    write(tree.home, {".x/own/port": "new"})
    with pytest.MonkeyPatch.context() as patch:
        kill_at(patch, limit)
        try:
            tree.resolve()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("name", REPLACE)
def test_both_contents_are_kept(name: str, tmp_path: Path) -> None:
    limit = 0
    killed = True
    while killed:
        limit += 1
        tree = Tree.at(tmp_path / str(limit))
        with Homes(tree).enter("w1"):
            killed = replaced_and_killed(tree, REPLACE[name], limit)
            assert tree.resolve().errors == []
            assert (tree.home / ".x/own/port").read_text() == "new", limit
            assert "old" in tree.attic().values(), limit
            if "parent" in name and "renamed" in name:
                assert read(tree.home / ".x.old") == {"own/port": "old", "own/log": "1"}, limit
            elif "renamed" in name:
                assert read(tree.volume / ".x/own.old") == {"port": "old", "log": "1"}, limit
            else:
                assert (tree.home / ".x/own/log").read_text() == "1", limit
            assert not tree.resolve().changed
    assert limit > len(CALLS)
