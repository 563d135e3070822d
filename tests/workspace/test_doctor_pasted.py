"""ws-doctor's remedies as people paste them: in any directory, twice, after root or others were at work.

Each row breaks one thing, and fixes it as the doctor says.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, Template, codes, findings, look, parsed, prove, written

pytestmark = pytest.mark.docker

HOME = "/home/coder"
PROJECTS = f"{HOME}/projects"
_ABSENT = f"{tempfile.gettempdir()}/absent-{os.getpid()}"
_DEAD = "http://127.0.0.1:9"
_HELPERS = json.dumps({"credHelpers": {"a": "gone", "b": "gone", "c": "lost", "d": "good"}})
_GOOD = "/usr/local/bin/docker-credential-good"
_UNIT = "/etc/systemd/system/other.service"
_FAILS = (
    f"printf '[Service]\\nType=oneshot\\nExecStart=false\\n' > {_UNIT}; systemctl daemon-reload;"
    " ! systemctl start other; "
)
_SELDOM = "[Unit]\\nStartLimitIntervalSec=1h\\nStartLimitBurst=1\\n"
_LIBRARY = "/usr/lib/systemd/system/ws-hooks.service.d"
_ESCAPED = "/etc/systemd/system/other@.service"


def _mounted(path: str) -> Callable[[Workspace], None]:
    """Mount something that the host does not have: Docker makes a directory there."""
    volume = {"host_path": f"{_ABSENT}/x", "container_path": path, "volume_name": "", "read_only": False}

    def change(space: Workspace) -> None:
        space.attributes["volumes"] = [*space.attributes["volumes"], volume]

    return change


ROWS = [
    Row(
        "programs.git",
        "the settings of the system cannot be read",
        "printf '[user\\n' > /etc/gitconfig",
        "programs.git-settings-invalid",
        "sudo sed -i --follow-symlinks '1s/^/# /' /etc/gitconfig",
        after="rm /etc/gitconfig",
    ),
    Row(
        "programs.git",
        "a file with a special name asks for signatures",
        written(".git-ü", "[commit]\n\tgpgsign = true\n")
        + "; "
        + written(".gitconfig", "[include]\npath = .git-ü\n"),
        "programs.git-signing-broken",
        f"git config --file '{HOME}/.git-ü' --unset-all commit.gpgsign",
        after=f"rm {HOME}/.git-ü {HOME}/.gitconfig",
    ),
    Row(
        "docker.context",
        "a variable has no address",
        "true",
        "docker.host-variable-dead",
        "unset DOCKER_HOST",
        shell="export DOCKER_HOST=tcp://[::1; exec bash",
    ),
    Row(
        "network.proxies",
        "a variable has no address",
        "true",
        "network.proxy-dead",
        "unset http_proxy",
        shell="export http_proxy=http://[::1; exec bash",
    ),
    Row(
        "home.locks",
        "root has left a lock in a directory of root's",
        f"sudo -u coder git init -q {PROJECTS}/r; chown root: {PROJECTS}/r/.git/; sleep 2;"
        f" touch {PROJECTS}/r/.git/index.lock; git config --system safe.directory '*'",
        "home.lock-stale",
        f"sudo rm -f {PROJECTS}/r/.git/index.lock",
        after=f"rm -r {PROJECTS}/r /etc/gitconfig",
    ),
    Row(
        "system.state",
        "a unit has failed whose name has a backslash",
        f"printf '[Service]\\nType=oneshot\\nExecStart=test -e /run/good\\n' > {_ESCAPED};"
        r" systemctl daemon-reload; ! systemctl start 'other@a\x2db'",
        "system.other-unit-failed",
        r"sudo systemctl restart 'other@a\x2db.service'",
        status="warning",
        cause="touch /run/good",
        after=f"rm {_ESCAPED} /run/good; systemctl daemon-reload",
    ),
    Row(
        "system.state",
        "systemd has given up a unit for an hour",
        f"printf '{_SELDOM}[Service]\\nType=oneshot\\nExecStart=test -e /run/good\\n' > {_UNIT};"
        " systemctl daemon-reload; ! systemctl start other; ! systemctl start other 2>&1",
        "system.other-unit-failed",
        "sudo systemctl reset-failed other.service",
        status="warning",
        cause="touch /run/good",
        after=f"rm {_UNIT} /run/good; systemctl daemon-reload",
    ),
    Row(
        "system.state",
        "a unit has failed that is not installed any more",
        f"{_FAILS} rm {_UNIT}; systemctl daemon-reload",
        "system.other-unit-failed",
        "sudo systemctl reset-failed other.service",
        status="warning",
    ),
    Row(
        "system.state",
        "a unit has failed, and somebody has masked it",
        f"{_FAILS} rm {_UNIT}; systemctl mask other 2>&1",
        "system.other-unit-failed",
        "sudo systemctl reset-failed other.service",
        status="warning",
        after="systemctl unmask other",
    ),
    Row(
        "system.units",
        "a boot step is masked twice",
        "systemctl mask ws-hooks 2>&1; systemctl mask --runtime ws-hooks 2>&1",
        "system.unit-masked",
        "sudo systemctl unmask --runtime ws-hooks",
    ),
    Row(
        "system.units",
        "the image changes a unit, and systemd refuses that",
        f"mkdir -p {_LIBRARY}; printf '[Service]\\nExecStart=\\n' > {_LIBRARY}/x.conf;"
        " systemctl daemon-reload",
        "system.unit-invalid",
        f"these are correct: /usr/local/lib/systemd/system/ws-hooks.service, {_LIBRARY}",
        cause=f"rm -r {_LIBRARY}; systemctl daemon-reload",
    ),
    Row(
        "system.journal",
        "its socket is masked",
        "systemctl mask systemd-journald.socket 2>&1;"
        " systemctl stop systemd-journald systemd-journald.socket systemd-journald-dev-log.socket 2>&1",
        "system.journald-down",
        "sudo systemctl unmask systemd-journald.socket",
    ),
    Row(
        "system.sudo",
        "it asks for the user's password, and there is none",
        "rm /etc/sudoers.d/coder",
        "system.sudo-password",
        "coder restart",
    ),
    Row(
        "programs.apt",
        "its settings have a mistake",
        f"echo 'Acquire::http::Proxy \"{_DEAD}' > /etc/apt/apt.conf.d/99x",
        "programs.apt-sources-invalid",
        "/etc/apt/apt.conf.d/99x /etc/apt/apt.conf.d/99x.disabled",
        after="rm /etc/apt/apt.conf.d/99x.disabled",
    ),
    Row(
        "programs.apt",
        "two lists have the same packages with other keys",
        'for key in 1 2; do echo "deb [signed-by=/$key.gpg] https://x.invalid/code stable main"'
        " > /etc/apt/sources.list.d/$key.list; done; touch /etc/apt/sources.list.d/2.list",
        "programs.apt-sources-invalid",
        "/etc/apt/sources.list.d/2.list /etc/apt/sources.list.d/2.list.disabled",
        after="rm /etc/apt/sources.list.d/?.list*",
    ),
    Row(
        "network.proxies",
        "two lines of npm's settings name a proxy that is gone",
        written(".npmrc", f"proxy={_DEAD}\nhttps-proxy={_DEAD}\n"),
        "network.proxy-dead",
        "'1s|^|# |;2s|^|# |'",
        after=f"rm {HOME}/.npmrc",
    ),
    Row(
        "home.volume",
        "it was read-only when the daemon was started",
        "mount -o remount,bind,ro /mnt/home-persist;"
        " ! systemctl restart home-persist-resolve home-persist-watch 2>&1",
        "home.volume-read-only",
        "sudo systemctl restart home-persist-resolve home-persist-watch",
    ),
    Row(
        "programs.git",
        "the template mounts a file that the host does not have",
        Template(_mounted(f"{HOME}/.gitconfig")),
        "programs.git-settings-invalid",
        f"mount a file at {HOME}/.gitconfig, or nothing",
    ),
    Row(
        "network.proxies",
        "one line sets two variables to it",
        f"echo 'export http_proxy={_DEAD} HTTP_PROXY={_DEAD}' > /etc/profile.d/proxy.sh",
        "network.proxy-dead",
        "sudo sed -i --follow-symlinks '1s/^/: # /' /etc/profile.d/proxy.sh",
        shell=". /etc/profile.d/proxy.sh; exec bash",
        after="rm /etc/profile.d/proxy.sh",
    ),
    Row(
        "home.unsaved",
        "a login is next to programs that the user has installed",
        f"{written('.cargo/credentials.toml', 'x')}; {written('.cargo/bin/tool', 'x')}",
        "home.unsaved-key",
        "home-persist add .cargo/",
        status="warning",
        after="sudo -iu coder home-persist remove .cargo/; rm -r /home/coder/.cargo",
    ),
    Row(
        "system.environment",
        "a line of a startup file sets two variables",
        written(".bash_aliases", "export JAVA_HOME=/opt/gone PATH=$PATH:/opt\n"),
        "system.variable-dangling",
        f"remove it from {HOME}/.bash_aliases, line 1, too",
        shell="JAVA_HOME=/opt/gone exec bash",
        after=f"test \"$(cat {HOME}/.bash_aliases)\" = 'export JAVA_HOME=/opt/gone PATH=$PATH:/opt';"
        f" rm {HOME}/.bash_aliases",
    ),
    Row(
        "system.environment",
        "a variable is set over two lines",
        written(".bash_aliases", 'export NODE_OPTIONS="--require /gone.js\n --trace-warnings"\n'),
        "system.variable-dangling",
        f"remove it from {HOME}/.bash_aliases, line 1, too",
        shell=f". {HOME}/.bash_aliases; exec bash",
        after=f"rm {HOME}/.bash_aliases",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Iterator[Workspace]:
    yield spaces.new("doctor-pasted").without_coder().boot()
    shutil.rmtree(_ABSENT, ignore_errors=True)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)


@pytest.mark.parametrize(
    "where",
    [
        "mkdir gone; cd gone; rmdir ../gone",
        "mkdir work; echo 'gitdir: /gone/.git/worktrees/work' > work/.git; cd work",
        "git init -q cut; echo '[user' >> cut/.git/config; cd cut",
        "export GIT_DIR=/etc",
    ],
)
def test_the_settings_of_git_are_well_wherever_the_doctor_is_called(where: str, space: Workspace) -> None:
    done = space.sh(f"cd /tmp; {where}; ws-doctor --json --only programs.git")
    space.out("rm -rf /tmp/gone /tmp/work /tmp/cut", user="root")
    assert codes(parsed(done.stdout)) == set()


def test_patterns_of_repositories_that_git_is_to_trust_are_heeded(space: Workspace) -> None:
    trust = "sudo -u coder git config --file /home/coder/.gitconfig safe.directory"
    space.out(f"git init -q {PROJECTS}/theirs; {trust} '~/projects/*'", user="root")
    assert codes(look(space, "--only", "programs.git")) == set()
    space.out(f"{trust} {PROJECTS}/other", user="root")
    assert codes(look(space, "--only", "programs.git")) == {"programs.git-repository-foreign"}
    space.out(f"rm -r {PROJECTS}/theirs {HOME}/.gitconfig", user="root")


def test_a_remedy_that_is_pasted_twice_keeps_what_was_there(space: Workspace) -> None:
    settings = "[include]\npath = ~/.gitconfig\n"
    space.out(written(".gitconfig", settings), user="root")
    remedy = findings(look(space, "--only", "programs.git"))["programs.git"][0]["remedy"]
    for command in remedy["commands"] * 2:
        space.out(command)
    kept = space.out(f"cat {HOME}/.gitconfig.broken*")
    space.out(f"rm {HOME}/.gitconfig*")
    assert kept.strip() == settings.strip()


def test_only_the_programs_that_do_not_keep_logins_are_taken_out(space: Workspace) -> None:
    helper = f"install /dev/stdin {_GOOD} <<< $'#!/bin/sh\\necho {{}}'"
    space.out(f"{written('.docker/config.json', _HELPERS)}; {helper}", user="root")
    found = findings(look(space, "--only", "docker.credentials"))["docker.credentials"]
    assert [finding["about"] for finding in found] == ["docker-credential-gone", "docker-credential-lost"]
    for finding in found:
        space.out("\n".join(finding["remedy"]["commands"]))
    left = json.loads(space.out(f"cat {HOME}/.docker/config.json"))
    assert codes(look(space, "--only", "docker.credentials")) == set()
    space.out(f"rm -r {HOME}/.docker {_GOOD}", user="root")
    assert left == {"credHelpers": {"d": "good"}}


def test_what_apt_does_not_read_is_not_looked_at(space: Workspace) -> None:
    file = "/etc/apt/apt.conf.d/99proxy.disabled"
    space.out(f"echo 'Acquire::http::Proxy \"{_DEAD}\";' > {file}", user="root")
    report = look(space, "--only", "network.proxies")
    space.out(f"rm {file}", user="root")
    assert codes(report) == set()


def test_extended_patterns_are_no_mistake(space: Workspace) -> None:
    text = "shopt -s extglob\ncase $1 in @(a|b)) true ;; esac\n"
    space.out(written(".bash_aliases", text), user="root")
    report = look(space, "--only", "programs.shell")
    space.out(f"rm {HOME}/.bash_aliases")
    assert codes(report) == set()


def test_what_sudo_prints_is_for_the_shell_that_called_it(space: Workspace) -> None:
    space.out("systemctl stop ws-jetbrains", user="root")
    done = space.sh("sudo ws-doctor --json --only system.units")
    commands = findings(parsed(done.stdout))["system.units"][0]["remedy"]["commands"]
    space.out("\n".join(commands))
    assert codes(look(space, "--only", "system.units")) == set()


def test_root_has_root_s_commands(space: Workspace) -> None:
    space.out("systemctl stop ws-jetbrains", user="root")
    report = parsed(space.exec("ws-doctor", "--json", "--only", "system.units", user="root").stdout)
    space.out("systemctl start ws-jetbrains", user="root")
    commands = findings(report)["system.units"][0]["remedy"]["commands"]
    assert commands == ["systemctl restart ws-jetbrains"]


def test_systemd_never_gives_up_a_unit_that_remedies_restart(space: Workspace) -> None:
    for _ in range(8):
        space.out("sudo systemctl restart home-persist-resolve home-persist-watch ws-jetbrains ws-hooks")
    assert codes(look(space)) == set()


def test_the_home_may_have_another_name(space: Workspace) -> None:
    space.out(f"ln -s {HOME} /srv/home", user="root")
    assert codes(look(space, env={"HOME": "/srv/home"})) == set()


def test_a_closed_directory_of_settings_is_opened_by_any_of_the_remedies(space: Workspace) -> None:
    space.out("chmod 0700 /etc/coder", user="root")
    report = look(space)
    assert codes(report) == {"system.settings-unreadable", "agent.script-unreadable"}
    for check in findings(report).values():
        space.out("\n".join(check[0]["remedy"]["commands"]))
        assert codes(look(space)) == set()
        space.out("chmod 0700 /etc/coder", user="root")
    space.out("chmod 0755 /etc/coder", user="root")


def test_options_name_libraries_with_blanks(space: Workspace) -> None:
    file = f"{HOME}/.config/JetBrains/Other/idea64.vmoptions"
    options = "-Xmx1g\n-javaagent:/srv/a b/c.jar=x\n"
    space.out(written(file.removeprefix(f"{HOME}/"), f"%s{options}"), user="root")
    env = {"NODE_OPTIONS": '--require "/srv/a b/c.jar"', "JAVA_TOOL_OPTIONS": '-javaagent:"/srv/a b/c.jar"'}
    checks = ("--only", "system.environment,jetbrains.files")
    assert codes(look(space, *checks, env=env)) == {"system.variable-dangling", "jetbrains.options-dangling"}
    space.out("mkdir '/srv/a b'; touch '/srv/a b/c.jar'", user="root")
    assert codes(look(space, *checks, env=env)) == set()
    space.out(f"rm -r {file.rpartition('/')[0]} '/srv/a b'", user="root")


def test_a_link_whose_place_on_the_volume_is_gone_is_not_removed(space: Workspace) -> None:
    volume = "/mnt/home-persist/.local/share"
    space.out(f"systemctl stop home-persist-watch; mv {volume} /mnt/home-persist/aside", user="root")
    report = look(space)
    assert codes(report) == {"home.daemon-stopped", "home.link-dangling"}
    for check in findings(report).values():
        for finding in check:
            space.out("\n".join(finding["remedy"]["commands"]))
    space.out("ws-boot jetbrains")
    assert codes(look(space)) == set()
    space.out("rm -r /mnt/home-persist/aside")
