"""ws-doctor where everything is broken: each check reports or is skipped, and none crashes.

The containers are of the bare image, one broken thing heaped on the other.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from coder_ws_runtime.doctor.catalogue import CHECKS
from devtools.images import PREFIX, tag
from tests.conftest import Spaces
from tests.harness.doctor import codes, parsed

pytestmark = pytest.mark.docker

_DOCTOR = "/usr/local/bin/ws-doctor"


@dataclass(frozen=True)
class Row:
    """A way to call the doctor where nothing is as it should be."""

    broken: str
    create: tuple[str, ...] = ()
    """Words for `docker run`."""
    call: tuple[str, ...] = (_DOCTOR,)
    user: str = "coder"
    before: str = "true"
    """A script for root."""


# No row has a volume, systemd, a socket or settings.
ROWS = [
    Row("nothing is there"),
    Row("as root", user="root"),
    Row("as a user that does not exist", user="4711"),
    Row("no HOME", call=("env", "-u", "HOME", _DOCTOR)),
    Row("no environment at all", call=("env", "-i", "/usr/bin/python3", _DOCTOR)),
    Row("an empty PATH", call=("env", "PATH=", "/usr/bin/python3", _DOCTOR)),
    Row("a PATH of nothing", call=("env", "PATH=/nowhere", "/usr/bin/python3", _DOCTOR)),
    Row("a home that is a file", before="echo x > /tmp/home", call=("env", "HOME=/tmp/home", _DOCTOR)),
    Row("no docker and no curl", before="rm -f /usr/bin/docker /usr/bin/curl /usr/bin/systemctl"),
    Row(
        "files that are directories, directories that are files",
        before="rm -rf /etc/home-persist.d /mnt/home-persist; mkdir -p /etc/coder/workspace.json"
        " /etc/coder/agent-init.sh; echo > /etc/home-persist.d; mkdir -p /mnt; echo > /mnt/home-persist;"
        " mkdir /run/docker.sock; echo > /run/coder-ws",
    ),
    Row(
        "files of rubbish",
        before="mkdir -p /etc/coder /mnt/home-persist/.workspaces /run/coder-ws; for file in"
        " /etc/coder/workspace.json /etc/home-persist.d/claude-code.json /run/coder-ws/watch.json"
        " /etc/passwd /etc/group /etc/resolv.conf; do head -c 2000 /dev/urandom > $file; done",
        user="1000",
    ),
    Row("a read-only root", create=("--read-only",)),
    Row("a read-only root, as root", create=("--read-only",), user="root"),
    Row("no network", create=("--network", "none")),
]


class Bare:
    """Containers of the image with `sleep` as PID 1, one for each way to create them."""

    def __init__(self, spaces: Spaces) -> None:
        self.engine = spaces.engine
        self.worker = spaces.worker
        self.made: list[str] = []

    def container(self, row: Row) -> str:
        name = f"{PREFIX}-{self.worker}-bare-{len(self.made)}"
        self.engine.docker("rm", "-f", name, check=False)
        self.engine.docker(
            "run", "-d", "--name", name, "--entrypoint", "sleep", *row.create, tag("base"), "900"
        )
        self.made.append(name)
        return name


@pytest.fixture(scope="module")
def bare(spaces: Spaces) -> Iterator[Bare]:
    made = Bare(spaces)
    yield made
    for name in made.made:
        made.engine.docker("rm", "-f", name, check=False)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.broken)
def test_each_check_reports_or_is_skipped(row: Row, bare: Bare) -> None:
    name = bare.container(row)
    done = bare.engine.docker("exec", "-u", "root", name, "bash", "-c", row.before, check=False)
    assert done.returncode == 0, done.stderr
    told = bare.engine.docker("exec", "-u", row.user, name, *row.call, "--json", check=False)
    assert "Traceback" not in told.stderr
    assert told.returncode == 1, told.stderr
    report = parsed(told.stdout)
    assert [item for item in report["checks"] if item["status"] == "crashed"] == []
    assert [item["id"] for item in report["checks"]] == [item.id for item in CHECKS]
    assert all(item["summary"] for item in report["checks"])
    assert "system.pid1-foreign" in codes(report)
    text = bare.engine.docker("exec", "-u", row.user, name, *row.call, check=False)
    assert (text.returncode, "Traceback" in text.stderr) == (1, False)
    assert "system.pid1" in text.stdout
