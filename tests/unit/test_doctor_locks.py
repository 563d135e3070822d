"""The check of locks in repositories: real gits, of which some may hold the lock that is found."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.context import Context
from tests.harness.tree import Tree, write

LOCKS = next(item for item in CHECKS if item.id == "home.locks")
IDENTITY = {f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
COMMIT = ["commit", "-a", "-m", "x", "--edit"]


@dataclass(frozen=True)
class Row:
    """A git that runs while the lock of `projects/app` is there, and whether it may hold it."""

    running: str
    argv: list[str]
    cwd: str = ""
    """Relative to the projects."""
    holds: bool = True
    env: Mapping[str, str] = field(default_factory=dict)


ROWS = [
    Row("a commit in the repository", COMMIT, cwd="app"),
    Row("a commit in a directory of it", COMMIT, cwd="app/src"),
    Row("a commit from elsewhere", ["-C", "app", *COMMIT]),
    Row("a commit by its directories", ["--git-dir=app/.git", "--work-tree=app", *COMMIT]),
    Row("a commit by variables", COMMIT, env={"GIT_DIR": "app/.git", "GIT_WORK_TREE": "app"}),
    Row("a commit in another repository", COMMIT, holds=False, cwd="other"),
    Row("a commit in a repository whose name begins so", COMMIT, holds=False, cwd="app2"),
    Row(
        "a cache of passwords", ["credential-cache--daemon", "{home}/.cache/socket"], holds=False, cwd="app2"
    ),
]


@contextmanager
def git(tree: Tree, row: Row) -> Iterator[None]:
    """Such a git, with an editor that stays open."""
    argv = ["git", *(word.format(home=tree.home) for word in row.argv)]
    env = {**os.environ, **IDENTITY, "HOME": str(tree.home), "GIT_EDITOR": "touch ../opened; sleep 60; :"}
    env |= row.env
    child = subprocess.Popen(
        argv, cwd=tree.home / "projects" / row.cwd, env=env, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        _until((tree.home / "projects/opened" if "commit" in argv else tree.home / ".cache/socket").exists)
        yield
    finally:
        os.killpg(child.pid, signal.SIGTERM)
        child.communicate()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def projects(tree: Tree) -> Path:
    projects = tree.home / "projects"
    write(
        tree.layout.root, {"etc/coder/workspace.json": '{"version": 1, "projects": "/home/coder/projects"}'}
    )
    (tree.layout.root / "proc").symlink_to("/proc")
    (tree.home / ".cache").mkdir(mode=0o700)
    for name in ("app", "app2", "other"):
        write(projects / name, {"file": "1", "src/file": "1"})
        for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
            subprocess.run(["git", *words], cwd=projects / name, env={**os.environ, **IDENTITY}, check=True)
        write(projects / name, {"file": "2"})
    return projects


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.running)
def test_whose_lock_it_is(row: Row, projects: Path, tree: Tree) -> None:
    lock = projects / "app/.git/index.lock"
    with git(tree, row):
        assert lock.exists() == row.holds
        lock.touch()
        found = LOCKS.function(Context.of(tree.layout.root, {}))
    assert [item.about for item in found.findings] == ([] if row.holds else [str(lock)])
