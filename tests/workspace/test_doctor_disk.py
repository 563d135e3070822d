"""ws-doctor, category disk: volumes that are full, /tmp, memory; broken and fixed as printed.

The volumes are small ones in memory, which can be filled. The host's disk and the kernel's words of
pressure are those of everybody on this machine: tests/unit/test_doctor_room.py has them as numbers.
"""

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, prove

pytestmark = pytest.mark.docker

VOLUME = "/mnt/home-persist"
PROJECTS = "/home/coder/projects"
_ATTIC = f"{VOLUME}/.home-persist/attic"


def _deleted(size: str) -> str:
    """A large file is in the attic since long ago, put there by a version with wider bounds."""
    batch = f"{_ATTIC}/20200101T000000.000Z-dev"
    return f"sudo -u coder sh -c 'mkdir -p {batch} && head -c {size} /dev/zero > {batch}/.claude.json'"


ROWS = [
    Row(
        "disk.volume",
        "nearly full",
        _deleted("222M"),
        "disk.volume-nearly-full",
        "home-persist attic prune --older-than 1 --yes",
        status="warning",
    ),
    Row(
        "disk.volume",
        "full",
        _deleted("235M"),
        "disk.volume-full",
        "home-persist attic prune --older-than 1 --yes",
    ),
    Row(
        "disk.projects",
        "full",
        f"sudo -u coder sh -c 'head -c 1G /dev/zero > {PROJECTS}/core'; true",
        "disk.projects-full",
        f"du -xah {PROJECTS} | sort -h | tail -n 20",
        cause=f"rm {PROJECTS}/core",
    ),
    Row(
        "disk.tmp",
        "a variable names another place, which is not there",
        "echo 'export TMPDIR=/mnt/scratch' >> /home/coder/.profile",
        "disk.tmp-variable",
        "unset TMPDIR",
        evidence="/home/coder/.profile, line ",
        shell="exec bash -l",
        after="cp /etc/skel/.profile /home/coder/.profile",
    ),
    Row(
        "disk.tmp",
        "not everybody can write",
        "chmod 0755 /tmp",
        "disk.tmp-mode",
        "sudo chmod 1777 /tmp",
    ),
    Row(
        "disk.tmp",
        "no program can be run",
        "mount --bind /tmp /tmp; mount -o remount,bind,noexec /tmp",
        "disk.tmp-noexec",
        "sudo mount -o remount,bind,exec /tmp",
        after="umount /tmp",
    ),
    Row(
        "disk.tmp",
        "its files take the memory",
        "mount -t tmpfs -o mode=1777,size=500m tmpfs /tmp; head -c 400M /dev/zero > /tmp/big",
        "disk.tmp-in-memory",
        "du -xah /tmp | sort -h | tail -n 20",
        status="warning",
        cause="rm /tmp/big",
        after="umount --lazy /tmp",
    ),
    Row(
        "disk.memory",
        "a program was ended",
        "! python3 -c 'bytearray(1 << 30)'",
        "disk.memory-killed",
        "coder restart",
        status="warning",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    made = spaces.new("doctor-disk").without_coder()
    made.attributes["memory"] = 768
    made.attributes["memory_swap"] = 768
    for name in (made.home_volume, made.projects_volume):
        made.engine.docker("volume", "rm", "-f", name, check=False)
        options = ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=240m"]
        made.engine.docker("volume", "create", *options, name)
    return made.boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)
