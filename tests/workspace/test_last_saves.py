"""What programs do while the workspace stops is kept: the daemon ends after them."""

import shlex

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.waits import until

pytestmark = pytest.mark.docker

VOLUME = "/mnt/home-persist"
# A stand-in for an agent with programs that need a moment to end: 2.5 s at least, as a signal ends one sleep.
AGENT = """#!/bin/sh
trap '' HUP
trap 'cd; for i in 1 2 3 4 5 6; do sleep 0.5; done; echo last > .new; mv .new .tool.json;
      echo made > .made.json; rm .gone.json; mv .old.json .renamed.json; exit' TERM
while :; do sleep 3600 & wait; done
"""
# A program in a terminal that saves when it gets one signal, and does not care about the other.
PROGRAM = """trap '' HUP TERM
trap 'cd; for i in 1 2 3 4 5 6; do sleep 0.5; done; echo last > .new; mv .new .tool.json; exit' {signal}
touch ~/started
while :; do sleep 3600 & wait; done
"""
STUCK_HOOK = "#!/bin/sh\nsleep 100\n"
PATHS = [".tool.json", ".made.json", ".gone.json", ".old.json", ".renamed.json"]
LINKED = [".tool.json", ".gone.json", ".old.json"]


@pytest.fixture(scope="module", params=["booted", "booting"])
def next_home(request: pytest.FixtureRequest, spaces: Spaces) -> Workspace:
    """The workspace's next container, after a stop when it had booted, or while it still did."""
    space = _new(spaces, request.param)
    space.agent_script = AGENT
    if request.param == "booting":
        space.upload("/usr/local/share/stuck/post-create.sh", STUCK_HOOK, mode=0o755)
    space.boot(wait=request.param == "booted")
    _save_first(space)
    return _next(space, spaces)


def _new(spaces: Spaces, name: str) -> Workspace:
    space = spaces.new(name, owner=name)
    space.settings["home_persist_paths"] = PATHS
    return space


def _next(space: Workspace, spaces: Spaces, *, within: float = 10.0) -> Workspace:
    """The next container of a workspace, after a stop that took at most so many seconds."""
    seconds = space.stop()
    assert space.engine.inspect(space.container)["State"]["ExitCode"] == 130, "it was killed"
    assert 2 < seconds < within
    space.remove()
    owner = space.settings["workspace"]["owner"].removeprefix(f"{spaces.worker}-")
    again = spaces.new(space.name, owner=owner, workspace_id=space.workspace_id)
    again.settings = space.settings
    return again.boot()


def _save_first(space: Workspace) -> None:
    """Wait until the daemon and the agent run, and until what is saved then is on the volume."""
    # With two names, it says whether one of them is active.
    space.out(until("systemctl is-active -q coder-agent && systemctl is-active -q home-persist-watch"))
    space.out("cd; echo first | tee " + " ".join(LINKED))
    for path in LINKED:
        space.out(until(f"test -L ~/{path} -a -f {VOLUME}/{path}"))


def test_a_save_by_rename(next_home: Workspace) -> None:
    assert next_home.out("cat ~/.tool.json") == "last"


def test_a_new_file(next_home: Workspace) -> None:
    assert next_home.out("cat ~/.made.json") == "made"


def test_a_deletion(next_home: Workspace) -> None:
    assert next_home.sh(f"ls {VOLUME}/.gone.json").returncode
    assert next_home.out(f"cat {VOLUME}/.home-persist/attic/*/.gone.json") == "first"


def test_a_renamed_link(next_home: Workspace) -> None:
    assert next_home.sh(f"ls {VOLUME}/.old.json").returncode
    assert next_home.out("cat ~/.renamed.json") == "first"


def test_the_daemon_ends_at_once_when_only_it_is_stopped(next_home: Workspace) -> None:
    unit = "home-persist-watch"
    next_home.out(f"timeout 5 systemctl stop {unit} && systemctl start {unit}", user="root")
    assert next_home.out("systemctl is-active coder-agent home-persist-watch") == "active\nactive"


def test_agent_and_daemon_are_stopped_by_hand(spaces: Spaces) -> None:
    """The other units go on."""
    space = _new(spaces, "by-hand")
    space.agent_script = AGENT
    space.boot()
    _save_first(space)
    space.out("systemctl stop coder-agent home-persist-watch", user="root")
    assert space.out(f"readlink ~/.tool.json; cat {VOLUME}/.tool.json") == f"{VOLUME}/.tool.json\nlast"
    assert space.out("systemctl is-active web-shell ws-hooks") == "active\nactive"


def test_a_program_of_the_workspace_s_own_engine(spaces: Spaces) -> None:
    """A stand-in for the engine: its containers end with its unit."""
    space = _new(spaces, "engine")
    space.upload("/opt/program", PROGRAM.format(signal="TERM"))
    unit = "[Service]\nUser=coder\nWorkingDirectory=~\nExecStart=/bin/sh /opt/program\n"
    space.upload("/etc/systemd/system/ws-docker-engine.service", unit)
    space.boot()
    _save_first(space)
    space.out("systemctl start ws-docker-engine", user="root")
    space.out(until("test -e ~/started"))
    assert _next(space, spaces).out("cat ~/.tool.json") == "last"


@pytest.mark.parametrize("signal", ["TERM", "HUP"])
def test_a_program_in_a_terminal_of_web_shell(spaces: Spaces, signal: str) -> None:
    """dtach holds the terminals, so they last when web-shell ends; when the workspace ends, they do too."""
    space = _new(spaces, f"terminal-{signal.lower()}").boot()
    _save_first(space)
    space.exec("tee", "/home/coder/program", stdin=PROGRAM.format(signal=signal).encode())
    space.out(until("curl -fsS -d '{}' http://127.0.0.1:4000/api/sessions"))
    space.out("echo 'exec sh ~/program' | dtach -p ~/.cache/web-shell/sessions/*.sock")
    space.out(until("test -e ~/started"))
    assert _next(space, spaces).out("cat ~/.tool.json") == "last"


def test_a_terminal_that_does_not_end(spaces: Spaces) -> None:
    """The stop waits for it for some seconds, and what the agent saved in that time is kept."""
    space = _new(spaces, "terminal-stuck")
    space.agent_script = AGENT
    space.boot()
    _save_first(space)
    space.out(until("curl -fsS -d '{}' http://127.0.0.1:4000/api/sessions"))
    stuck = "trap '' HUP TERM; touch ~/started; while :; do sleep 1000; done"
    space.out(f"echo {shlex.quote(stuck)} | dtach -p ~/.cache/web-shell/sessions/*.sock")
    space.out(until("test -e ~/started"))
    assert _next(space, spaces, within=15).out("cat ~/.tool.json") == "last"


def test_terminals_last_when_web_shell_and_the_daemon_are_restarted(spaces: Spaces) -> None:
    space = spaces.new("terminal", owner="terminal-on").boot()
    space.out(until("curl -fsS -d '{}' http://127.0.0.1:4000/api/sessions"))
    space.out(until("ls ~/.cache/web-shell/sessions/*.pid"))
    pid = space.out("cat ~/.cache/web-shell/sessions/*.pid")
    units = "web-shell home-persist-watch"
    space.out(f"systemctl stop {units}; systemctl start {units}", user="root")
    space.out(f"kill -0 {pid}")
