"""`ws-boot docker-group` in a booted workspace: every kind of host socket that one may meet."""

import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devtools.engine import Engine
from devtools.images import tag
from devtools.workspace import Workspace
from tests.conftest import Spaces, missing
from tests.harness.host_socket import HostSocket

pytestmark = [pytest.mark.docker, pytest.mark.root]

SOCKET = "/var/run/docker.sock"
OURS = -1
"""Stands for the GID that the image's group `docker` has."""

AGENT = """#!/bin/sh
echo "agent: $(docker ps --format '{{.Names}}' 2>&1 | tr '\\n' ' ')"
exec sleep infinity
"""


@dataclass(frozen=True)
class Row:
    """One kind of host: its socket, and what is to come of it."""

    name: str
    gid: int
    case: str
    says: str
    uid: int = 0
    mode: int = 0o660


ROWS = [
    Row("equal", OURS, "equal", "the group docker has the Docker socket's GID"),
    Row("free", 4242, "equal", "the group docker has the Docker socket's GID 4242"),
    Row("taken", 39, "taken", "the Docker socket's GID 39 belongs to the group irc, and coder is in it"),
    Row("zero", 0, "proxy", "GID 0 of the Docker socket gives no group access, so a proxy is needed"),
    Row("own", 1000, "primary", "the Docker socket belongs to coder's own group coder"),
    Row("rootonly", 4242, "proxy", "mode 0600 of the Docker socket gives no group access", mode=0o600),
    Row("open", 0, "open", "the Docker socket is open to everyone", mode=0o666),
    Row("mine", 0, "owner", "the Docker socket belongs to coder", uid=1000),
]


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    if os.getuid() != 0:
        missing("root, to give a socket to another group")
    # Not pytest's: the path of a socket has to be short.
    made = Path(tempfile.mkdtemp(prefix="sock-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def docker_gid(engine: Engine) -> int:
    done = engine.docker("run", "--rm", "--entrypoint", "getent", tag("base"), "group", "docker")
    return int(done.stdout.split(":")[2])


def at(space: Workspace, path: Path) -> Workspace:
    """The workspace with its Docker socket at another path of the host."""
    for volume in space.attributes["volumes"]:
        if volume["container_path"] == SOCKET:
            volume["host_path"] = str(path)
    space.agent_script = AGENT
    return space


@pytest.fixture(scope="module", params=ROWS, ids=lambda row: row.name)
def row(request: pytest.FixtureRequest) -> Row:
    found: Row = request.param
    return found


@pytest.fixture(scope="module")
def booted(row: Row, directory: Path, docker_gid: int, spaces: Spaces) -> Iterator[Workspace]:
    gid = docker_gid if row.gid == OURS else row.gid
    host = HostSocket(directory / row.name, gid, uid=row.uid, mode=row.mode)
    space = at(spaces.new(f"docker-{row.name}"), host.path).boot()
    yield space
    space.remove()
    host.stop()


def host_state(path: Path) -> tuple[int, int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid, found.st_mode


def test_the_boot_ends_well(booted: Workspace) -> None:
    assert (booted.wait_ready(), booted.out("systemctl --failed --no-legend --plain; true")) == (
        "running",
        "",
    )


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["bash", "-lc", "docker ps"], id="login shell"),
        pytest.param(["docker", "ps"], id="no shell"),
        pytest.param(["sudo", "systemd-run", "-q", "--uid=coder", "--pipe", "docker", "ps"], id="unit"),
        pytest.param(["env", "-i", "/usr/bin/docker", "ps"], id="no environment"),
    ],
)
def test_docker_answers_the_user(words: list[str], booted: Workspace) -> None:
    done = booted.exec(*words)
    assert booted.container in done.stdout, done.stderr


def test_docker_answered_the_agent(booted: Workspace) -> None:
    assert booted.container in booted.out("journalctl -o cat -u coder-agent")


def test_what_is_piped_in_comes_out_again(booted: Workspace) -> None:
    """docker closes its half of the connection once there is no more to send."""
    container = f"docker run --rm -i --network=none --entrypoint sh {tag('base')}"
    out = booted.out(f"echo hello | {container} -c 'cat; sleep 0.2; echo goodbye'")
    assert out.splitlines() == ["hello", "goodbye"]


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("docker run --rm -it --network=none --entrypoint echo {image} hello", id="run"),
        pytest.param("docker exec -it {container} echo hello", id="exec"),
        pytest.param(
            "docker run --rm -i --network=none --entrypoint echo {image} hello < /dev/null", id="pipe"
        ),
    ],
)
def test_what_has_a_terminal_ends(command: str, booted: Workspace) -> None:
    """By the real client: the daemon ends the stream, and the client has to learn of it."""
    line = command.format(container=booted.container, image=tag("base"))
    done = booted.sh(f"timeout 20 script --quiet --return --command {shlex.quote(line)} /dev/null")
    # script(1) passes on what ends its own input, too.
    assert (done.returncode, "hello" in done.stdout) == (0, True), done.stdout


def test_a_client_of_http_1_0_ends(booted: Workspace) -> None:
    """It takes the end of the connection for the end of the answer."""
    client = "curl --http1.0 --silent --max-time 10 --unix-socket /run/docker.sock http://docker/version"
    assert '"ApiVersion"' in booted.out(client)


def test_it_says_what_it_found(row: Row, booted: Workspace) -> None:
    assert booted.out("ws-boot docker-group").startswith(row.says)
    assert f'"case": "{row.case}"' in booted.out("ws-boot docker-group --json")
    again = booted.sh("sudo ws-boot docker-group")
    assert (again.returncode, again.stderr) == (0, ""), "nobody lacks the group, and sudo(8) needs none"
    assert "done:" not in again.stdout, "a second run finds nothing to do"


