"""ws-doctor, category docker: each way in which `docker` fails, broken and mended as printed."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.images import tag
from devtools.workspace import Workspace
from tests.conftest import Spaces, missing
from tests.harness.doctor import Row, Template, prove
from tests.harness.host_socket import HostSocket

pytestmark = [pytest.mark.docker, pytest.mark.root]

SOCKET = "/var/run/docker.sock"
_MISLED = "cws-doctor-misled"
_WITHOUT = "exec sudo -E setpriv --reuid=coder --regid=coder --groups=27 env HOME=/home/coder bash"


_sockets: dict[str, HostSocket] = {}
"""The host's sockets, by the paths that workspaces have mounted."""


def _path(space: Workspace) -> str:
    volumes = space.attributes["volumes"]
    return next(item["host_path"] for item in volumes if item["container_path"] == SOCKET)


def _mount(space: Workspace, path: Path | str) -> None:
    """The workspace with its Docker socket at another path of the host, or with none."""
    mount = {"host_path": str(path), "container_path": SOCKET, "volume_name": "", "read_only": False}
    others = [item for item in space.attributes["volumes"] if item["container_path"] != SOCKET]
    space.attributes["volumes"] = [*others, *([mount] if path else [])]


def _absent(space: Workspace) -> None:
    _mount(space, "")


def _directory(space: Workspace) -> None:
    _mount(space, Path(_path(space)).with_name("no-such-socket"))


def _hidden(space: Workspace) -> None:
    del space.attributes["tmpfs"]


def _ended(space: Workspace) -> None:
    """The host's daemon has ended and left its socket."""
    _sockets[_path(space)].stop()


def _begun(space: Workspace) -> None:
    """The host's daemon is started: it makes its socket anew."""
    host = _sockets[_path(space)]
    host.path.unlink()
    _sockets[_path(space)] = HostSocket(host.path, host.gid)


def _begun_again(space: Workspace) -> None:
    _ended(space)
    _begun(space)


def _too_old(space: Workspace) -> None:
    version = b'{"Version": "1.11", "ApiVersion": "1.23"}'
    _sockets[_path(space)].answer = b"HTTP/1.0 200 OK\r\n\r\n" + version


def _in_trouble(space: Workspace) -> None:
    _sockets[_path(space)].answer = b"HTTP/1.0 500 Internal Server Error\r\n\r\n{}"


def _well(space: Workspace) -> None:
    _sockets[_path(space)].answer = None


ROWS = [
    Row("docker.cli", "the client is gone", "rm /usr/bin/docker", "docker is not on PATH", "coder restart"),
    Row(
        "docker.cli",
        "the client does not run",
        "install -D /dev/stdin /usr/local/bin/docker <<< $'#!/bin/sh\\necho damaged >&2; exit 1'",
        "docker does not run",
        "coder restart",
    ),
    Row(
        "docker.cli",
        "a plugin is gone",
        "rm /usr/libexec/docker/cli-plugins/docker-compose",
        "docker compose does not work: the plugin docker-compose is missing",
        "coder restart",
    ),
    Row(
        "docker.socket",
        "it is not mounted",
        Template(_absent),
        "no Docker socket is mounted",
        "mount the host's socket",
    ),
    Row(
        "docker.socket",
        "a directory is mounted",
        Template(_directory),
        "as the Docker socket is no socket",
        "on the host",
    ),
    Row(
        "docker.socket",
        "systemd's /run hides it",
        Template(_hidden),
        "another mount lies over it",
        "tmpfs at /run",
    ),
    Row(
        "docker.socket",
        "the host's daemon does not run",
        _ended,
        "nobody answers at the Docker socket",
        "coder restart",
        cause=_begun,
    ),
    Row(
        "docker.socket",
        "the host's daemon was started again",
        _begun_again,
        "the Docker socket is dead",
        "coder restart",
    ),
    Row(
        "docker.socket",
        "the group has another number",
        "groupmod -g 4243 docker",
        "the user cannot open the Docker socket",
        "sudo systemctl restart ws-docker-group",
    ),
    Row(
        "docker.socket",
        "the user is not in the group",
        "gpasswd -d coder docker",
        "the user cannot open the Docker socket",
        "sudo systemctl restart ws-docker-group",
    ),
    Row(
        "docker.group",
        "this shell is older than the group",
        "true",
        "this shell was started before its user joined the group docker",
        "exec newgrp docker",
        shell=_WITHOUT,
    ),
    Row(
        "docker.group",
        "the agent is older than the group",
        "gpasswd -d coder docker; systemctl restart coder-agent; sleep 0.5; gpasswd -a coder docker",
        "the agent was started before the user joined the group docker",
        "sudo systemctl restart coder-agent",
    ),
    Row(
        "docker.server",
        "it answers with an error",
        _in_trouble,
        "the Docker daemon answers with 500",
        "journalctl -u docker -e",
        cause=_well,
    ),
    Row(
        "docker.server",
        "it is too old",
        _too_old,
        "the Docker daemon 1.11 is too old for the client here",
        "use a newer Docker on the host",
        cause=_well,
    ),
    Row(
        "docker.bind-mounts",
        "a container has the host's directory",
        "mkdir -p /home/coder/projects/data;"
        f" docker run -d --name {_MISLED} --network none -v /home/coder/projects/data:/data"
        f" --entrypoint sleep {tag('base')} 600",
        f"the container {_MISLED} has the host's /home/coder/projects/data",
        f"docker rm --force {_MISLED}",
        status="warning",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Iterator[Workspace]:
    if os.getuid() != 0:
        missing("root, to give a socket to another group")
    entry = spaces.engine.docker("run", "--rm", "--entrypoint", "getent", tag("base"), "group", "docker")
    # Not pytest's: the path of a socket has to be short.
    directory = Path(tempfile.mkdtemp(prefix="sock-"))
    host = HostSocket(directory / "host", int(entry.stdout.split(":")[2]))
    _sockets[str(host.path)] = host
    made = spaces.new("doctor-docker").without_coder()
    _mount(made, host.path)
    yield made.boot()
    _sockets.pop(str(host.path)).stop()
    shutil.rmtree(directory)
    spaces.engine.docker("rm", "-f", _MISLED, check=False)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_mended_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)
