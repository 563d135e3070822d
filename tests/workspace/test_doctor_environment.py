"""ws-doctor: what the shell's variables, git's settings and the system's files name and is not there.

Each row breaks one thing, and fixes it as the doctor says.
"""

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, codes, look, prove
from tests.harness.waits import until

pytestmark = pytest.mark.docker

HOME = "/home/coder"
PROJECTS = f"{HOME}/projects"
_GIT = "sudo -iu coder git config --global"
_FORGET = f"cd /; rm -f {HOME}/.gitconfig /mnt/home-persist/.gitconfig; sudo -iu coder home-persist resolve"
_SITE = f"{HOME}/.local/lib/python3.13/site-packages"
_HOSTS = "grep -v localhost /etc/hosts > /run/hosts; cat /run/hosts > /etc/hosts"
_PLUGIN = f"{HOME}/.docker/cli-plugins/docker-compose"
_IDE = f"{HOME}/.config/JetBrains/IntelliJIdea2025.2"


def _variable(name: str, value: str, *, status: str = "failure", broken: str = "", more: str = "") -> Row:
    """A variable that names what is not there, in the environment of the shell."""
    return Row(
        "system.environment",
        broken or f"{name} names what is not there",
        more or "true",
        "system.variable-dangling",
        f"unset {name}",
        status=status,
        env={name: value},
    )


def _setting(key: str, value: str, broken: str, *, status: str = "failure") -> Row:
    """A setting of git that names what is not there."""
    return Row(
        "programs.git",
        broken,
        f"{_GIT} {key} '{value}'",
        "programs.git-setting-dangling",
        "git config --file /home/coder/.gitconfig",
        status=status,
        evidence="in /home/coder/.gitconfig",
        after=_FORGET,
    )


def _signing(broken: str, **settings: str) -> Row:
    """Signatures that cannot be made."""
    words = {"commit.gpgsign": "true"} | {key.replace("__", "."): value for key, value in settings.items()}
    return Row(
        "programs.git",
        broken,
        "; ".join(f"{_GIT} {key} '{value}'" for key, value in words.items()),
        "programs.git-signing-broken",
        "--unset-all commit.gpgsign",
        after=_FORGET,
    )


def _refused(unit: str) -> str:
    """A drop-in file because of which systemd refuses a unit."""
    directory = f"/etc/systemd/system/{unit}.service.d"
    return (
        f"mkdir -p {directory}; printf '[Service]\\nExecStart=/bin/true\\n' > {directory}/mine.conf;"
        " systemctl daemon-reload"
    )


def _read_only(path: str) -> str:
    return f"mount --rbind {path} {path}; mount -o remount,bind,ro {path}"


def _at_the_limit(space: Workspace) -> None:
    """Only the host can set the limit."""
    space.engine.docker("update", "--pids-limit", "200", space.container)
    space.out(
        "systemd-run --quiet --unit=many bash -c 'for i in {1..162}; do sleep 600 & done; wait';"
        + until('test "$(pgrep -fc "^sleep 600")" -ge 162'),
        user="root",
    )