def test_the_journal_has_its_fields(booted: Workspace) -> None:
    log = booted.out("journalctl -u ws-docker-group -o json --output-fields=CODER_WS_STEP,CODER_WS_CASE")
    assert '"CODER_WS_STEP":"docker-group"' in log


def test_the_group_docker_is_never_root_s(booted: Workspace) -> None:
    assert booted.out("getent group docker | cut -d: -f3") != "0"
    assert "coder" not in booted.out("getent group root")


def test_the_host_s_socket_is_as_it_was(
    row: Row, directory: Path, docker_gid: int, booted: Workspace
) -> None:
    gid = docker_gid if row.gid == OURS else row.gid
    assert host_state(directory / row.name) == (row.uid, gid, 0o140000 | row.mode)


# What one cannot fix from inside ---------------------------------------------------------------------


def refused(space: Workspace) -> str:
    """What it says; its exit status is 1, and the boot went on."""
    done = space.exec("ws-boot", "docker-group", user="root")
    assert done.returncode == 1, done.stdout
    assert "agent:" in space.out("journalctl -o cat -u coder-agent")
    assert space.out("systemctl is-active coder-agent") == "active"
    return done.stderr


def test_no_socket(spaces: Spaces) -> None:
    space = spaces.new("docker-none")
    space.attributes["volumes"] = [
        volume for volume in space.attributes["volumes"] if volume["container_path"] != SOCKET
    ]
    assert space.boot().wait_ready() == "running"
    assert space.out("ws-boot docker-group") == "no Docker socket is mounted, so there is nothing to do"


def test_a_directory_in_place_of_the_socket(directory: Path, spaces: Spaces) -> None:
    """What Docker does where the path does not exist on the host."""
    space = at(spaces.new("docker-directory"), directory / "no-such-socket").boot()
    told = refused(space)
    assert "the file that is mounted as the Docker socket is not a socket" in told
    assert "hint: check the socket's path on the host" in told


def test_hidden_socket(spaces: Spaces) -> None:
    """Without a tmpfs of the container's systemd mounts its own over the socket."""
    space = at(spaces.new("docker-hidden"), Path(SOCKET))
    del space.attributes["tmpfs"]
    told = refused(space.boot())
    assert "another mount covers it" in told
    assert "hint: start the workspace's container with a tmpfs at /run" in told


@pytest.fixture(scope="module")
def stale(directory: Path, spaces: Spaces) -> Iterator[tuple[Workspace, HostSocket]]:
    host = HostSocket(directory / "stale", 4243)
    space = at(spaces.new("docker-stale"), host.path).boot()
    host.stop()
    yield space, host
    space.remove()


def test_a_daemon_that_does_not_run(stale: tuple[Workspace, HostSocket]) -> None:
    told = refused(stale[0])
    assert "no process answers on the Docker socket" in told
    assert "start it, then restart the workspace" in told


def test_stale_socket(stale: tuple[Workspace, HostSocket]) -> None:
    """The daemon came back with a new socket; the mount still has the old one."""
    space, host = stale
    host.path.unlink()
    again = HostSocket(host.path, 4243)
    told = refused(space)
    assert "the Docker socket is dead" in told
    assert "hint: restart the workspace" in told
    space.stop()
    space.start()
    assert space.container in space.out("docker ps")
    again.stop()


# Later on ----------------------------------------------------------------------------------------------


@pytest.fixture
def plain(directory: Path, spaces: Spaces) -> Iterator[Workspace]:
    """A workspace that booted well, and whose group then got another number."""
    host = HostSocket(directory / "plain", 4244)
    space = at(spaces.new("docker-plain"), host.path).boot()
    space.out("sudo groupmod -g 4299 docker")
    yield space
    space.remove()
    host.stop()
    host.path.unlink()


def test_without_root_it_says_what_is_needed(plain: Workspace) -> None:
    done = plain.exec("ws-boot", "docker-group")
    assert done.returncode == 1
    assert done.stderr == (
        "error: no group has the Docker socket's GID 4244 yet, and only root can give"
        " the group docker the GID 4244\n"
        "hint: run: sudo ws-boot docker-group\n"
    )


def test_a_dry_run_changes_nothing(plain: Workspace) -> None:
    assert plain.out("sudo ws-boot docker-group --dry-run").endswith(
        "to do: give the group docker the GID 4244"
    )
    assert plain.out("getent group docker").startswith("docker:x:4299:")


def test_a_shell_from_before_is_told_to_log_in_again(plain: Workspace) -> None:
    plain.engine.docker("exec", "-d", "-t", "-u", "coder", plain.container, "bash", "-c", "sleep 600; true")
    done = plain.exec("ws-boot", "docker-group", user="root")
    assert done.stdout.endswith("done: give the group docker the GID 4244\n")
    assert "started earlier, without the group: bash (PID " in done.stderr
    assert "log in again there" in done.stderr
    assert plain.container in plain.out("docker ps"), "a new login has it"


def test_a_proxy_that_was_stopped_is_started_again(directory: Path, spaces: Spaces) -> None:
    host = HostSocket(directory / "again", 0)
    space = at(spaces.new("docker-again"), host.path).boot()
    space.out("sudo systemctl kill -s KILL ws-docker-proxy.service")
    assert space.container in space.out("docker ps"), "systemd has started it again"
    space.out("sudo systemctl stop ws-docker-proxy.socket ws-docker-proxy.service 2>&1")
    assert space.sh("docker ps").returncode != 0
    assert "remove the dead proxy" in space.out("sudo ws-boot docker-group")
    assert space.container in space.out("docker ps")
    space.stop()
    space.start()
    assert space.container in space.out("docker ps"), "after a restart of the container"
    assert space.quickest_stop(2) < 2
    host.stop()
