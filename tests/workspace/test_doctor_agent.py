"""ws-doctor, category agent: why a workspace does not connect, each broken and mended as printed.

The scripts stand in for the one that Coder's server gives, whose ways to fail they have: it sleeps
for 30 s between downloads, and for 24 hours once it has given up.
"""

import pytest

from devtools.workspace import AGENT_FILE, AGENT_STAND_IN, Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, Template, prove

pytestmark = pytest.mark.docker

_KEEP = f"cp -a {AGENT_FILE} /run/agent-init.good"
_BACK = f"cp -a /run/agent-init.good {AGENT_FILE}"


def _script(*lines: str) -> str:
    """Another init script in the place of the good one, and the agent started with it."""
    words = "\n".join(["#!/bin/sh", *lines])
    # A moment, so that the script has come to where it stays.
    return f"{_KEEP}; cat > {AGENT_FILE} <<'EOF'\n{words}\nEOF\nsystemctl restart coder-agent; sleep 0.5"


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
        "the container has no CODER_AGENT_TOKEN",
        'env = ["CODER_AGENT_TOKEN=${coder_agent.main.token}"]',
    ),
    Row(
        "agent.init-script",
        "it is missing",
        f"rm {AGENT_FILE}",
        "the agent's init script is missing",
        "upload it",
    ),
    Row(
        "agent.init-script",
        "it is empty",
        f": > {AGENT_FILE}",
        "the agent's init script is empty",
        "upload it",
    ),
    Row(
        "agent.init-script",
        "the user cannot read it",
        f"chmod 0700 {AGENT_FILE}",
        "the user cannot read the agent's init script",
        "sudo chmod 0755 /etc/coder/agent-init.sh",
    ),
    Row(
        "agent.process",
        "the script has given up",
        _script("echo 'error: failed to download coder agent'", "sleep 86400"),
        "the agent's init script has given up and sleeps for 24 hours",
        "sudo systemctl restart coder-agent",
        cause=_BACK,
    ),
    Row(
        "agent.process",
        "the script tries to download the agent",
        _script("echo 'curl: (7) Failed to connect'", "sleep 30"),
        "the agent cannot be downloaded; its init script tries again every 30 seconds",
        "sudo systemctl restart coder-agent",
        cause=_BACK,
    ),
    Row(
        "agent.process",
        "the agent ends at once",
        _script("echo 'exec format error' >&2", "exit 126"),
        "the agent ends as soon as it is started (status 126)",
        "sudo systemctl restart coder-agent",
        cause=_BACK,
    ),
    Row(
        "agent.process",
        "it was stopped",
        "systemctl stop coder-agent",
        "the agent does not run",
        "sudo systemctl restart coder-agent",
    ),
    Row(
        "agent.process",
        "it is disabled",
        "systemctl disable --now coder-agent",
        "coder-agent is disabled, so it does not run at boot",
        "sudo systemctl enable --now coder-agent",
    ),
    Row(
        "agent.process",
        "it is masked",
        "systemctl mask --now coder-agent",
        "coder-agent is masked, so the agent never starts",
        "sudo systemctl unmask coder-agent",
    ),
    Row(
        "agent.process",
        "it is not installed",
        "systemctl stop coder-agent; rm /usr/local/lib/systemd/system/coder-agent.service;"
        " systemctl daemon-reload",
        "coder-agent is not installed",
        "use an image that is built on this project's base image",
    ),
    Row(
        "agent.build",
        "the container has outlived its build",
        Template(_outdated),
        "Coder refuses the agent: this container is of an older build",
        "start the workspace again",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("doctor-agent").without_coder().boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_mended_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)
