"""The daemon where inotify's limits are reached, which all programs of a user share: it looks by itself."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devtools.shell import ROOT
from tests.harness.tree import Tree, content

# The limits are the host's, so what the kernel says is put in its place.
DAEMON = """
import errno, sys
from pathlib import Path
from coder_ws_runtime.fs import inotify
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.watch import daemon as watch
from coder_ws_runtime.settings import Settings, Workspace

_, root, name, number = sys.argv
real = getattr(inotify.Inotify, name)
def refused(self, *words):
    if (Path(root) / "enough").exists():
        return real(self, *words)
    raise OSError(int(number), "inotify's limit is reached")
setattr(inotify.Inotify, name, refused)
watch._UNWATCHED_SWEEP = 0.2
settings = Settings(workspace=Workspace(id="w1", name="dev"))
watch.Daemon(Layout.of(Path(root)), lambda: settings, {}).run()
"""
LIMITS = {"instances": ("__init__", "24"), "watches": ("add", "28")}


@pytest.fixture(params=LIMITS)
def daemon(request: pytest.FixtureRequest, tree: Tree) -> Iterator[subprocess.Popen[str]]:
    tree.manifest("f")
    tree.resolve()
    argv = [sys.executable, "-c", DAEMON, str(tree.layout.root), *LIMITS[request.param]]
    with subprocess.Popen(
        argv, env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True
    ) as process:
        until(tree.layout.watch_report.exists)
        yield process
        process.kill()


def until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def save(tree: Tree, text: str) -> Path:
    (tree.home / "new").write_text(text)
    (tree.home / "new").rename(tree.home / "f")
    return tree.home / "f"


def report(tree: Tree) -> dict[str, object]:
    found: dict[str, object] = json.loads(tree.layout.watch_report.read_text())
    return found


def test_changes_are_reported_again_when_there_is_room(tree: Tree, daemon: subprocess.Popen[str]) -> None:
    until(save(tree, "1").is_symlink)
    assert report(tree)["inotify_error"] == "inotify's limit is reached"
    (tree.layout.root / "enough").touch()
    until(lambda: report(tree)["inotify_error"] == "")
    assert report(tree)["period"] == 300
    until(save(tree, "2").is_symlink)
    save(tree, "3")
    daemon.send_signal(signal.SIGTERM)
    _, said = daemon.communicate(timeout=30)
    assert daemon.returncode == 0
    assert said.count("checking all paths every 0 s instead") == 1
    assert said.count("the kernel reports changes again") == 1
    assert content(tree.volume) == {"f": "3"}
