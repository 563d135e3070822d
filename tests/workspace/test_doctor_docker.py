"""ws-doctor, category docker: each way in which `docker` fails, broken and fixed as printed."""

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
from tests.harness.waits import AGENT_RUNS

pytestmark = [pytest.mark.docker, pytest.mark.root]

SOCKET = "/var/run/docker.sock"
_WRONG_MOUNT = "cws-doctor-wrong-mount"
_WITHOUT = "exec sudo -E setpriv --reuid=coder --regid=coder --groups=27 env HOME=/home/coder bash"


_sockets: dict[str, HostSocket] = {}
"""The host's sockets, by the paths that workspaces have mounted."""


def _path(space: Workspace) -> str:
    volumes = space.attributes["volumes"]
    return next(str(item["host_path"]) for item in volumes if item["container_path"] == SOCKET)


def _mount(space: Workspace, path: Path | str) -> None:
    """The workspace with its Docker socket at another path of the host, or with none."""
    mount = {"host_path": str(path), "container_path": SOCKET, "volume_name": "", "read_only": False}
    others = [item for item in space.attributes["volumes"] if item["container_path"] != SOCKET]
    space.attributes["volumes"] = [*others, *([mount] if path else [])]


def _absent(space: Workspace) -> None:
    _mount(space, "")


def _directory(space: Workspace) -> None:
    _mount(space, Path(_path(space)).with_name("no-such-socket"))


def _socket_made(_: Workspace) -> None:
    """What the remedy does on the host: the plan of before names a socket that is there."""


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


def _podman(space: Workspace) -> None:
    """As podman answers; tests/engines has a real one."""
    version = b'{"Version": "4.3.1", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine"}]}'
    _sockets[_path(space)].answer = b"HTTP/1.0 200 OK\r\n\r\n" + version


def _in_trouble(space: Workspace) -> None:
    _sockets[_path(space)].answer = b"HTTP/1.0 500 Internal Server Error\r\n\r\n{}"


def _well(space: Workspace) -> None:
    _sockets[_path(space)].answer = None


_NO_CONFIG = "rm -rf /home/coder/.docker"
_HELPER = "/usr/local/bin/docker-credential-desk"


def _config(document: str, directory: str = "/home/coder/.docker") -> str:
    """A configuration of the client, which belongs to the user."""
    write = f"mkdir -p {directory}; cat > {directory}/config.json; chown -R coder: {directory}"
    return f"{{ {write}; }} <<'END'\n{document}\nEND\n"


