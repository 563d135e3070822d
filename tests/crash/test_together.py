"""Several at once: on one fresh volume, and while one of them has a lot to do."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Tried
from tests.harness.shell import ROOT
from tests.harness.tree import content, read, write

HOMES = 16
ROUNDS = 3
ALL_ROUNDS = 50


@pytest.fixture
def volume() -> Iterator[Path]:
    import shutil

    made = Path(
        tempfile.mkdtemp(prefix="cws-together-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    )
    yield made
    shutil.rmtree(made)


def start(base: Path, volume: Path, *words: str) -> subprocess.Popen[str]:
    """A resolve of one home, as a process of its own."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(base / "home"),
        "HOME_PERSIST_STATE": str(volume),
        "HOME_PERSIST_MANIFEST_DIR": str(base / "manifests"),
        "HOME_PERSIST_LEDGER_DIR": str(base / "ledger"),
        "PYTHONPATH": str(ROOT),
    }
    main = "from coder_ws_runtime.cli.home_persist import main; main()"
    return subprocess.Popen(
        [*words, sys.executable, "-c", main, "resolve"],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ended(process: subprocess.Popen[str]) -> int:
    """Its exit status, when it has ended."""
    process.communicate(timeout=120)
    return process.returncode


def home(base: Path, declared: list[str], tree: dict[str, str]) -> Path:
    """A home with content and a manifest."""
    for name in ("home", "manifests", "ledger"):
        (base / name).mkdir(parents=True)
    (base / "manifests/m.json").write_text(json.dumps({"source": "together", "paths": declared}))
    write(base / "home", tree)
    return base


def test_sixteen_on_a_fresh_volume(tmp_path: Path, volume: Path, tried: Tried, *, whole: bool) -> None:
    """Each brings the same file, a file of its own, and another version of one file."""
    losses: list[str] = []
    rounds = ALL_ROUNDS if whole else ROUNDS
    for number in range(rounds):
        place = volume / str(number)
        place.mkdir()
        bases = [
            home(
                tmp_path / f"{number}-{i}",
                [".shared/", "one", ".a/b/c/"],
                {
                    ".shared/same": "same",
                    f".shared/own-{i}": f"own {i}",
                    "one": f"one {i}",
                    f".a/b/c/{i}": f"{i}",
                },
            )
            for i in range(HOMES)
        ]
        running = [start(base, place) for base in bases]
        said = [process.communicate()[0] for process in running]
        ends = zip(running, said, strict=True)
        losses += [f"round {number}: {text}" for process, text in ends if process.returncode != 0]
        got = content(place)
        own = {f".shared/own-{i}": f"own {i}" for i in range(HOMES)}
        deep = {f".a/b/c/{i}": f"{i}" for i in range(HOMES)}
        expected = {".shared/same": "same", **own, **deep, "one": got.get("one", "")}
        if got != expected:
            losses.append(f"round {number}: {sorted(got.items() ^ expected.items())}")
        everything = {text for path, text in read(place).items() if "/locks/" not in path}
        lost = {f"one {i}" for i in range(HOMES)} - everything
        if lost:
            losses.append(f"round {number}: lost {lost}")
        losses += [
            f"round {number}: {base.name} has no link"
            for base in bases
            if not all((base / "home" / path).is_symlink() for path in (".shared", "one", ".a/b/c"))
        ]
    tried("concurrent rounds of 16", rounds)
    tried("losses", len(losses))
    assert not losses, "\n".join(losses)


def test_a_long_seed_blocks_no_other_path(tmp_path: Path, volume: Path) -> None:
    """While one home seeds a gigabyte, another one has its own paths at once."""
    slow = home(tmp_path / "slow", [".big/"], {".big/start": "x"})
    with (slow / "home/.big/blob").open("wb") as blob:
        blob.truncate(1 << 30)
        # A byte in each MiB, so that it is a gigabyte to read and not one hole.
        for offset in range(0, 1 << 30, 1 << 20):
            blob.seek(offset)
            blob.write(b"x" * (1 << 19))
    quick = home(tmp_path / "quick", [".small/"], {".small/x": "1"})
    long = start(slow, volume)
    deadline = time.monotonic() + 60
    while not list((volume / ".home-persist/staging").glob("*/*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert long.poll() is None, "the long one is at work"
    other = start(quick, volume)
    assert ended(other) == 0
    assert long.poll() is None, "and still was when the quick one had ended"
    assert (quick / "home/.small").is_symlink()
    assert ended(long) == 0
    assert (slow / "home/.big").is_symlink()
    assert (volume / ".big/blob").stat().st_size == 1 << 30
