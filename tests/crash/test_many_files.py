"""A tree that several processes copy and remove: killed, interrupted, and saved to meanwhile."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devtools.shell import ROOT
from tests.conftest import Tried

DIRECTORIES = 20
FILES = 20


@dataclass
class Many:
    """A home with many small files to seed."""

    base: Path
    volume: Path

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def tree(self) -> Path:
        return self.home / ".many"

    def fill(self) -> None:
        for number in range(DIRECTORIES):
            directory = self.tree / f"above{number % 4}/dir{number}"
            directory.mkdir(parents=True)
            for file in range(FILES):
                (directory / f"file{file}").write_text(f"{number} {file}")

    def start(self) -> subprocess.Popen[bytes]:
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "HOME_PERSIST_STATE": str(self.volume),
            "HOME_PERSIST_MANIFEST_DIR": str(self.base / "manifests"),
            "HOME_PERSIST_LEDGER_DIR": str(self.base / "ledger"),
            "PYTHONPATH": str(ROOT),
        }
        argv = [sys.executable, "-m", "tests.crash.divided_early", "resolve"]
        # No pipe: whoever reads it would wait for all children, and not see what they do after their parent.
        with self.said.open("w") as said:
            return subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=said, stderr=said)

    @property
    def said(self) -> Path:
        return self.base / "said"

    def resolve(self) -> None:
        process = self.start()
        assert process.wait(timeout=120) == 0, self.said.read_text()
        assert self.tree.is_symlink()

    def shown(self) -> dict[str, str]:
        """What a program finds at the path."""
        files = self.tree.resolve().rglob("*")
        return {
            str(path.relative_to(self.tree.resolve())): path.read_text() for path in files if path.is_file()
        }


@pytest.fixture
def many(tmp_path: Path) -> Iterator[Many]:
    shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
    made = Many(tmp_path, Path(tempfile.mkdtemp(prefix="cws-many-", dir=shm)))
    for name in ("home", "manifests", "ledger"):
        (tmp_path / name).mkdir()
    (tmp_path / "manifests/m.json").write_text('{"source": "m", "paths": [".many/"]}')
    yield made
    shutil.rmtree(made.volume)


def _again(many: Many) -> None:
    """An empty home and volume."""
    for directory in (many.home, many.volume, many.base / "ledger"):
        shutil.rmtree(directory)
        directory.mkdir()
    many.fill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_ended_at_any_time(number: signal.Signals, many: Many, tried: Tried, *, whole: bool) -> None:
    chance = random.Random(1)
    _again(many)
    expected = many.shown()
    began = time.monotonic()
    many.resolve()
    long = time.monotonic() - began
    for _ in range(60 if whole else 6):
        _again(many)
        process = many.start()
        time.sleep(long * chance.uniform(0.2, 1.0))
        process.send_signal(number)
        process.wait(timeout=120)
        # Before the next resolve, all of it is on one side.
        sides = [many.tree, many.volume / ".many", *many.home.glob(".many.*"), *many.home.glob("..many*")]
        assert any(_files(side) == expected for side in sides), f"lost, in {many.base} and {many.volume}"
        many.resolve()
        assert many.shown() == expected
        assert not list((many.volume / ".home-persist/staging").iterdir())
        tried("interrupted seeds", 1)


def _files(top: Path) -> dict[str, str]:
    return {str(path.relative_to(top)): path.read_text() for path in top.rglob("*") if path.is_file()}


def test_saves_meanwhile(many: Many, tried: Tried, *, whole: bool) -> None:
    """A program replaces files while they are copied and removed; its last save of each is kept."""
    chance = random.Random(2)
    for _ in range(20 if whole else 3):
        _again(many)
        expected = many.shown()
        process = many.start()
        count = 0
        while process.poll() is None:
            path = chance.choice([*expected])
            try:
                (many.tree / f"{path}.new").write_text(f"save {count}")
                (many.tree / f"{path}.new").rename(many.tree / path)
            except FileNotFoundError:  # what the link shows was exchanged in between
                continue
            expected[path] = f"save {count}"
            count += 1
            time.sleep(0.01)
        process.wait()
        many.resolve()
        found = many.shown()
        assert {path: text for path, text in found.items() if not path.endswith(".new")} == expected
        tried("saves that were read back", count)
