"""A long seed: what is seen of it, and Ctrl-C in its middle."""

import os
import pty
import re
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
from tests.harness.tree import write

pytestmark = pytest.mark.programs("strace")

_LINE = re.compile(r"~/\.big/: [\d.]+ MiB of 500\.0 MiB(, waiting for the disk)?")
SIZE = 500 << 20
PIECE = b"".join(b"%08d" % number for number in range((1 << 20) // 8))
# One call copies 1 MiB at most, so this makes the seed last 4 s and more, however quick the disk is.
SLOW = ("strace", "-qqq", "-o", "/dev/null", "-e", "trace=sendfile", "-e", "inject=sendfile:delay_enter=8000")


@dataclass
class Seed:
    """A home with 500 MB to seed, one path before it and one after it."""

    base: Path
    volume: Path

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.base / "home"),
            "HOME_PERSIST_STATE": str(self.volume),
            "HOME_PERSIST_MANIFEST_DIR": str(self.base / "manifests"),
            "HOME_PERSIST_LEDGER_DIR": str(self.base / "ledger"),
            "PYTHONPATH": str(ROOT),
            "TERM": "xterm",
            "COLUMNS": "80",
        }

    def start(self, *words: str, stderr: int = subprocess.PIPE, slow: bool = True) -> subprocess.Popen[str]:
        argv = [*(SLOW if slow else ()), sys.executable, "-m", "tests.crash.command", "resolve", *words]
        return subprocess.Popen(
            argv, env=self.environment, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=stderr
        )

    def until_half(self, process: subprocess.Popen[str]) -> int:
        """Wait until half of it is copied; the PID of the command below strace."""
        staging = self.volume / ".home-persist/staging"
        deadline = time.monotonic() + 120
        while sum(file.stat().st_size for file in staging.glob("*/*/blob")) < SIZE // 2:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])

    def is_whole(self) -> bool:
        """Whether the 500 MB are there, seen through the home."""
        with (self.base / "home/.big/blob").open("rb") as blob:
            return all(blob.read(len(PIECE)) == PIECE for _ in range(SIZE // len(PIECE))) and not blob.read()


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[Seed]:
    shm = "/dev/shm" if os.path.isdir("/dev/shm") else None
    made = Seed(tmp_path, Path(tempfile.mkdtemp(prefix="cws-interrupt-", dir=shm)))
    for name in ("home/.big", "manifests", "ledger"):
        (tmp_path / name).mkdir(parents=True)
    write(tmp_path / "home", {".a/x": "before", ".z/x": "after"})
    (tmp_path / "manifests/m.json").write_text('{"source": "m", "paths": [".a/", ".big/", ".z/"]}')
    with (tmp_path / "home/.big/blob").open("wb") as blob:
        for _ in range(SIZE >> 20):
            blob.write(PIECE)
    yield made
    shutil.rmtree(made.volume)
    shutil.rmtree(tmp_path / "home")


@pytest.mark.parametrize(
    ("number", "words"),
    [(signal.SIGINT, []), (signal.SIGTERM, ["--quiet"])],
    ids=["SIGINT", "SIGTERM, quiet: no lines but the last two"],
)
def test_interrupted_in_the_middle_and_resolved_again(
    seed: Seed, number: int, words: list[str], tried: Tried
) -> None:
    process = seed.start(*words)
    os.kill(seed.until_half(process), number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[0 if words else -2 :] == [
        "error: interrupted at ~/.big/; 1 of 3 paths are in place",
        "hint: nothing is lost; to continue: home-persist resolve",
    ]
    home = seed.base / "home"
    assert (home / ".a").is_symlink()
    assert not (home / ".big").is_symlink()
    assert not (seed.volume / ".big").exists()
    assert not list((seed.volume / ".home-persist/staging").iterdir()), "the half copy is cleared"
    assert seed.is_whole()
    again = seed.start(slow=False)
    again.communicate(timeout=120)
    assert again.returncode == 0
    assert all((home / path).is_symlink() for path in (".a", ".big", ".z"))
    assert seed.is_whole()
    tried("interrupted seeds", 1)


def test_lines_where_there_is_no_terminal(seed: Seed) -> None:
    process = seed.start()
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0
    lines = said.splitlines()
    assert lines
    assert all(
        re.fullmatch(r"~/\.big/: [\d.]+ MiB of 500\.0 MiB(, waiting for the disk)?", line) for line in lines
    )
    assert len(lines) < 20, "every few seconds, not more"


def test_a_bar_on_a_terminal(seed: Seed) -> None:
    ours, theirs = pty.openpty()
    process = seed.start(stderr=theirs)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # EIO: the other side is closed
        pass
    os.close(ours)
    process.communicate(timeout=60)
    assert process.returncode == 0
    bars = re.findall(rb"\r\x1b\[\?25l(~/\.big/, 500\.0 MiB +\[#*-*\] +\d+%[^\r]*)", shown)
    assert len(bars) > 3
    assert shown.rstrip().endswith(b"\x1b[?25h"), "the cursor is back"


def test_short_work_shows_nothing(seed: Seed) -> None:
    shutil.rmtree(seed.base / "home/.big")
    process = seed.start(slow=False)
    said = process.communicate(timeout=60)
    assert said[1] == ""