ROWS = [
    Row(
        "docker.context",
        "the current context does not exist",
        _config('{"currentContext": "gone"}'),
        "docker.context-missing",
        "docker context use default",
        after=_NO_CONFIG,
    ),
    Row(
        "docker.context",
        "the current context leads to a dead socket",
        "sudo -iu coder sh -c 'docker context create dead --docker host=unix:///run/dead.sock;"
        " docker context use dead' 2>&1",
        "docker.context-dead",
        "docker context use default",
        after=_NO_CONFIG,
    ),
    Row(
        "docker.context",
        "a variable names a context that does not exist",
        "true",
        "docker.context-missing",
        "unset DOCKER_CONTEXT",
        env={"DOCKER_CONTEXT": "gone"},
    ),
    Row(
        "docker.context",
        "a variable names a dead server",
        "true",
        "docker.host-variable-dead",
        "unset DOCKER_HOST",
        env={"DOCKER_HOST": "tcp://127.0.0.1:23750"},
    ),
    Row(
        "docker.context",
        "the user's profile names a dead server",
        "printf 'if true; then\\n export DOCKER_HOST=tcp://127.0.0.1:23750\\nfi\\n' >> /home/coder/.profile",
        "docker.host-variable-dead",
        "sed -i --follow-symlinks",
        evidence="/home/coder/.profile, line ",
        shell="exec bash -l",
        after="cp /etc/skel/.profile /home/coder/.profile",
    ),
    Row(
        "docker.context",
        "a profile of the system asks for TLS",
        "echo 'DOCKER_TLS_VERIFY=1 && export DOCKER_TLS_VERIFY' > /etc/profile.d/tls.sh",
        "docker.tls-files-missing",
        "unset DOCKER_TLS_VERIFY",
        evidence="/etc/profile.d/tls.sh, line 1",
        shell="exec bash -l",
        after="rm /etc/profile.d/tls.sh",
    ),
    Row(
        "docker.context",
        "the environment of the workspace names a dead server",
        "true",
        "docker.host-variable-dead",
        "remove DOCKER_HOST from the env of the template's coder_agent",
        env={"DOCKER_HOST": "tcp://127.0.0.1:23750"},
    ),
    Row(
        "docker.context",
        "TLS is asked for, and there are no certificates",
        "true",
        "docker.tls-files-missing",
        "unset DOCKER_TLS_VERIFY",
        env={"DOCKER_TLS_VERIFY": "1"},
    ),
    Row(
        "docker.context",
        "the configuration is not JSON",
        _config("{"),
        "docker.config-invalid",
        "config.json.broken",
        status="warning",
        after=_NO_CONFIG,
    ),
    Row(
        "docker.context",
        "the configuration cannot be read",
        _config("{}", "/etc/docker-client")
        + "chown root: /etc/docker-client/*; chmod 0600 /etc/docker-client/*",
        "docker.config-unreadable",
        "sudo chown coder: /etc/docker-client/config.json",
        env={"DOCKER_CONFIG": "/etc/docker-client"},
        status="warning",
        after="rm -r /etc/docker-client",
    ),
    Row(
        "docker.credentials",
        "the program that keeps logins is not there",
        _config('{"credsStore": "desk"}', "/etc/docker-client"),
        "docker.credential-helper-missing",
        "remove desk from docker's configuration",
        env={"DOCKER_CONFIG": "/etc/docker-client"},
        after="rm -r /etc/docker-client",
    ),
    Row(
        "docker.credentials",
        "the program that keeps the logins of a registry does not work",
        _config('{"credHelpers": {"ghcr.io": "desk"}}', "/etc/docker-client")
        + f"install /dev/stdin {_HELPER} <<< $'#!/bin/sh\\necho no keyring here; exit 1'",
        "docker.credential-helper-broken",
        "remove desk from docker's configuration",
        status="warning",
        env={"DOCKER_CONFIG": "/etc/docker-client"},
        evidence="no keyring here",
        after=f"rm -r /etc/docker-client {_HELPER}",
    ),
    Row("docker.cli", "the client is gone", "rm /usr/bin/docker", "docker.cli-missing", "coder restart"),
    Row(
        "docker.cli",
        "the client does not run",
        "install -D /dev/stdin /usr/local/bin/docker <<< $'#!/bin/sh\\necho damaged >&2; exit 1'",
        "docker.cli-broken",
        "coder restart",
    ),
    Row(
        "docker.cli",
        "a plugin is gone",
        "rm /usr/libexec/docker/cli-plugins/docker-compose",
        "docker.plugin-missing",
        "coder restart",
    ),
    Row(
        "docker.socket",
        "it is not mounted",
        Template(_absent),
        "docker.socket-absent",
        "mount the host's socket",
    ),
    Row(
        "docker.socket",
        "a directory is mounted",
        Template(_directory),
        "docker.socket-no-socket",
        "sudo rmdir /var/run/docker.sock",
        cause=_socket_made,
    ),
    Row(
        "docker.socket",
        "systemd's /run hides it",
        Template(_hidden),
        "docker.socket-hidden",
        "tmpfs at /run",
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
    Row(
        "docker.socket",
        "the group has another number",
        "groupmod -g 4243 docker",
        "docker.socket-closed",
        "sudo systemctl restart ws-docker-group",
    ),
    Row(
        "docker.socket",
        "the user is not in the group",
        "gpasswd -d coder docker",
        "docker.socket-closed",
        "sudo systemctl restart ws-docker-group",
    ),
    Row(
        "docker.group",
        "this shell is older than the group",
        "true",
        "docker.group-shell",
        'exec sudo -E -u coder env PATH="$PATH" bash',
        shell=_WITHOUT,
    ),
    Row(
        "docker.group",
        "the agent is older than the group",
        f"gpasswd -d coder docker; systemctl restart coder-agent; {AGENT_RUNS}; gpasswd -a coder docker",
        "docker.group-agent",
        "sudo systemctl restart coder-agent",
    ),
    Row(
        "docker.server",
        "it answers with an error",
        _in_trouble,
        "docker.server-error",
        "journalctl -u docker -e",
        cause=_well,
    ),
    Row(
        "docker.server",
        "it is too old",
        _too_old,
        "docker.server-too-old",
        "use a newer Docker on the host",
        cause=_well,
    ),
    Row(
        "docker.engine",
        "it is podman",
        _podman,
        "docker.podman-no-buildkit",
        "export DOCKER_BUILDKIT=0",
        status="warning",
        cause=_well,
    ),
    Row(
        "docker.bind-mounts",
        "a container has the host's directory",
        "mkdir -p /home/coder/projects/data;"
        f" docker run -d --name {_WRONG_MOUNT} --network none -v /home/coder/projects/data:/data"
        f" --entrypoint sleep {tag('base')} 600",
        "docker.bind-mount",
        "if it is yours",
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
    spaces.engine.docker("rm", "-f", _WRONG_MOUNT, check=False)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)
