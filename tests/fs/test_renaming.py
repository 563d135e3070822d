"""Renames that replace nothing, on file systems that know renameat2's flags and on those that do not."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from coder_ws_runtime.fs import kernel
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from tests.harness.tree import Tree, content, read, write

FLAGS = ["flags", "no flags"]


@dataclass(frozen=True)
class Case:
    """What is there, and what is there afterwards; with a target in its way nothing is moved."""

    before: dict[str, str]
    after: dict[str, str]
    refused: bool = False


CASES = {
    "a file": Case({"a": "1"}, {"b": "1"}),
    "a link": Case({"a": "->x"}, {"b": "->x"}),
    "a directory": Case({"a/x": "1"}, {"b/x": "1"}),
    "a file onto a file": Case({"a": "1", "b": "2"}, {"a": "1", "b": "2"}, refused=True),
    "a file onto a directory": Case({"a": "1", "b/": ""}, {"a": "1", "b/": ""}, refused=True),
    "a directory onto an empty one": Case({"a/x": "1", "b/": ""}, {"a/x": "1", "b/": ""}, refused=True),
    "a directory onto a file": Case({"a/x": "1", "b": "2"}, {"a/x": "1", "b": "2"}, refused=True),
}


@pytest.fixture(params=FLAGS)
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if request.param == "no flags":
        monkeypatch.setattr(kernel, "_renamed", lambda *_: errno.EINVAL)
    return tmp_path


def done(place: Path, work: Callable[[int], None]) -> None:
    fd = os.open(place, os.O_RDONLY)
    try:
        work(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_rename(case: Case, place: Path) -> None:
    write(place, case.before)
    try:
        done(place, lambda fd: kernel.rename_new(fd, "a", fd, "b"))
    except FileExistsError:
        assert case.refused
    else:
        assert not case.refused
    assert read(place) == case.after


def test_a_directory_that_is_filled_in_that_moment(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an empty directory holds the place, what another process puts into it stays."""
    write(place, {"a/x": "1"})
    real = os.rename

    def late(*args: object, **kwargs: object) -> None:
        (place / "b").mkdir(exist_ok=True)
        write(place, {"b/y": "2"})
        real(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rename", late)
    try:
        done(place, lambda fd: kernel.rename_new(fd, "a", fd, "b"))
    except FileExistsError:
        assert read(place) == {"a/x": "1", "b/y": "2"}
    else:
        assert read(place) == {"b/x": "1"}


@pytest.mark.parametrize(
    "before", [{"a": "1", "b": "2"}, {"a/x": "1", "b": "2"}, {"a/x": "1", "b/y": "2"}], ids=str
)
def test_swap(before: dict[str, str], place: Path) -> None:
    write(place, before)
    done(place, lambda fd: kernel.swap(fd, "a", fd, "b"))
    other = {"a": "b", "b": "a"}
    assert read(place) == {other[path[0]] + path[1:]: text for path, text in before.items()}


@pytest.mark.parametrize("path", ["f", ".d/"])
def test_killed_where_nothing_is_in_the_place_of_the_link(path: str, tmp_path: Path) -> None:
    """Where they cannot be swapped, content goes before the link comes: that is no deleted link."""
    tree = Tree.at(tmp_path)
    tree.manifest(path)
    file = path if path == "f" else f"{path}x"
    write(tree.home, {file: "older"})
    tree.resolve()
    (tree.home / path.rstrip("/")).unlink()
    write(tree.home, {file: "newer"})
    child = os.fork()
    if child == 0:
        calls = 0
        real = os.symlink

        def symlink(*args: object, **kwargs: object) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:  # the first makes the one that was to be swapped
                os._exit(9)
            real(*args, **kwargs)  # type: ignore[arg-type]

        os.symlink = symlink
        kernel._renamed = lambda *_: errno.EINVAL  # noqa: SLF001 - in this child only
        tree.resolve()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not os.path.lexists(tree.home / path.rstrip("/"))
    (entry,) = load_declarations(tree.layout, tree.settings).entries
    with Session(tree.layout, tree.settings) as session:
        assert settle(session, entry).decision is Decision.LINK
    assert (tree.home / file).read_text() == "newer"
    assert content(tree.volume) == {file: "newer"}
