"""ws-doctor, category system: each row breaks one thing, and fixes it as the doctor says."""

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, Template, codes, look, prove

pytestmark = pytest.mark.docker

_FAILS_ONCE = "/etc/systemd/system/other.service"
_HOOK = "/usr/local/share/other/post-create.sh"
_RUN_HOOKS = "! sudo -iu coder ws-boot hooks"
_JOURNAL = "systemd-journald systemd-journald.socket systemd-journald-dev-log.socket"
_MUTE = (
    'systemd-run --quiet --unit=mute python3 -c "import socket, time;'
    " mute = socket.socket(type=socket.SOCK_DGRAM); mute.bind(('127.0.0.53', 53)); time.sleep(600)\";"
    " echo nameserver 127.0.0.53 > /etc/resolv.conf"
)


def _script(path: str, *lines: str) -> str:
    """Write a program."""
    words = "\n".join(["#!/bin/sh", *lines])
    return f"install -D /dev/stdin {path} <<'END'\n{words}\nEND\n"


def _drop_in(unit: str, *lines: str) -> str:
    """Change a unit until the next boot."""
    directory = f"/run/systemd/system/{unit}.service.d"
    words = "\n".join(["[Service]", *lines])
    return (
        f"mkdir -p {directory}; cat > {directory}/bad.conf <<'END'\n{words}\nEND\nsystemctl daemon-reload; "
    )


def _without_drop_in(unit: str) -> str:
    return f"rm -r /run/systemd/system/{unit}.service.d; systemctl daemon-reload"


def _flaps(unit: str, *lines: str) -> str:
    """A program that comes up, and ends again; it is looked at while it is up."""
    start = ["Restart=always", "RestartSec=1", "ExecStart=", "ExecStart=/bin/sh /run/flaps"]
    return (
        _script("/run/flaps", *lines)
        + _drop_in(unit, *start)
        + f"systemctl restart {unit};"
        + f" until test $(systemctl show -P NRestarts {unit}) -ge 1; do sleep 0.2; done;"
        + f" until test $(systemctl show -P SubState {unit}) = running; do sleep 0.1; done"
    )


def _sleeps(space: Workspace) -> None:
    space.attributes["entrypoint"] = ["sleep", "infinity"]


