"""Two versions side by side: the first release that others have, and this one, on one volume, in both orders.

What the release does must go on working on a volume that this version has written, and the other way round.
The release is built from the history of this checkout.
"""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coder_ws_runtime.layout import Layout
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.settings import Workspace as SettingsWorkspace
from devtools.shell import ROOT
from tests.conftest import Tried, missing
from tests.harness.tree import Tree, content, write

RELEASE = "9ea3925"


@pytest.fixture(scope="module")
def release() -> Iterator[Path]:
    """Where the release is installed, without its dependencies: it uses ours."""
    archive = subprocess.run(["git", "-C", ROOT, "archive", RELEASE], capture_output=True, check=False)
    if archive.returncode:
        missing(f"the commit {RELEASE}: git fetch --unshallow")
    with tempfile.TemporaryDirectory(prefix="cws-release-") as directory:
        source, target = Path(directory) / "source", Path(directory) / "installed"
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(source, filter="data")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
        subprocess.run([*pip, *options, source], check=True, capture_output=True)
        yield target


@dataclass(frozen=True)
class Workspace:
    """A workspace that runs one of the two."""

    tree: Tree
    code: Path
    """Where its package is."""
    script: Path

    def run(self, *words: str, status: int = 0) -> str:
        """Run `home-persist`; what it printed on stdout."""
        root = self.tree.layout.root
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(self.code),
            "PYTHONSAFEPATH": "1",
            "CODER_WORKSPACE_ID": self.tree.settings.workspace.id,
            "TERM": "dumb",
        }
        done = subprocess.run(
            [sys.executable, self.script, *words, "--root", root],
            env=environment,
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    def json(self, *words: str) -> dict[str, Any]:
        """What a command says as JSON."""
        document: dict[str, Any] = json.loads(self.run(*words, "--json"))
        return document

    def save(self, path: str, text: str) -> None:
        """As programs save, and then as a boot does."""
        new = self.tree.home / f"{path}.new"
        new.write_text(text)
        new.replace(self.tree.home / path)
        self.run("resolve")


@dataclass(frozen=True)
class Pair:
    """Two workspaces of an owner, on one volume."""

    first: Workspace
    second: Workspace


@pytest.fixture(params=["the release first", "this version first"])
def pair(request: pytest.FixtureRequest, release: Path, tmp_path: Path) -> Pair:
    codes = [
        (release, release / "bin/home-persist"),
        (ROOT, Path(sys.executable).with_name("home-persist")),
    ]
    if request.param == "this version first":
        codes.reverse()
    made: list[Workspace] = []
    for number, (code, script) in enumerate(codes, 1):
        shared = tmp_path / "volume"
        shared.mkdir(exist_ok=True)
        at = Layout.of(tmp_path / f"w{number}").volume
        at.parent.mkdir(parents=True)
        at.symlink_to(shared)
        tree = Tree.at(tmp_path / f"w{number}")
        tree.settings = Settings(workspace=SettingsWorkspace(id=f"w{number}", name="dev"))
        tree.manifest(".d/", "f", {"path": ".own", "scope": "workspace"})
        made.append(Workspace(tree, code, script))
    return Pair(*made)


def test_each_goes_on_with_what_the_other_wrote(pair: Pair, tried: Tried) -> None:
    first, second = pair.first, pair.second
    volume = first.tree.volume
    write(first.tree.home, {".d/a": "1", "f": "first", ".own": "of w1"})
    first.run("resolve")
    first.save("f", "second")
    write(second.tree.home, {".d/b": "2", ".own": "of w2"})
    second.run("resolve")
    second.save("f", "third")
    first.save("f", "fourth")
    second.run("resolve")
    assert (second.tree.home / "f").read_text() == "fourth"
    assert content(volume) == {
        ".d/a": "1",
        ".d/b": "2",
        "f": "fourth",
        ".workspaces/w1/.own": "of w1",
        ".workspaces/w2/.own": "of w2",
    }
    tried("versions side by side", 1)


def test_each_lists_and_restores_the_others_attic(pair: Pair) -> None:
    first, second = pair.first, pair.second
    write(first.tree.home, {"f": "1"})
    first.run("resolve")
    first.save("f", "2")
    second.run("resolve")
    second.save("f", "3")
    for workspace in (first, second):
        assert len(workspace.json("attic", "list")["items"]) == 2
    second.run("attic", "restore", "--force", "f")
    first.run("attic", "restore", "--force", "f")
    batches = {item["batch"] for item in second.json("attic", "list", "f")["items"]}
    second.run("attic", "restore", "--force", "--batch", min(batches), "f")
    everything = sorted(
        [*(text for text in first.tree.attic().values()), (first.tree.volume / "f").read_text()]
    )
    assert set(everything) <= {"1", "2", "3"}
    for workspace in (first, second):
        assert workspace.run("attic", "prune").strip()
        workspace.run("attic", "prune", "--yes")


def test_each_reads_the_others_declarations(pair: Pair) -> None:
    first, second = pair.first, pair.second
    write(first.tree.home, {".mine/x": "1"})
    write(second.tree.home, {".theirs/y": "2"})
    first.run("add", "~/.mine/")
    second.run("add", "~/.theirs/")
    second.run("resolve")
    first.run("resolve")
    for workspace in (first, second):
        assert (workspace.tree.home / ".mine/x").read_text() == "1"
        assert (workspace.tree.home / ".theirs/y").read_text() == "2"
        workspace.run("status")
    first.run("remove", "~/.theirs")
    second.run("resolve")
    second.run("remove", "~/.mine")
    first.run("resolve")


def test_each_sees_that_the_other_is_in_use(pair: Pair) -> None:
    """Garbage collection of neither takes the other for gone."""
    for workspace in (pair.first, pair.second):
        write(workspace.tree.home, {".own": "x"})
        workspace.run("resolve")
    for workspace in (pair.first, pair.second):
        workspace.run("gc", "--yes")
    assert set(content(pair.first.tree.volume)) >= {".workspaces/w1/.own", ".workspaces/w2/.own"}
