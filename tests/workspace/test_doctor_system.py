"""ws-doctor, category system: each row breaks one thing, and mends it as the doctor says."""

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, Template, prove

pytestmark = pytest.mark.docker

_FAILS_ONCE = "/etc/systemd/system/other.service"


def _sleeps(space: Workspace) -> None:
    space.attributes["entrypoint"] = ["sleep", "infinity"]


def _hangs(space: Workspace) -> None:
    """PID 1 stands still: only the host can do that to it."""
    pid = space.engine.docker("inspect", "-f", "{{.State.Pid}}", space.container).stdout.strip()
    kill = ["--pid=host", "--entrypoint", "kill", space.attributes["image"], "-STOP", pid]
    space.engine.docker("run", "--rm", *kill)


def _failing(path: str, then: str) -> str:
    """A program that fails until /run/good exists, at `path`; then `then` is run."""
    return f"rm -f /run/good; install -D /dev/stdin {path} <<< $'#!/bin/sh\\ntest -e /run/good'; {then}"


ROWS = [
    Row(
        "system.pid1",
        "another program is PID 1",
        Template(_sleeps, boots=False),
        "PID 1 is sleep, not systemd",
        "in the template's docker_container set neither command nor entrypoint nor init",
    ),
    Row(
        "system.state",
        "systemd hangs",
        _hangs,
        "systemd does not answer",
        "coder restart",
    ),
    Row(
        "system.state",
        "a unit of somebody else has failed",
        f"printf '[Service]\\nType=oneshot\\nExecStart=/usr/bin/test -e /run/good\\n' > {_FAILS_ONCE};"
        " rm -f /run/good; systemctl daemon-reload; ! systemctl start other",
        "other.service has failed",
        "sudo systemctl restart other",
        status="warning",
        cause="touch /run/good",
        after=f"rm {_FAILS_ONCE}; systemctl daemon-reload",
    ),
    Row(
        "system.units",
        "a boot step is masked",
        "systemctl mask ws-hooks",
        "ws-hooks is masked, so it never runs",
        "sudo systemctl unmask ws-hooks",
    ),
    Row(
        "system.units",
        "a boot step is disabled",
        "systemctl disable --now home-persist-resolve",
        "home-persist-resolve is disabled, so it does not run at boot",
        "sudo systemctl enable --now home-persist-resolve",
    ),
    Row(
        "system.units",
        "a boot step has not run",
        "systemctl stop ws-jetbrains",
        "ws-jetbrains does not run",
        "sudo systemctl restart ws-jetbrains",
        status="warning",
    ),
    Row(
        "system.units",
        "a boot step has failed",
        "mount --bind /usr/bin/false /usr/local/bin/ws-boot; ! systemctl restart ws-docker-group;"
        " umount /usr/local/bin/ws-boot",
        "ws-docker-group refused something at its last run",
        "sudo systemctl restart ws-docker-group",
        status="warning",
    ),
    Row(
        "system.units",
        "a boot step was killed",
        "mkdir -p /run/systemd/system/ws-hooks.service.d;"
        " printf '[Service]\\nExecStart=\\nExecStart=/bin/sh -c \"kill -9 $$$$\"\\n'"
        " > /run/systemd/system/ws-hooks.service.d/kill.conf;"
        " systemctl daemon-reload; ! systemctl restart ws-hooks;"
        " rm -r /run/systemd/system/ws-hooks.service.d; systemctl daemon-reload",
        "ws-hooks has failed (signal, status 9)",
        "sudo systemctl restart ws-hooks",
    ),
    Row(
        "system.units",
        "a boot step is not installed",
        "systemctl stop ws-jetbrains; rm /usr/local/lib/systemd/system/ws-jetbrains.service;"
        " systemctl daemon-reload",
        "ws-jetbrains is not installed",
        "use an image that is built on this project's base image",
    ),
    Row(
        "system.boot-order",
        "a unit file of the user's does not wait for the home",
        "cd /usr/local/lib/systemd/system; for unit in coder-agent ws-docker-group home-persist-resolve; do"
        " sed '/^After=/d; /^Before=/d' $unit.service > /etc/systemd/system/$unit.service; done;"
        " systemctl daemon-reload",
        "coder-agent.service does not wait for ws-docker-group.service and home-persist-resolve.service",
        "sudo systemctl revert coder-agent.service",
        after="systemctl revert ws-docker-group home-persist-resolve",
    ),
    Row(
        "system.hooks",
        "a hook of a tool fails",
        _failing("/usr/local/share/other/post-create.sh", "! sudo -iu coder ws-boot hooks"),
        "the hook of other ended with status 1",
        "ws-boot hooks",
        status="warning",
        cause="touch /run/good",
        after="rm -r /usr/local/share/other",
    ),
    Row(
        "system.settings",
        "the settings are no JSON",
        "echo '{' > /etc/coder/workspace.json",
        "the settings do not count",
        "coder restart",
    ),
    Row(
        "system.settings",
        "there are no settings",
        "rm /etc/coder/workspace.json",
        "there is no settings document",
        "use the project's template",
    ),
    Row(
        "system.locale",
        "the locale knows only ASCII",
        "true",
        "the locale is 'C', which knows only ASCII",
        "export LANG=C.UTF-8",
        status="warning",
        env={"LANG": "C"},
    ),
    Row(
        "system.locale",
        "no locale",
        "true",
        "the locale is 'not set', which knows only ASCII",
        "export LANG=C.UTF-8",
        status="warning",
        env={"LANG": ""},
    ),
    Row(
        "system.locale",
        "the locale has another charset",
        "true",
        "the locale de_DE.ISO-8859-1 is not in UTF-8",
        "unset LC_ALL LC_CTYPE; export LANG=C.UTF-8",
        status="warning",
        env={"LC_ALL": "de_DE.ISO-8859-1"},
    ),
    Row(
        "system.locale",
        "the locale is not installed",
        "true",
        "the locale xx_XX.UTF-8 is not installed",
        "unset LC_ALL LC_CTYPE; export LANG=C.UTF-8",
        status="warning",
        env={"LC_CTYPE": "xx_XX.UTF-8"},
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("doctor-system").without_coder().boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_mended_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)
