"""ws-doctor, category agent: why a workspace does not connect, each broken and fixed as printed.

The scripts stand in for the one that Coder's server gives, whose ways to fail they have: it sleeps
for 30 s between downloads, and for 24 hours once it has given up.
"""

import pytest

from devtools.workspace import AGENT_FILE, AGENT_STAND_IN, Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, Template, prove
from tests.harness.waits import AGENT_RUNS, LOGGED, sub_state, until

pytestmark = pytest.mark.docker

_KEEP = f"cp -a {AGENT_FILE} /run/agent-init.good"
_BACK = f"cp -a /run/agent-init.good {AGENT_FILE}"


_ENDED = sub_state("coder-agent", "auto-restart")


def _script(*lines: str, stays: str) -> str:
    """Another init script in the place of the good one, and the agent started with it.

    Args:
        lines: of the script.
        stays: waits until the script has come to where it stays.
    """
    words = "\n".join(["#!/bin/sh", *lines])
    return f"{_KEEP}; cat > {AGENT_FILE} <<'EOF'\n{words}\nEOF\nsystemctl restart coder-agent; {stays}"


def _no_token(space: Workspace) -> None:
    space.attributes["env"] = [pair for pair in space.attributes["env"] if "TOKEN=" not in pair]


def _outdated(space: Workspace) -> None:
    refused = "echo 'GET http://coder/api: unexpected status code 403: Build is outdated.'"
    space.agent_script = AGENT_STAND_IN.replace("exec ./coder", f"{refused}\nexec ./coder")


ROWS = [
    Row(
        "agent.token",
        "the template gives no token",
        Template(_no_token),
        "agent.token-missing",
        'env = ["CODER_AGENT_TOKEN=${coder_agent.main.token}"]',
    ),
    Row(
        "agent.init-script",
        "it is missing",
        f"rm {AGENT_FILE}",
        "agent.script-missing",
        "upload it",
    ),
    Row(
        "agent.init-script",
        "it is empty",
        f": > {AGENT_FILE}",
        "agent.script-empty",
        "upload it",
    ),
    Row(
        "agent.init-script",
        "the user cannot read it",
        f"chmod 0700 {AGENT_FILE}",
        "agent.script-unreadable",
        "sudo chmod a+rX /etc/coder /etc/coder/agent-init.sh",
    ),
    Row(
        "agent.process",
        "the script has given up",
        _script(
            "echo 'error: failed to download coder agent'",
            "sleep 86400",
            stays=until("pgrep -f '^sleep 86400'"),
        ),
        "agent.gave-up",
        "sudo systemctl restart coder-agent",
        cause=_BACK,
    ),
    Row(
        "agent.process",
        "the script tries to download the agent",
        _script("echo 'curl: (7) Failed to connect'", "sleep 30", stays=until("pgrep -f '^sleep 30'")),
        "agent.download-fails",
        "sudo systemctl restart coder-agent",
        cause=_BACK,
    ),
    Row(
        "agent.process",
        "the agent ends at once",
        _script("echo 'exec format error' >&2", "exit 126", stays=_ENDED),
        "agent.restarting",
        "sudo systemctl restart coder-agent",
        cause=_BACK,
    ),
    Row(
        "agent.process",
        "the agent comes up, and ends again",
        _script(
            "cd $(mktemp -d)",
            "cp /bin/sh coder",
            "exec ./coder -c 'echo \"error: unexpected status code 502\"; sleep 4; exit 1'",
            stays=f"{until('test $(systemctl show -P NRestarts coder-agent) -ge 1')}; {AGENT_RUNS}",
        ),
        "agent.restarting",
        "sudo systemctl restart coder-agent",
        evidence="unexpected status code 502",
        cause=_BACK,
    ),
    Row(
        "agent.init-script",
        "the user cannot read it, and the agent was started again",
        f"chmod 0700 {AGENT_FILE}; systemctl restart coder-agent; {_ENDED}",
        "agent.script-unreadable",
        "sudo chmod a+rX /etc/coder /etc/coder/agent-init.sh",
    ),
    Row(
        "disk.tmp",
        "no program can be run from /tmp, and the agent was started again",
        f"mount --bind /tmp /tmp; mount -o remount,bind,noexec /tmp; systemctl restart coder-agent; {_ENDED}",
        "disk.tmp-noexec",
        "sudo mount -o remount,bind,exec /tmp",
        after=f"systemctl restart coder-agent; {AGENT_RUNS}",
    ),
    Row(
        "agent.process",
        "it was stopped",
        "systemctl stop coder-agent",
        "agent.stopped",
        "sudo systemctl restart coder-agent",
    ),
    Row(
        "agent.process",
        "it is disabled",
        "systemctl disable --now coder-agent",
        "agent.disabled",
        "sudo systemctl enable --now coder-agent",
    ),
    Row(
        "agent.process",
        "it is masked",
        "systemctl mask --now coder-agent",
        "agent.masked",
        "sudo systemctl unmask coder-agent",
    ),
    Row(
        "agent.process",
        "it is masked until the next start",
        "systemctl mask --runtime --now coder-agent",
        "agent.masked",
        "sudo systemctl unmask --runtime coder-agent",
    ),
    Row(
        "agent.process",
        "it is not installed",
        "systemctl stop coder-agent; rm /usr/local/lib/systemd/system/coder-agent.service;"
        " systemctl daemon-reload",
        "agent.not-installed",
        "use an image that is built on this project's base image",
    ),
    Row(
        "agent.build",
        "the container has outlived its build",
        Template(_outdated, seen=f"{AGENT_RUNS}; {LOGGED}"),
        "agent.build-outdated",
        "start the workspace again",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("doctor-agent").without_coder().boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)