def _no_new_privileges(space: Workspace) -> None:
    space.attributes["security_opts"] = [
        *space.attributes.get("security_opts", ()),
        "no-new-privileges:true",
    ]


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
        "system.pid1-foreign",
        "in the template's docker_container set neither command nor entrypoint nor init",
    ),
    Row(
        "system.state",
        "systemd hangs",
        _hangs,
        "system.state-silent",
        "coder restart",
    ),
    Row(
        "system.state",
        "a unit of somebody else has failed",
        f"printf '[Service]\\nType=oneshot\\nExecStart=/usr/bin/test -e /run/good\\n' > {_FAILS_ONCE};"
        " rm -f /run/good; systemctl daemon-reload; ! systemctl start other",
        "system.other-unit-failed",
        "sudo systemctl restart other",
        status="warning",
        cause="touch /run/good",
        after=f"rm {_FAILS_ONCE}; systemctl daemon-reload",
    ),
    Row(
        "system.state",
        "the bus was stopped",
        "systemctl stop dbus.socket dbus.service 2>&1",
        "system.dbus-down",
        "sudo systemctl start dbus.socket dbus.service",
    ),
    Row(
        "system.state",
        "a unit of systemd-run has failed",
        "! systemd-run --wait --quiet --unit=once false",
        "system.other-unit-failed",
        "sudo systemctl reset-failed once.service",
        status="warning",
    ),
    Row(
        "system.journal",
        "it was stopped",
        f"systemctl stop {_JOURNAL} 2>&1",
        "system.journald-down",
        "sudo systemctl restart systemd-journald.socket systemd-journald",
    ),
    Row(
        "system.journal",
        "it is masked",
        f"systemctl mask systemd-journald 2>&1; systemctl stop {_JOURNAL} 2>&1",
        "system.journald-down",
        "sudo systemctl unmask systemd-journald",
    ),
    Row(
        "system.units",
        "a unit ends again and again",
        _flaps("web-shell", "echo 'error: the port is taken'", "sleep 4", "exit 1"),
        "system.unit-restarting",
        "sudo systemctl restart web-shell",
        evidence="error: the port is taken",
        cause=_without_drop_in("web-shell"),
    ),
    Row(
        "system.units",
        "a unit's program cannot be started",
        _drop_in("ws-jetbrains", "ExecStart=", "ExecStart=/usr/local/bin/no-such-program")
        + "! systemctl restart ws-jetbrains",
        "system.unit-failed",
        "sudo systemctl restart ws-jetbrains",
        evidence="/usr/local/bin/no-such-program",
        cause=_without_drop_in("ws-jetbrains"),
    ),
    Row(
        "system.units",
        "a boot step is masked",
        "systemctl mask ws-hooks",
        "system.unit-masked",
        "sudo systemctl unmask ws-hooks",
    ),
    Row(
        "system.units",
        "a boot step is masked until the next start",
        "systemctl mask --runtime ws-hooks",
        "system.unit-masked",
        "sudo systemctl unmask --runtime ws-hooks",
    ),
    Row(
        "system.units",
        "a boot step is disabled",
        "systemctl disable --now home-persist-resolve",
        "system.unit-disabled",
        "sudo systemctl enable --now home-persist-resolve",
    ),
    Row(
        "system.units",
        "a boot step has not run",
        "systemctl stop ws-jetbrains",
        "system.unit-stopped",
        "sudo systemctl restart ws-jetbrains",
        status="warning",
    ),
    Row(
        "system.units",
        "a boot step has failed",
        "mount --bind /usr/bin/false /usr/local/bin/ws-boot; ! systemctl restart ws-docker-group;"
        " umount /usr/local/bin/ws-boot",
        "system.unit-refused",
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
        "system.unit-failed",
        "sudo systemctl restart ws-hooks",
    ),
    Row(
        "system.units",
        "a boot step is not installed",
        "systemctl stop ws-jetbrains; rm /usr/local/lib/systemd/system/ws-jetbrains.service;"
        " systemctl daemon-reload",
        "system.unit-not-installed",
        "use an image that is built on this project's base image",
    ),
    Row(
        "system.boot-order",
        "a unit file of the user's does not wait for the home",
        "cd /usr/local/lib/systemd/system; for unit in coder-agent ws-docker-group home-persist-resolve; do"
        " sed '/^After=/d; /^Before=/d' $unit.service > /etc/systemd/system/$unit.service; done;"
        " systemctl daemon-reload",
        "system.boot-order",
        "sudo systemctl revert coder-agent",
        after="systemctl revert ws-docker-group home-persist-resolve",
    ),
    Row(
        "system.hooks",
        "a hook of a tool fails",
        _failing("/usr/local/share/other/post-create.sh", "! sudo -iu coder ws-boot hooks"),
        "system.hook-failed",
        "ws-boot hooks",
        status="warning",
        cause="touch /run/good",
        after="rm -r /usr/local/share/other",
    ),
    Row(
        "system.hooks",
        "a hook fails in the boot step, and says more after its reason",
        _script(
            _HOOK, "test -e /run/good && exit 0", "echo 'fatal: no such branch' >&2", "echo done", "exit 3"
        )
        + "rm -f /run/good; ! systemctl restart ws-hooks",
        "system.hook-failed",
        "sudo systemctl restart ws-hooks",
        status="warning",
        evidence="fatal: no such branch",
        cause="touch /run/good",
        after="rm -r /usr/local/share/other",
    ),
    Row(
        "system.hooks",
        "a hook is not executable",
        _script(_HOOK, "exit 0") + f"chmod 0644 {_HOOK}; {_RUN_HOOKS}",
        "system.hook-not-executable",
        f"sudo chmod 0755 {_HOOK}",
        status="warning",
        after="rm -r /usr/local/share/other",
    ),
    Row(
        "system.hooks",
        "a hook hangs",
        _script(_HOOK, "test -e /run/good || sleep 600")
        + f"rm -f /run/good; {_RUN_HOOKS} run other --time-limit 1",
        "system.hook-timed-out",
        "ws-boot hooks run other",
        status="warning",
        cause="touch /run/good",
        after="rm -r /usr/local/share/other",
    ),
    Row(
        "network.dns",
        "no name server answers, and nothing else is known of the network",
        _MUTE,
        "network.resolver-dead",
        "which takes over the host's name servers",
    ),
    Row(
        "network.dns",
        "there is no name server",
        ": > /etc/resolv.conf",
        "network.resolver-dead",
        "which takes over the host's name servers",
    ),
    Row(
        "system.settings",
        "the settings are no JSON",
        "echo '{' > /etc/coder/workspace.json",
        "system.settings-invalid",
        "coder restart",
    ),
    Row(
        "system.settings",
        "there are no settings",
        "rm /etc/coder/workspace.json",
        "system.settings-missing",
        "use the project's template",
        status="warning",  # the container's environment still has the workspace's id
    ),
    Row(
        "system.settings",
        "the user may not read the settings",
        "chmod 0600 /etc/coder/workspace.json",
        "system.settings-unreadable",
        "sudo chmod a+rX /etc/coder /etc/coder/workspace.json",
    ),
    Row(
        "system.sudo",
        "its settings can be changed by everybody",
        "chmod 0666 /etc/sudoers",
        "system.sudo-broken",
        "chmod 0440 /etc/sudoers",
        evidence="/etc/sudoers is world writable",
    ),
    Row(
        "system.sudo",
        "the file that allows it is the user's",
        "chown coder /etc/sudoers.d/coder",
        "system.sudo-broken",
        "chown root:root /etc/sudoers.d/coder",
    ),
    Row(
        "system.sudo",
        "it has lost its set-user-ID bit",
        "chmod u-s /usr/bin/sudo",
        "system.sudo-broken",
        "chmod 4755 /usr/bin/sudo",
    ),
    Row(
        "system.sudo",
        "a file of its settings has a mistake",
        "echo 'ada ALL' > /etc/sudoers.d/ada",
        "system.sudo-complains",
        "sudo sed -i '1s/^/# /' /etc/sudoers.d/ada",
        status="warning",
        evidence="/etc/sudoers.d/ada:1:",
        after="rm /etc/sudoers.d/ada",
    ),
    Row(
        "system.sudo",
        "its main file has mistakes",
        "sed -i '1iDefaults =' /etc/sudoers; echo '@include' >> /etc/sudoers",
        "system.sudo-complains",
        "sudo sed -i '1s/^/# /;",
        status="warning",
    ),
    Row(
        "system.sudo",
        "the template forbids programs to become root",
        Template(_no_new_privileges),
        "system.sudo-forbidden",
        "remove no-new-privileges from security_opts",
        status="warning",
    ),
    Row(
        "system.sudo",
        "its plug-in is gone",
        "rm /usr/libexec/sudo/sudoers.so",
        "system.sudo-broken",
        "coder restart",
    ),
    Row(
        "system.locale",
        "the locale knows only ASCII",
        "true",
        "system.locale-ascii",
        "export LANG=C.UTF-8",
        status="warning",
        env={"LANG": "C"},
    ),
    Row(
        "system.locale",
        "no locale",
        "true",
        "system.locale-ascii",
        "export LANG=C.UTF-8",
        status="warning",
        env={"LANG": ""},
    ),
    Row(
        "system.locale",
        "the locale has another charset",
        "true",
        "system.locale-charset",
        "unset LC_ALL LC_CTYPE; export LANG=C.UTF-8",
        status="warning",
        env={"LC_ALL": "de_DE.ISO-8859-1"},
    ),
    Row(
        "system.locale",
        "the locale is not installed",
        "true",
        "system.locale-missing",
        "unset LC_ALL LC_CTYPE; export LANG=C.UTF-8",
        status="warning",
        env={"LC_CTYPE": "xx_XX.UTF-8"},
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("doctor-system").without_coder().boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)


def test_a_hook_whose_script_is_gone_is_not_named_for_ever(space: Workspace) -> None:
    space.out(_script(_HOOK, "exit 1") + _RUN_HOOKS, user="root")
    assert codes(look(space)) == {"system.hook-failed"}
    space.out("rm -r /usr/local/share/other", user="root")
    assert codes(look(space)) == set()
