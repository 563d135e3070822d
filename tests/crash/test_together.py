"""Several at once: on one fresh volume, and while one of them has a lot to do."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from coder_ws_runtime.errors import UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_items import items, restore
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.settings import Workspace as Identity
from devtools.shell import ROOT
from tests.conftest import Tried
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


def places(base: Path, volume: Path) -> dict[str, str]:
    """The environment that says where everything is."""
    return {
        "HOME": str(base / "home"),
        "HOME_PERSIST_STATE": str(volume),
        "HOME_PERSIST_MANIFEST_DIR": str(base / "manifests"),
        "HOME_PERSIST_LEDGER_DIR": str(base / "ledger"),
    }


def layout(base: Path, volume: Path) -> Layout:
    return Layout.of(Path("/"), places(base, volume))


def start(base: Path, volume: Path, *words: str) -> subprocess.Popen[str]:
    """A resolve of one home, as a process of its own."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **places(base, volume)}
    return subprocess.Popen(
        [*words, sys.executable, "-m", "tests.crash.command", "resolve"],
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
    long.send_signal(signal.SIGSTOP)  # and stays at work, however fast the machine is
    try:
        assert ended(start(quick, volume)) == 0
    finally:
        long.send_signal(signal.SIGCONT)
    assert (quick / "home/.small").is_symlink()
    assert ended(long) == 0
    assert (slow / "home/.big").is_symlink()
    assert (volume / ".big/blob").stat().st_size == 1 << 30


SAVED = ["one", ".a/b/c/x", ".a/b/c/y/z"]
SAVES = 10
"""How often a home saves one file: the attic keeps 50 versions, and what is beyond them is rightly gone."""
FILES = [f"one-{number}" for number in range(40)]
SECONDS = 8.0
"""How long they go on; `--whole`: a minute."""


def test_homes_that_heal_the_same_paths_and_are_killed(
    tmp_path: Path, volume: Path, tried: Tried, *, whole: bool
) -> None:
    """Four homes save and heal at once, half of the heals are killed, and one more restores what it finds."""
    until = time.monotonic() + (60 if whole else SECONDS)
    bases = [home(tmp_path / str(number), [*FILES, ".a/b/c/"], {}) for number in range(4)]
    children = [forked(partial(save_and_heal, base, volume, until)) for base in bases]
    children.append(forked(lambda: restore_anything(home(tmp_path / "other", [], {}), volume, until)))
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 5
    reports = [json.loads((base / "report").read_text()) for base in bases]
    for base in bases:
        assert ended(start(base, volume)) == 0
    there = {text for side in (tmp_path, volume) for text in read(side).values()}
    lost = {text for report in reports for text in report["living"]} - there
    tried("heals at once", sum(report["heals"] for report in reports))
    tried("kill points tried", sum(report["kills"] for report in reports))
    tried("losses", len(lost))
    assert lost == set()
    assert all((base / "home" / path).is_symlink() for base in bases for path in (*FILES, ".a/b/c"))
    assert not list(tmp_path.rglob("*.home-persist*"))
    assert not list((volume / ".home-persist/staging").iterdir())


def forked(work: Callable[[], object]) -> int:
    """Do something in a process of its own; its status is 1 if that raises."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - a child must not come back into pytest
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def opened(base: Path, volume: Path) -> Session:
    """A home and the volume, opened in this process."""
    return Session(layout(base, volume), Settings(workspace=Identity(id=base.name, name=base.name)))


def save_and_heal(base: Path, volume: Path, until: float) -> None:
    """Save over links, heal, and be killed while healing; at the end, report what must be somewhere."""
    draw = random.Random(base.name)
    living: set[str] = set()
    saves: Counter[str] = Counter()
    heals = kills = 0

    def heal() -> None:
        with opened(base, volume) as session:
            session.volume.clear_staging()
            for entry in load_declarations(layout(base, volume), Settings()).entries:
                outcome = settle(session, entry)
                assert outcome.error is None, str(outcome.error)

    while time.monotonic() < until:
        name = draw.choice(SAVED)
        target = base / "home" / f"{name}-{saves[name] // SAVES}"
        saves[name] += 1
        link = base / "home/.a/b/c"
        if link.is_symlink() and name != "one":
            link.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        living.discard(target.read_text() if target.is_file() and not target.is_symlink() else "")
        text = f"{base.name} {heals}"
        (base / "home/new").write_text(text)
        (base / "home/new").replace(target)
        living.add(text)
        child = forked(heal)
        if draw.random() < 0.5:
            time.sleep(draw.random() * 0.05)
            os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert status in (0, -signal.SIGKILL)
        heals += 1
        kills += status != 0
    report = {"living": sorted(living), "heals": heals, "kills": kills}
    (base / "report").write_text(json.dumps(report))


def restore_anything(base: Path, volume: Path, until: float) -> None:
    """Exchange what is in the attic for what is in its place, and clear what the dead have left."""
    draw = random.Random(0)
    while time.monotonic() < until:
        with opened(base, volume) as session:
            session.volume.clear_staging()
            found = items(session.volume)
            if found:
                item = draw.choice(found)
                with contextlib.suppress(UserError):
                    restore(session.attic, item.batch, item.path, item.path, force=True)
        time.sleep(0.05)