ROWS = [
    _variable("SSL_CERT_FILE", "/opt/corp.pem"),
    _variable("NODE_OPTIONS", "--require /opt/gone.js"),
    _variable("JAVA_TOOL_OPTIONS", "-Xmx1g -javaagent:/opt/gone.jar=port=1"),
    _variable("GIT_SSH_COMMAND", "/tmp/coder.gone/coder gitssh --"),
    _variable("PYTHONHOME", "/opt/gone"),
    _variable("GIT_DIR", f"{PROJECTS}/gone/.git"),
    _variable("LD_PRELOAD", "/opt/gone.so", status="warning"),
    _variable("EDITOR", "/opt/gone/bin/nvim -f", status="warning"),
    Row(
        "system.environment",
        "a profile names a certificate that is not there",
        "echo 'export REQUESTS_CA_BUNDLE=/opt/corp.pem' > /etc/profile.d/corp.sh",
        "system.variable-dangling",
        "sudo sed -i --follow-symlinks '1s/^/: # /' /etc/profile.d/corp.sh",
        shell="exec bash -l",
        evidence="REQUESTS_CA_BUNDLE is set in /etc/profile.d/corp.sh, line 1",
        after="rm /etc/profile.d/corp.sh",
    ),
    Row(
        "system.environment",
        "a library that every program loads is gone",
        "echo /opt/gone.so > /etc/ld.so.preload",
        "system.preload-dangling",
        "sudo mv -T --backup=numbered /etc/ld.so.preload /etc/ld.so.preload.broken",
        status="warning",
        after="rm /etc/ld.so.preload.broken",
    ),
    Row(
        "system.environment",
        "the user's profile replaces PATH",
        f"echo 'export PATH=/usr/local/bin:$HOME/bin' >> {HOME}/.profile",
        "system.path-incomplete",
        'export PATH="/usr/bin:$PATH"',
        evidence=f"PATH is replaced in {HOME}/.profile, line ",
        shell="exec bash -l",
        after=f"cp /etc/skel/.profile {HOME}/.profile",
    ),
    Row(
        "system.environment",
        "the time zone does not exist",
        "true",
        "system.time-zone-unknown",
        "a zone with a similar name is Europe/Berlin",
        status="warning",
        env={"TZ": "Europe/Berln"},
    ),
    Row(
        "system.devices",
        "root has written a file over /dev/null",
        "rm /dev/null; touch /dev/null",
        "system.device-broken",
        "sudo mknod /dev/null c 1 3",
    ),
    Row(
        "system.devices",
        "only root may use /dev/null",
        "chmod 0600 /dev/null",
        "system.device-broken",
        "sudo chmod 0666 /dev/null",
        evidence="/dev/null: mode 0600",
    ),
    Row(
        "system.devices",
        "only root may share memory",
        "chmod 0755 /dev/shm",
        "system.shared-memory-closed",
        "sudo chmod 1777 /dev/shm",
    ),
    Row(
        "system.units",
        "a drop-in file is not accepted",
        _refused("web-shell"),
        "system.unit-invalid",
        "sudo systemctl revert web-shell",
        evidence="more than one ExecStart=",
    ),
    Row(
        "agent.process",
        "a drop-in file is not accepted",
        _refused("coder-agent"),
        "agent.unit-invalid",
        "sudo systemctl revert coder-agent",
        evidence="/etc/systemd/system/coder-agent.service.d/mine.conf",
    ),
    Row(
        "home.daemon",
        "a drop-in file is not accepted",
        _refused("home-persist-watch"),
        "home.daemon-invalid",
        "sudo systemctl revert home-persist-watch",
    ),
    Row(
        "agent.process",
        "a signal has stopped it",
        "systemctl kill --signal=SIGSTOP coder-agent",
        "agent.paused",
        "sudo systemctl kill --signal=SIGCONT coder-agent",
    ),
    Row(
        "home.home",
        "it is mounted read-only",
        _read_only(HOME),
        "home.home-read-only",
        f"sudo mount -o remount,bind,rw {HOME}",
        after=f"umount -l {HOME}",
    ),
    Row(
        "home.home",
        "the projects are mounted read-only",
        f"mount -o remount,bind,ro {PROJECTS}",
        "home.projects-read-only",
        f"sudo mount -o remount,bind,rw {PROJECTS}",
    ),
    Row(
        "disk.tmp",
        "it is mounted read-only",
        _read_only("/tmp"),
        "disk.tmp-read-only",
        "sudo mount -o remount,bind,rw /tmp",
        after="umount /tmp",
    ),
    Row(
        "disk.tmp",
        "it has no inodes left",
        "mount -t tmpfs -o mode=1777,nr_inodes=90 tmpfs /tmp; touch /tmp/{1..99} 2>&1 || true",
        "disk.tmp-no-inodes",
        "sudo du -xa --inodes /tmp | sort -n | tail -n 20",
        cause="rm /tmp/*",
        after="umount --lazy /tmp",
    ),
    Row(
        "home.manifests",
        "a manifest is a FIFO",
        "mkfifo /etc/home-persist.d/fifo.json",
        "home.manifest-refused",
        "/etc/home-persist.d/fifo.json /etc/home-persist.d/fifo.json.broken",
        after="rm /etc/home-persist.d/fifo.json.broken",
    ),
    Row(
        "jetbrains.files",
        "an IDE's options name a library that is not there",
        f"sudo -u coder mkdir -p {_IDE}; sudo -u coder ws-boot jetbrains;"
        f" printf -- '-Xmx2g\\n-javaagent:/opt/gone.jar\\n' | sudo -u coder tee {_IDE}/idea64.vmoptions",
        "jetbrains.options-dangling",
        "sed -i --follow-symlinks '2s/^/# /'",
        after=f"rm -r {_IDE}",
    ),
    _setting("core.sshCommand", "/opt/gone/ssh -v", "git is to use an ssh that is not there"),
    _setting("core.pager", "delta --dark", "git is to use a pager that is not there", status="warning"),
    _setting("http.sslCAInfo", "/opt/corp.pem", "git is to trust a certificate that is not there"),
    _setting("http.proxy", "http://127.0.0.1:3128", "git is to use a proxy that does not answer"),
    _setting("credential.helper", "osxkeychain", "a program for passwords is not there", status="warning"),
    _signing("commits are to be signed, and gpg is not there"),
    _signing(
        "commits are to be signed with a key that is not there",
        gpg__format="ssh",
        user__signingkey="~/.ssh/gone.pub",
    ),
    _signing(
        "commits are to be signed by a program of another machine",
        gpg__format="ssh",
        gpg__ssh__program="/Applications/1Password.app/Contents/MacOS/op-ssh-sign",
    ),
    Row(
        "programs.git",
        "a repository is root's",
        f"git init --quiet {PROJECTS}/app",
        "programs.git-repository-foreign",
        f"sudo find {PROJECTS}/app",
        after=f"rm -r {PROJECTS}/app",
    ),
    Row(
        "programs.git",
        "a variable has settings that cannot be read",
        "true",
        "programs.git-settings-invalid",
        "unset GIT_CONFIG_COUNT",
        env={"GIT_CONFIG_COUNT": "many"},
    ),
    Row(
        "programs.ssh",
        "its agent has ended",
        "true",
        "programs.ssh-agent-dead",
        "unset SSH_AUTH_SOCK",
        status="warning",
        env={"SSH_AUTH_SOCK": "/tmp/gone/agent.1"},
    ),
    Row(
        "programs.shell",
        "the login shell is gone",
        "usermod --shell /usr/bin/fish coder",
        "programs.shell-missing",
        "sudo usermod --shell /bin/bash coder",
    ),
    Row(
        "programs.apt",
        "an installation was interrupted",
        "touch /var/lib/dpkg/updates/0001",
        "programs.apt-interrupted",
        "sudo dpkg --configure -a",
    ),
    Row(
        "programs.apt",
        "a list of sources has a mistake",
        "printf '# corp\\ndeb http://x\\n' > /etc/apt/sources.list.d/x.list",
        "programs.apt-sources-invalid",
        "sudo sed -i 2's/^/# /' /etc/apt/sources.list.d/x.list",
        after="rm /etc/apt/sources.list.d/x.list",
    ),
    Row(
        "programs.apt",
        "a new kind of list has a mistake",
        "printf 'Types: deb\\nURIs: http://x\\n' > /etc/apt/sources.list.d/x.sources",
        "programs.apt-sources-invalid",
        "/etc/apt/sources.list.d/x.sources /etc/apt/sources.list.d/x.sources.disabled",
        after="rm /etc/apt/sources.list.d/x.sources.disabled",
    ),
    Row(
        "docker.context",
        "the configuration is a directory",
        f"rm -f {HOME}/.docker/config.json; sudo -u coder mkdir -p {HOME}/.docker/config.json",
        "docker.config-invalid",
        "config.json.broken",
        status="warning",
        after=f"rmdir {HOME}/.docker/config.json.broken",
    ),
    Row(
        "docker.context",
        "a variable names a builder that does not exist",
        "true",
        "docker.builder-missing",
        "unset BUILDX_BUILDER",
        env={"BUILDX_BUILDER": "gone"},
    ),
    Row(
        "docker.cli",
        "a plugin of another kind of machine is in the home",
        f"sudo -u coder mkdir -p {HOME}/.docker/cli-plugins;"
        f" printf '\\177ELF\\2' | sudo -u coder tee {_PLUGIN}; chmod 0755 {_PLUGIN}",
        "docker.plugin-broken",
        f"{_PLUGIN} {_PLUGIN}.broken",
        after=f"rm {_PLUGIN}.broken",
    ),
    Row(
        "network.dns",
        "the hosts file lacks localhost",
        _HOSTS,
        "network.localhost-unknown",
        "coder restart",
    ),
    Row(
        "network.dns",
        "the hosts file is empty",
        ": > /etc/hosts",
        "network.localhost-unknown",
        "coder restart",
    ),
    Row(
        "network.dns",
        "programs do not ask the name servers",
        "sed -i 's/^hosts:.*/hosts: files/' /etc/nsswitch.conf",
        "network.name-servers-unused",
        "hosts: files dns",
    ),
    Row(
        "network.web-shell",
        "the loopback interface is off",
        "ip link set lo down",
        "network.loopback-down",
        "sudo ip link set lo up",
    ),
    Row(
        "network.proxies",
        "the environment names a proxy that does not answer",
        "true",
        "network.proxy-dead",
        "unset https_proxy",
        env={"http_proxy": "http://127.0.0.1:3128", "https_proxy": "http://127.0.0.1:3128"},
    ),
    Row(
        "network.proxies",
        "npm is to use a proxy that does not answer",
        f"echo 'https-proxy = http://127.0.0.1:3128' | sudo -u coder tee {HOME}/.npmrc",
        "network.proxy-dead",
        f"sed -i --follow-symlinks '1s|^|# |' {HOME}/.npmrc",
        evidence=f"{HOME}/.npmrc, line 1: 127.0.0.1",
        after=f"rm {HOME}/.npmrc",
    ),
    Row(
        "network.proxies",
        "apt is to use a proxy that does not answer",
        """echo 'Acquire::http::Proxy "http://127.0.0.1:3142/";' > /etc/apt/apt.conf.d/99proxy""",
        "network.proxy-dead",
        "sudo sed -i --follow-symlinks '1s|^|// |' /etc/apt/apt.conf.d/99proxy",
        after="rm /etc/apt/apt.conf.d/99proxy",
    ),
    Row(
        "network.certificates",
        "the file of the authorities is empty",
        ": > /etc/ssl/certs/ca-certificates.crt",
        "network.certificates-missing",
        "sudo update-ca-certificates --fresh",
    ),
    Row(
        "system.processes",
        "the limit is reached",
        _at_the_limit,
        "system.processes-full",
        "have the limit raised",
        evidence="are sleep",
        cause="systemctl stop many",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("doctor-environment").without_coder().boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)


def test_what_is_set_and_works_is_not_named(space: Workspace) -> None:
    """Rules for time zones, bundles that exist, editors of one terminal, helpers that are part of git."""
    space.out(f"{_GIT} core.editor 'code --wait'; {_GIT} credential.helper store", user="root")
    env = {
        "TZ": "CET-1CEST,M3.5.0,M10.5.0/3",
        "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        "EDITOR": "code --wait",
        "NODE_OPTIONS": "--max-old-space-size=4096 --require ./local.js",
        "GIT_SSH_COMMAND": "ssh -o StrictHostKeyChecking=no",
        "LD_PRELOAD": "libc.so.6",
        "BUILDX_BUILDER": "default",
    }
    try:
        assert codes(look(space, env=env)) == set()
    finally:
        space.out(_FORGET, user="root")


def test_the_users_own_python_does_not_stop_it(space: Workspace) -> None:
    space.out(
        f"sudo -u coder mkdir -p {_SITE}; echo 'x = (' | sudo -u coder tee {_SITE}/click.py {_SITE}/json.py",
        user="root",
    )
    try:
        report = look(space, env={"PYTHONPATH": _SITE})
        assert codes(report) <= {"home.unsaved-programs"}
        assert space.exec("home-persist", "status", env={"PYTHONPATH": _SITE}).returncode == 0
    finally:
        space.out(f"rm -rf {HOME}/.local/lib", user="root")
