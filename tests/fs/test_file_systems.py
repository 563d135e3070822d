"""The scenarios of a volume on real file systems: really mounted, by the programs that people use."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from coder_ws_runtime.persist.store import locks
from coder_ws_runtime.persist.store.file_system import Support, inspect
from tests.conftest import Tried, missing
from tests.fs.conftest import CODER, as_user, mounted
from tests.harness.scenario_parts import import_everything, make_tree
from tests.harness.scenarios import SCENARIOS

SFTP_SERVER = "/usr/lib/openssh/sftp-server"
_SIZE = 300 << 20
"""Bytes; the least that xfs takes."""
SHARE = (
    "seed",
    "save_over_the_link",
    "give_back",
    "read_only_directory",
    "long_names",
    "paused_holder",
    "leases",
)
"""What `./dev test` runs of the scenarios on each."""


@contextmanager
def _loop(place: Path, mkfs: str) -> Iterator[Path]:
    """A file system of its own in a file."""
    image, target = place / "image", place / "mounted"
    target.mkdir()
    with image.open("wb") as file:
        file.truncate(_SIZE)
    subprocess.run([mkfs, "-q", image], check=True, capture_output=True)
    with mounted(target, "loop", mkfs.partition(".")[2], image):
        yield target


@contextmanager
def _fuse(place: Path, *words: str | Path) -> Iterator[Path]:
    """A FUSE program that shows the directory `below` at its mount point, the last of its arguments."""
    target = place / "mounted"
    target.mkdir()
    subprocess.run([*words, target], check=True, capture_output=True)
    try:
        yield target
    finally:
        subprocess.run(["umount", "-l", target], check=True)


def _below(place: Path) -> Path:
    below = place / "below"
    below.mkdir()
    os.chown(below, CODER, CODER)
    return below


@contextmanager
def _bindfs(place: Path) -> Iterator[Path]:
    with _fuse(place, "bindfs", _below(place)) as target:
        yield target


@contextmanager
def _mergerfs(place: Path) -> Iterator[Path]:
    (place / "branch").mkdir()
    os.chown(place / "branch", CODER, CODER)
    branches = f"{_below(place)}:{place / 'branch'}"
    with _fuse(place, "mergerfs", "-o", "allow_other,use_ino,category.create=ff", branches) as target:
        yield target


@contextmanager
def _sshfs(place: Path) -> Iterator[Path]:
    """The real sshfs and the real SFTP server; a pipe stands in for the connection between them."""
    connection = place / "connection"
    connection.write_text(
        f"#!/bin/sh\nexec setpriv --reuid {CODER} --regid {CODER} --clear-groups {SFTP_SERVER}\n"
    )
    connection.chmod(0o755)
    options = f"allow_other,default_permissions,ssh_command={connection}"
    with _fuse(place, "sshfs", "-o", options, f"server:{_below(place)}") as target:
        yield target


KINDS: dict[str, tuple[Callable[[Path], AbstractContextManager[Path]], tuple[str, ...], Support]] = {
    "xfs": (lambda place: _loop(place, "mkfs.xfs"), ("mkfs.xfs",), Support.SUPPORTED),
    "btrfs": (lambda place: _loop(place, "mkfs.btrfs"), ("mkfs.btrfs",), Support.SUPPORTED),
    "bindfs": (_bindfs, ("bindfs",), Support.DEGRADED),
    "mergerfs": (_mergerfs, ("mergerfs",), Support.DEGRADED),
    "sshfs": (_sshfs, ("sshfs", SFTP_SERVER), Support.DEGRADED),
}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(name, marks=pytest.mark.programs(*programs)) for name, (_, programs, _) in KINDS.items()
    ],
)
def file_system(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path, Path]]:
    """A mounted file system: its name, a directory for homes elsewhere, and where it is mounted."""
    if os.geteuid() != 0:
        missing("root, to mount file systems")
    import_everything()
    mounting, _, _ = KINDS[request.param]
    with tempfile.TemporaryDirectory(prefix=f"cws-{request.param}-", dir="/var/tmp") as directory:
        place = Path(directory)
        place.chmod(0o755)
        homes = place / "homes"
        homes.mkdir()
        os.chown(homes, CODER, CODER)
        with mounting(place) as target:
            if request.param in ("xfs", "btrfs"):
                os.chown(target, CODER, CODER)
            yield request.param, homes, target


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(
    file_system: tuple[str, Path, Path],
    scenario: str,
    whole: bool,  # noqa: FBT001 - a fixture
    tried: Tried,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not whole and scenario not in SHARE:
        pytest.skip("a part of ./dev crash")
    name, homes, target = file_system
    monkeypatch.setattr(locks, "WAIT", 1.0)
    began = time.monotonic()

    def work() -> None:
        SCENARIOS[scenario](make_tree(homes / scenario, target / scenario))

    as_user(CODER, work)
    tried(f"scenarios on {name}", 1)
    assert time.monotonic() - began < 60


def test_what_it_is_said_to_be(file_system: tuple[str, Path, Path]) -> None:
    name, _, target = file_system
    found = inspect(Path("/proc"), target)
    # bindfs is mounted as plain "fuse" by some versions.
    assert found.kind in (name, "fuse", f"fuse.{name}")
    assert found.support is KINDS[name][2]
    assert bool(found.reason) == (found.support is Support.DEGRADED)
