"""Directories that come from an image's layer, on real overlayfs: killed and failed, nothing is lost."""

import json
from pathlib import Path

import pytest

from devtools.engine import Engine
from tests.conftest import Tried
from tests.crash.overlay import COUNT
from tests.harness import derived

pytestmark = pytest.mark.docker

SOURCES = (
    "tests/crash/driver.py",
    "tests/crash/overlay.py",
    "tests/crash/points.py",
    "tests/crash/server.py",
    "tests/crash/contents.py",
    "tests/crash/world.py",
    "devtools/__init__.py",
    "devtools/shell.py",
    "tests/harness/__init__.py",
    "tests/harness/tree.py",
)


@pytest.fixture(scope="module")
def image(engine: Engine) -> str:
    return derived.build(engine, Path(__file__).with_name("overlay"), sources=SOURCES)


def test_killed_and_failed(engine: Engine, image: str, tried: Tried, *, whole: bool) -> None:
    start = 0
    while True:
        words = ["try", str(start), *(["--whole"] if whole else [])]
        done = engine.docker("run", "--rm", image, "python3", "-m", "tests.crash.overlay", *words)
        report = json.loads(done.stdout)
        for name, count in report["counts"].items():
            tried(name, count)
        tried("losses", len(report["losses"]))
        assert not report["losses"], "\n".join(report["losses"])
        assert report["exdev"], "the homes are not from a layer, or the file system is not overlayfs"
        start += COUNT - 1
        if start >= report["chosen"]:
            return
