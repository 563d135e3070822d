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
from tests.harness.answers import ask, records
from tests.harness.host_socket import HostSocket
from tests.harness.waits import until

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
    names: str
    """What its message has to name: the number or the group that decides."""
    uid: int = 0
    mode: int = 0o660


ROWS = [
    Row("equal", OURS, "equal", "docker"),
    Row("free", 4242, "equal", "4242"),
    Row("taken", 39, "taken", "irc"),
    Row("zero", 0, "proxy", "GID 0"),
    Row("own", 1000, "primary", "group coder"),
    Row("rootonly", 4242, "proxy", "0600", mode=0o600),
    Row("open", 0, "open", "", mode=0o666),
    Row("mine", 0, "owner", "coder", uid=1000),
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
    booted.out(until(f"journalctl -o cat -u coder-agent | grep -q {booted.container}"))


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
    answer = ask(booted, "ws-boot docker-group")
    assert (answer.status, answer.document["case"]) == (0, row.case)
    assert row.names in answer.document["message"]
    again = ask(booted, "sudo ws-boot docker-group")
    assert (again.status, again.document["done"]) == (0, []), "a second run finds nothing to do"
    assert again.document["without_the_group"] == [], "nobody lacks the group, and sudo(8) needs none"
    plain = booted.sh("sudo ws-boot docker-group")
    assert (plain.returncode, plain.stdout.count("\n"), plain.stderr) == (0, 1, ""), "one line for people"


def test_the_journal_has_its_fields(booted: Workspace) -> None:
    assert [record["CODER_WS_CASE"] for record in records(booted, "ws-docker-group", step="docker-group")]


def test_the_group_docker_is_never_root_s(booted: Workspace) -> None:
    assert booted.out("getent group docker | cut -d: -f3") != "0"
    assert "coder" not in booted.out("getent group root")


def test_the_host_s_socket_is_as_it_was(
    row: Row, directory: Path, docker_gid: int, booted: Workspace
) -> None:
    gid = docker_gid if row.gid == OURS else row.gid
    assert host_state(directory / row.name) == (row.uid, gid, 0o140000 | row.mode)


# What one cannot fix from inside ---------------------------------------------------------------------


def refused(space: Workspace) -> tuple[str, str]:
    """The code of its error, and its remedy; its exit status is 1, and the boot went on."""
    answer = ask(space, "ws-boot docker-group", user="root")
    assert answer.status == 1, answer.document
    space.out(until("journalctl -o cat -u coder-agent | grep -q agent:"))
    assert space.out("systemctl is-active coder-agent") == "active"
    error = answer.document["error"]
    assert error["place"] in {SOCKET, "/run/docker.sock"}
    return error["code"], error["remedy"]


def test_no_socket(spaces: Spaces) -> None:
    space = spaces.new("docker-none")
    space.attributes["volumes"] = [
        volume for volume in space.attributes["volumes"] if volume["container_path"] != SOCKET
    ]
    assert space.boot().wait_ready() == "running"
    answer = ask(space, "ws-boot docker-group")
    assert (answer.status, answer.document["case"], answer.codes) == (0, "absent", set())


def test_a_directory_in_place_of_the_socket(directory: Path, spaces: Spaces) -> None:
    """What Docker does where the path does not exist on the host."""
    space = at(spaces.new("docker-directory"), directory / "no-such-socket").boot()
    code, remedy = refused(space)
    assert (code, "on the host" in remedy) == ("docker-group.no-socket", True)


def test_hidden_socket(spaces: Spaces) -> None:
    """Without a tmpfs of the container's systemd mounts its own over the socket."""
    space = at(spaces.new("docker-hidden"), Path(SOCKET))
    del space.attributes["tmpfs"]
    code, remedy = refused(space.boot())
    assert (code, "tmpfs at /run" in remedy) == ("docker-group.hidden", True)


@pytest.fixture(scope="module")
def stale(directory: Path, spaces: Spaces) -> Iterator[tuple[Workspace, HostSocket]]:
    host = HostSocket(directory / "stale", 4243)
    space = at(spaces.new("docker-stale"), host.path).boot()
    host.stop()
    yield space, host
    space.remove()


def test_a_daemon_that_does_not_run(stale: tuple[Workspace, HostSocket]) -> None:
    code, remedy = refused(stale[0])
    assert (code, "restart the workspace" in remedy) == ("docker-group.silent", True)


def test_stale_socket(stale: tuple[Workspace, HostSocket]) -> None:
    """The daemon came back with a new socket; the mount still has the old one."""
    space, host = stale
    host.path.unlink()
    again = HostSocket(host.path, 4243)
    code, remedy = refused(space)
    assert (code, "restart the workspace" in remedy) == ("docker-group.stale", True)
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
    answer = ask(plain, "ws-boot docker-group")
    assert (answer.status, answer.codes) == (1, {"docker-group.needs-root"})
    assert answer.names("4244")
    assert answer.names("sudo ws-boot docker-group")


def test_a_dry_run_changes_nothing(plain: Workspace) -> None:
    answer = ask(plain, "sudo ws-boot docker-group --dry-run")
    (step,) = answer.document["to_do"]
    assert (answer.document["done"], "4244" in step) == ([], True)
    assert plain.out("getent group docker").startswith("docker:x:4299:")


def test_a_shell_from_before_is_told_to_log_in_again(plain: Workspace) -> None:
    plain.engine.docker("exec", "-d", "-t", "-u", "coder", plain.container, "bash", "-c", "sleep 600; true")
    slept = "pgrep -f '^sleep 600'"
    shell = int(plain.out(f"{until(slept)}; {slept} | xargs ps -o ppid= -p"))
    answer = ask(plain, "ws-boot docker-group", user="root")
    (step,) = answer.document["done"]
    assert (answer.document["gid"], "4244" in step) == (4244, True)
    assert {"pid": shell, "name": "bash"} in answer.document["without_the_group"]
    assert f"bash (PID {shell})" in plain.exec("ws-boot", "docker-group", user="root").stderr
    assert plain.container in plain.out("docker ps"), "a new login has it"


def test_a_proxy_that_was_stopped_is_started_again(directory: Path, spaces: Spaces) -> None:
    host = HostSocket(directory / "again", 0)
    space = at(spaces.new("docker-again"), host.path).boot()
    space.out("sudo systemctl kill -s KILL ws-docker-proxy.service")
    assert space.container in space.out("docker ps"), "systemd has started it again"
    space.out("sudo systemctl stop ws-docker-proxy.socket ws-docker-proxy.service 2>&1")
    assert space.sh("docker ps").returncode != 0
    assert ask(space, "sudo ws-boot docker-group").document["done"], "the dead proxy was removed"
    assert space.container in space.out("docker ps")
    space.stop()
    space.start()
    assert space.container in space.out("docker ps"), "after a restart of the container"
    assert space.quickest_stop(2) < 2
    host.stop()
