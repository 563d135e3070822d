"""ws-doctor where the volume is frozen, as a backup leaves it: nothing of the doctor may hang.

The volume is a file system of its own, on a loop device: a frozen one hangs whoever writes to it.
"""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces, missing
from tests.harness.doctor import Row, codes, look, prove

pytestmark = [pytest.mark.docker, pytest.mark.root]

VOLUME = "/mnt/home-persist"

ROWS = [
    Row(
        "home.volume",
        "it is frozen",
        f"fsfreeze --freeze {VOLUME}",
        "home.volume-frozen",
        f"sudo fsfreeze --unfreeze {VOLUME}",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    if not shutil.which("mkfs.ext4") or not shutil.which("losetup"):
        missing("mkfs.ext4 and losetup, for a volume that can be frozen")
    image: Path = tmp_path_factory.mktemp("frozen") / "volume.img"
    subprocess.run(["truncate", "--size", "200M", image], check=True)
    subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
    attached = subprocess.run(
        ["losetup", "--find", "--show", image], capture_output=True, text=True, check=False
    )
    if attached.returncode != 0:
        missing(f"a loop device: {attached.stderr.strip()}")
    device = attached.stdout.strip()
    made = spaces.new("doctor-frozen", owner="frozen").without_coder()
    made.engine.docker("volume", "rm", "-f", made.home_volume, check=False)
    options = ["--opt", "type=ext4", "--opt", f"device={device}"]
    made.engine.docker("volume", "create", *options, made.home_volume)
    try:
        yield made.boot()
    finally:
        made.exec("fsfreeze", "--unfreeze", VOLUME, user="root")
        made.remove(volumes=True)
        subprocess.run(["losetup", "--detach", device], check=False)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)


def test_the_metadata_names_it_in_time(space: Workspace) -> None:
    space.out(f"fsfreeze --freeze {VOLUME}", user="root")
    began = time.monotonic()
    said = space.exec("timeout", "60", "ws-doctor", "--metadata")
    took = time.monotonic() - began
    space.out(f"fsfreeze --unfreeze {VOLUME}", user="root")
    assert said.stdout == "1 failed: home.volume\n"
    assert took < 60
    assert codes(look(space, "--only", "home")) == set()
