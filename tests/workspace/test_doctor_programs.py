"""ws-doctor, category programs: what stops git, ssh, a shell or Claude Code; broken and fixed as printed."""

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, prove, written

pytestmark = pytest.mark.docker

VOLUME = "/mnt/home-persist"
_SSH = "sudo -u coder mkdir -m 0700 /home/coder/.ssh; cd /home/coder/.ssh; "
_NO_SSH = "rm -r /home/coder/.ssh"


ROWS = [
    Row(
        "programs.git",
        "a section has no end",
        written(".gitconfig", "[core]\neditor = vi\n[user\nname = Ada\n[alias]\nx = y\n"),
        "programs.git-settings-invalid",
        "sed -i --follow-symlinks '3s/^/# /' /home/coder/.gitconfig",
        evidence="bad config line 3",
        after="rm /home/coder/.gitconfig",
    ),
    Row(
        "programs.git",
        "a merge has left its marks",
        written(".config/git/config", "[user]\n<<<<<<< ours\nname = A\n=======\nname = B\n>>>>>>> theirs\n"),
        "programs.git-settings-invalid",
        "'2s/^/# /;4s/^/# /;6s/^/# /'",
        after="rm -r /home/coder/.config/git",
    ),
    Row(
        "programs.git",
        "it is another kind of file",
        written(".gitconfig", "{{1..30}}\n" * 30),
        "programs.git-settings-invalid",
        "/home/coder/.gitconfig.broken",
        after="rm /home/coder/.gitconfig /home/coder/.gitconfig.broken",
    ),
    Row(
        "programs.git",
        "a value that git does not know",
        written(".gitconfig", "[core]\nautocrlf = maybe\n"),
        "programs.git-settings-invalid",
        "--unset-all core.autocrlf",
        after="rm /home/coder/.gitconfig",
    ),
    Row(
        "programs.git",
        "the settings of the whole system have such a value",
        "git config --system core.compression much",
        "programs.git-settings-invalid",
        "sudo git config --file /etc/gitconfig --unset-all core.compression",
        after="rm /etc/gitconfig",
    ),
    Row(
        "programs.git",
        "the settings include themselves",
        written(".gitconfig", "[include]\npath = ~/.gitconfig\n"),
        "programs.git-settings-invalid",
        "/home/coder/.gitconfig.broken",
        evidence="maximum include depth",
        after="rm /home/coder/.gitconfig /home/coder/.gitconfig.broken",
    ),
    Row(
        "programs.git",
        "an engine has made a directory in their place",
        "sudo -u coder mkdir /home/coder/.gitconfig",
        "programs.git-settings-invalid",
        "/home/coder/.gitconfig /home/coder/.gitconfig.broken",
        after="rmdir /home/coder/.gitconfig.broken",
    ),
    Row(
        "programs.git",
        "the user may not read them",
        written(".gitconfig", "[user]\n") + "; chmod 0000 /home/coder/.gitconfig",
        "programs.git-settings-closed",
        "chmod u+rw /home/coder/.gitconfig",
        status="warning",
        after="rm /home/coder/.gitconfig",
    ),
    Row(
        "programs.shell",
        "a file of all shells has no end",
        "echo 'if true; then' > /etc/profile.d/tool.sh",
        "programs.shell-file-invalid",
        "sudo truncate --size=0 /etc/profile.d/tool.sh",
        status="warning",
        after="rm /etc/profile.d/tool.sh /etc/profile.d/tool.sh.broken",
    ),
    Row(
        "programs.shell",
        "the user may not read .bashrc",
        "chmod 0000 /home/coder/.bashrc",
        "programs.shell-file-closed",
        "chmod u+rw /home/coder/.bashrc",
        status="warning",
    ),
    Row(
        "programs.shell",
        "a file was written on Windows",
        "sed -i 's/$/\\r/' /home/coder/.bashrc",
        "programs.shell-file-invalid",
        "cp /etc/skel/.bashrc /home/coder/.bashrc",
        status="warning",
        after="rm /home/coder/.bashrc.broken",
    ),
    Row(
        "programs.ssh",
        "others may read a key",
        f"{_SSH}ssh-keygen -q -t ed25519 -N '' -f work; chown coder: work*; chmod 0644 work",
        "programs.ssh-key-open",
        "chmod go= /home/coder/.ssh/work",
        after=_NO_SSH,
    ),
    Row(
        "programs.ssh",
        "others may change its settings",
        f"{_SSH}{written('.ssh/config', 'Host x')}; chmod 0666 config",
        "programs.ssh-settings-open",
        "chmod go= /home/coder/.ssh/config",
        after=_NO_SSH,
    ),
    Row(
        "programs.ssh",
        "its settings have options that it does not know",
        _SSH + written(".ssh/config", "Host x\n Colour red\n User a\n Port\n") + "; chmod 0600 config",
        "programs.ssh-settings-invalid",
        "'2s/^/# /;4s/^/# /'",
        after=_NO_SSH,
    ),
    Row(
        "programs.shell",
        "a block in .bashrc has no end",
        "echo 'if true; then' >> /home/coder/.bashrc",
        "programs.shell-file-invalid",
        "cp /etc/skel/.bashrc /home/coder/.bashrc",
        status="warning",
        after="rm /home/coder/.bashrc.broken",
    ),
    Row(
        "programs.shell",
        "a file that the image does not have is no script",
        written(".bash_aliases", "alias a=(\n"),
        "programs.shell-file-invalid",
        "truncate --size=0 /home/coder/.bash_aliases",
        status="warning",
        after="rm /home/coder/.bash_aliases /home/coder/.bash_aliases.broken",
    ),
    Row(
        "programs.claude",
        "Claude Code's settings were cut off",
        written(".claude/settings.json", '{"hooks": {'),
        "programs.claude-settings-invalid",
        f"tee {VOLUME}/.claude/settings.json",
        status="warning",
        after=f"rm {VOLUME}/.claude/settings.json.broken",
    ),
    Row(
        "programs.git",
        "the settings are a link into the volume",
        f"{written('.gitconfig', '[user')}; sudo -u coder mv /home/coder/.gitconfig {VOLUME}/.gitconfig;"
        f" sudo -u coder ln -s {VOLUME}/.gitconfig /home/coder/.gitconfig",
        "programs.git-settings-invalid",
        "sed -i --follow-symlinks '1s/^/# /' /home/coder/.gitconfig",
        after=f"test -L /home/coder/.gitconfig; rm /home/coder/.gitconfig {VOLUME}/.gitconfig",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("doctor-programs").without_coder().boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)
