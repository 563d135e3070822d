"""ws-doctor where a proxy stands before the host's socket, which only root can open.

Docker Desktop and some NAS have such a socket. What the doctor sees, it sees by the user's path.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces, missing
from tests.harness.doctor import Row, codes, look, prove
from tests.harness.host_socket import HostSocket
from tests.harness.waits import until

pytestmark = [pytest.mark.docker, pytest.mark.root]

SOCKET = "/var/run/docker.sock"
_ASKED = "timeout 20 sh -c 'until systemctl is-failed ws-docker-proxy.socket; do ! docker version; done'"
"""A client asks until systemd ends the socket, too, because its service cannot start."""
_BROKEN = "mount --bind /usr/bin/false /usr/bin/socat1; systemctl restart ws-docker-proxy.service 2>&1"
_DROP_INS = "/run/systemd/system/ws-docker-proxy.service.d"
_host: list[HostSocket] = []


def _ended(_: Workspace) -> None:
    """The host's daemon has ended and left its socket."""
    _host[0].stop()


def _begun(_: Workspace) -> None:
    """The host's daemon is started: it makes a new socket."""
    path = _host[0].path
    path.unlink()
    _host[0] = HostSocket(path, 0)


def _begun_again(space: Workspace) -> None:
    _ended(space)
    _begun(space)


ROWS = [
    Row(
        "docker.socket",
        "the proxy and its socket were stopped",
        "systemctl stop ws-docker-proxy.socket ws-docker-proxy.service 2>&1",
        "docker.proxy-dead",
        "sudo systemctl restart ws-docker-group",
    ),
    Row(
        "docker.socket",
        "the proxy is masked",
        "systemctl mask --now ws-docker-proxy.service 2>&1",
        "docker.proxy-dead",
        "sudo systemctl unmask ws-docker-proxy",
    ),
    Row(
        "docker.socket",
        "the proxy is masked until the next start",
        "systemctl mask --runtime --now ws-docker-proxy.service 2>&1",
        "docker.proxy-dead",
        "sudo systemctl unmask --runtime ws-docker-proxy",
    ),
    Row(
        "docker.socket",
        "the proxy is masked, and a client has asked, which ends its socket, too",
        f"systemctl mask --now ws-docker-proxy.service 2>&1; {_ASKED}",
        "docker.proxy-dead",
        "sudo systemctl unmask ws-docker-proxy",
    ),
    Row(
        "docker.socket",
        "the proxy's socket is masked",
        "systemctl mask --now ws-docker-proxy.socket 2>&1",
        "docker.proxy-dead",
        "sudo systemctl unmask ws-docker-proxy.socket",
    ),
    Row(
        "docker.socket",
        "systemd has given up the proxy, which ended at each start",
        f"{_BROKEN}; {_ASKED}",
        "docker.proxy-dead",
        "sudo systemctl reset-failed ws-docker-proxy.s",
        cause="umount /usr/bin/socat1",
    ),
    Row(
        "docker.socket",
        "the proxy's program does not run",
        f"{_BROKEN}; true",
        "docker.proxy-dead",
        "sudo systemctl restart ws-docker-group",
        cause="umount /usr/bin/socat1",
    ),
    Row(
        "docker.socket",
        "systemd gives up the proxy after the doctor has looked",
        f"mkdir -p {_DROP_INS}; printf '[Service]\\nRestartSec=1.5\\n' > {_DROP_INS}/slow.conf;"
        f" systemctl daemon-reload; {_BROKEN}; true",
        "docker.proxy-dead",
        "sudo systemctl restart ws-docker-group",
        cause=until("systemctl is-failed ws-docker-proxy.service") + "; umount /usr/bin/socat1",
        after=f"rm -r {_DROP_INS}; systemctl daemon-reload",
    ),
    Row(
        "docker.socket",
        "the host's daemon does not run",
        _ended,
        "docker.socket-silent",
        "sudo systemctl start docker",
        cause=_begun,
    ),
    Row(
        "docker.socket",
        "the host's daemon was started again",
        _begun_again,
        "docker.socket-stale",
        "coder restart",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Iterator[Workspace]:
    if os.getuid() != 0:
        missing("root, to make a socket that only root can open")
    # Not pytest's: the path of a socket has to be short.
    directory = Path(tempfile.mkdtemp(prefix="sock-"))
    _host.append(HostSocket(directory / "host", 0))
    made = spaces.new("doctor-proxy").without_coder()
    for volume in made.attributes["volumes"]:
        if volume["container_path"] == SOCKET:
            volume["host_path"] = str(_host[0].path)
    yield made.boot()
    _host.pop().stop()
    shutil.rmtree(directory)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)
    # The rows follow one another faster than systemd lets a unit start five times.
    space.out("systemctl reset-failed", user="root")


def test_the_server_is_seen_through_the_proxy(space: Workspace) -> None:
    report = look(space, "--only", "docker")
    assert codes(report) == set()
    assert {item["id"]: item["status"] for item in report["checks"]}["docker.server"] == "ok"
