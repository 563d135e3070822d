"""ws-doctor, category home: the volume, what is declared, and the links; broken and fixed as printed.

Where a link is broken, the daemon stands still: it would mend it before anybody looks.
"""

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, Template, prove

pytestmark = pytest.mark.docker

VOLUME = "/mnt/home-persist"
_STILL = "systemctl kill --signal=SIGSTOP home-persist-watch; cd /home/coder"
_GO_ON = "systemctl kill --signal=SIGCONT home-persist-watch"
_GIVE = "-xdev ! -user coder -exec chown -h coder: {} +"
_BAD_MANIFEST = '{"source": "bad", "pahts": [".x/"]}'


def _no_volume(space: Workspace) -> None:
    volumes = space.attributes["volumes"]
    space.attributes["volumes"] = [item for item in volumes if item["container_path"] != VOLUME]


def _bad_path(space: Workspace) -> None:
    space.settings["home_persist_paths"] = ["../outside"]


ROWS = [
    Row(
        "home.home",
        "it is root's",
        "chown root: /home/coder",
        "home.home-foreign",
        "sudo chown coder: /home/coder",
    ),
    Row(
        "home.home",
        "its owner may not write",
        "chmod 0555 /home/coder",
        "home.home-closed",
        "chmod u+rwx /home/coder",
    ),
    Row(
        "home.home",
        "its owner may not enter",
        "chmod 0000 /home/coder",
        "home.home-closed",
        "chmod u+rwx /home/coder",
    ),
    Row(
        "home.home",
        "the shell has another one",
        "true",
        "home.home-variable",
        "export HOME=/home/coder",
        env={"HOME": "/nowhere"},
    ),
    Row(
        "home.volume",
        "a profile names another one",
        "echo 'export HOME_PERSIST_STATE=/mnt/old' > /etc/profile.d/old.sh",
        "home.volume-variable",
        "sudo sed -i --follow-symlinks '1s/^/: # /' /etc/profile.d/old.sh",
        shell="exec bash -l",
        after="rm /etc/profile.d/old.sh",
    ),
    Row(
        "home.home",
        "the projects are root's",
        "chown root: /home/coder/projects",
        "home.projects-closed",
        f"sudo find /home/coder/projects {_GIVE}",
    ),
    Row(
        "home.home",
        "the user may not write to the projects",
        "chmod 0500 /home/coder/projects",
        "home.projects-closed",
        "chmod u+rwx /home/coder/projects",
    ),
    Row(
        "home.owners",
        "a kept directory cannot be written",
        f"chmod 0555 {VOLUME}/.claude",
        "home.mode-closed",
        f"chmod u+rwx {VOLUME}/.claude",
    ),
    Row(
        "home.owners",
        "a kept directory cannot be entered",
        f"chmod 0000 {VOLUME}/.config/rtk",
        "home.mode-closed",
        f"chmod u+rwx {VOLUME}/.config/rtk",
    ),
    Row(
        "home.owners",
        "what is in a kept directory cannot be read",
        f"cd {VOLUME}/.claude; sudo -u coder sh -c 'mkdir -m 0000 a; touch b; chmod 0000 b'",
        "home.mode-closed",
        f"chmod u+rwx {VOLUME}/.claude/a",
    ),
    Row(
        "home.owners",
        "the parent of links cannot be entered",
        "chmod 0000 /home/coder/.config",
        "home.mode-closed",
        "chmod u+rwx /home/coder/.config",
    ),
    Row(
        "home.owners",
        "the parent of kept directories cannot be entered",
        f"chmod 0000 {VOLUME}/.config",
        "home.mode-closed",
        f"chmod u+rwx {VOLUME}/.config",
    ),
    Row(
        "home.owners",
        "the user may not enter ssh's directory",
        "sudo -u coder mkdir -m 0000 /home/coder/.ssh",
        "home.mode-closed",
        "chmod u+rwx /home/coder/.ssh",
        after="rmdir /home/coder/.ssh",
    ),
    Row(
        "home.volume",
        "nobody may look into it",
        f"chmod 000 {VOLUME}",
        "home.volume-closed",
        f"sudo chmod u+rwx {VOLUME}",
    ),
    Row(
        "home.volume",
        "all that is on it is another user's",
        f"chown -R 1234:1234 {VOLUME}",
        "home.volume-closed",
        f"sudo find {VOLUME} {_GIVE}",
    ),
    Row(
        "home.owners",
        "all that is on the volume is another user's, and the mount point was given to the user",
        f"chown -R 1234:1234 {VOLUME}; chown coder: {VOLUME}",
        "home.owner-foreign",
        _GIVE,
    ),
    Row(
        "home.owners",
        "a file in a kept directory is root's",
        "echo '{}' > /home/coder/.claude/roots.json",
        "home.owner-foreign",
        f"sudo find {VOLUME}/.claude/roots.json {_GIVE}",
    ),
    Row(
        "home.owners",
        "many files in kept directories are root's",
        f"mkdir -p {VOLUME}/.claude/a; touch {VOLUME}/.claude/f{{1..30}} {VOLUME}/.config/rtk/f{{1..30}}",
        "home.owner-foreign",
        f"sudo find {VOLUME}/.claude {VOLUME}/.config {_GIVE}",
    ),
    Row(
        "home.owners",
        "sudo has written a kept file",
        f"{_STILL}; rm -f .claude.json; echo '{{}}' > .claude.json; chmod 0600 .claude.json",
        "home.owner-foreign",
        f"sudo find /home/coder/.claude.json {_GIVE}",
        after=_GO_ON,
    ),
    Row(
        "home.owners",
        "sudo has made a kept directory",
        f"{_STILL}; rm .claude; mkdir .claude; touch .claude/x",
        "home.owner-foreign",
        f"sudo find /home/coder/.claude {_GIVE}",
        after=_GO_ON,
    ),
    Row(
        "home.owners",
        "the engine has made the parent of a mount",
        f"{_STILL}; mkdir -p .cache/tool; mount -t tmpfs tmpfs .cache/tool; touch .cache/tool/x;"
        " chown root: .cache",
        "home.owner-foreign",
        "! -path /home/coder/.cache/tool",
        after=f"umount /home/coder/.cache/tool; {_GO_ON}",
    ),
    Row(
        "home.owners",
        "the parent of kept paths is root's",
        f"{_STILL}; rm .config/rtk; chown root: .config",
        "home.owner-foreign",
        f"sudo find /home/coder/.config {_GIVE}",
        after=_GO_ON,
    ),
    Row(
        "home.locks",
        "git has left a lock on the volume",
        f"touch {VOLUME}/.gitconfig.lock; chown coder: {VOLUME}/.gitconfig.lock",
        "home.lock-stale",
        f"rm -f {VOLUME}/.gitconfig.lock",
    ),
    Row(
        "home.locks",
        "git has left a lock in a repository",
        "cd /home/coder/projects; sudo -u coder git init --quiet app; touch app/.git/index.lock",
        "home.lock-stale",
        "rm -f /home/coder/projects/app/.git/index.lock",
        after="rm -r /home/coder/projects/app",
    ),
    Row(
        "home.locks",
        "gpg of a container that is gone has left its lock",
        "cd /home/coder; sudo -u coder mkdir -p -m 0700 .gnupg .gnupg/public-keys.d;"
        " printf '%10d\\n%s\\n' 1 $(uname -n) | sudo -u coder tee .gnupg/public-keys.d/pubring.db.lock",
        "home.lock-stale",
        "rm -f /home/coder/.gnupg/public-keys.d/pubring.db.lock",
        after="rm -r /home/coder/.gnupg",
    ),
    Row(
        "home.locks",
        "zsh has left its lock",
        "sudo -u coder touch /home/coder/.zsh_history.LOCK",
        "home.lock-stale",
        "rm -f /home/coder/.zsh_history.LOCK",
    ),
    Row(
        "disk.noexec",
        "no program can be run from the volume",
        f"mount -o remount,bind,noexec {VOLUME}",
        "disk.noexec",
        f"sudo mount -o remount,bind,exec {VOLUME}",
        status="warning",
    ),
    Row(
        "disk.noexec",
        "no program can be run from the home",
        "mount --rbind /home/coder /home/coder; mount -o remount,bind,noexec /home/coder",
        "disk.noexec",
        "sudo mount -o remount,bind,exec /home/coder",
        status="warning",
        after="umount --recursive --lazy /home/coder",
    ),
    Row(
        "home.volume",
        "the template mounts none",
        Template(_no_volume),
        "home.volume-missing",
        "mount it: the template's docker_container has a volumes block",
    ),
    Row(
        "home.volume",
        "a directory of the container lies in its place",
        f"umount --lazy {VOLUME}",
        "home.volume-not-mounted",
        "coder restart",
    ),
    Row(
        "home.volume",
        "it is read-only",
        f"mount -o remount,bind,ro {VOLUME}",
        "home.volume-read-only",
        f"sudo mount -o remount,bind,rw {VOLUME}",
    ),
    Row(
        "home.volume",
        "it is root's",
        f"chown root: {VOLUME}",
        "home.volume-closed",
        f"sudo find {VOLUME} -xdev ! -user coder -exec chown -h coder: {{}} +",
    ),
    Row(
        "home.volume",
        "its owner may not write",
        f"chmod u-w {VOLUME}",
        "home.volume-closed",
        f"sudo chmod u+rwx {VOLUME}",
    ),
    Row(
        "home.manifests",
        "a manifest has a wrong key",
        f"echo '{_BAD_MANIFEST}' > /etc/home-persist.d/00-bad.json",
        "home.manifest-refused",
        "home-persist resolve",
        cause="rm /etc/home-persist.d/00-bad.json",
    ),
    Row(
        "home.manifests",
        "a manifest has a wrong key since the boot",
        f"echo '{_BAD_MANIFEST}' > /etc/home-persist.d/00-bad.json; ! systemctl restart home-persist-resolve",
        "home.manifest-refused",
        "sudo systemctl restart home-persist-resolve",
        cause="rm /etc/home-persist.d/00-bad.json",
    ),
    Row(
        "home.manifests",
        "a path of the template leads out of the home",
        Template(_bad_path),
        "home.manifest-refused",
        "coder restart --always-prompt",
    ),
    Row(
        "home.manifests",
        "the user's own are no JSON",
        f"sudo -u coder sh -c 'mkdir -p {VOLUME}/.home-persist/manifests;"
        f" echo [ > {VOLUME}/.home-persist/manifests/user.json'",
        "home.manifest-refused",
        "home-persist resolve",
        cause=f"rm {VOLUME}/.home-persist/manifests/user.json",
    ),
    Row(
        "home.manifests",
        "the user may not read a manifest",
        "chmod 0600 /etc/home-persist.d/claude-code.json",
        "home.manifest-unreadable",
        "sudo chmod a+r /etc/home-persist.d/claude-code.json",
    ),
    Row(
        "home.manifests",
        "sudo has written the user's own paths",
        f"cd {VOLUME}/.home-persist; sudo -u coder mkdir -p manifests;"
        ' echo \'{"source": "user", "paths": []}\' > manifests/user.json; chmod 0600 manifests/user.json',
        "home.manifest-unreadable",
        f"sudo chown coder: {VOLUME}/.home-persist/manifests/user.json",
        after=f"rm {VOLUME}/.home-persist/manifests/user.json",
    ),
    Row(
        "home.manifests",
        "the user's own are in another encoding",
        f"cd {VOLUME}/.home-persist; sudo -u coder mkdir -p manifests;"
        ' printf \'{"source": "user", "paths": ["caf\\351/"]}\' | sudo -u coder tee manifests/user.json',
        "home.manifest-refused",
        "iconv --from-code=ISO-8859-1",
        cause="true",
        after=f"sudo -iu coder home-persist remove café; rm {VOLUME}/.home-persist/manifests/user.json*",
    ),
    Row(
        "home.links",
        "a link is gone",
        f"{_STILL}; rm .claude",
        "home.link-missing",
        "home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a program has put a file in the place of a link",
        f"{_STILL}; sudo -u coder sh -c 'echo {{}} > new; mv new .claude.json'",
        "home.link-replaced",
        "home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a program has put a directory in the place of a link",
        f"{_STILL}; rm .config/rtk; sudo -u coder mkdir .config/rtk; sudo -u coder touch .config/rtk/x",
        "home.link-replaced",
        "home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a link of the user's own leads nowhere",
        f"{_STILL}; sudo -u coder ln -sfn /home/coder/dotfiles/claude .claude",
        "home.link-diverted-nowhere",
        "rm /home/coder/.claude",
        status="warning",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a link of the user's own leads to nothing on the volume",
        f"{_STILL}; sudo -u coder ln -sfn {VOLUME}/elsewhere .claude",
        "home.link-diverted-nowhere",
        "rm /home/coder/.claude",
        status="warning",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a link of the user's own, above kept paths, leads nowhere",
        f"{_STILL}; rm -r .config; sudo -u coder ln -s /home/coder/dotfiles/config .config",
        "home.link-diverted-nowhere",
        "rm /home/coder/.config",
        status="warning",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "root looks at a link of the user's own that leads nowhere",
        f"{_STILL}; sudo -u coder ln -sfn /home/coder/dotfiles/claude .claude",
        "home.link-diverted-nowhere",
        "sudo -H -u coder rm /home/coder/.claude",
        status="warning",
        user="root",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a file has the place of a directory above kept paths",
        f"{_STILL}; rm -r .config; sudo -u coder touch .config",
        "home.link-blocked",
        "/home/coder/.config /home/coder/.config.broken",
        after=f"rm /home/coder/.config.broken; {_GO_ON}",
    ),
    Row(
        "home.links",
        "a file of the volume has the place of a directory above kept paths",
        f"{_STILL}; rm -r {VOLUME}/.config; sudo -u coder touch {VOLUME}/.config",
        "home.link-blocked",
        f"{VOLUME}/.config {VOLUME}/.config.broken",
        after=f"rm {VOLUME}/.config.broken; {_GO_ON}",
    ),
    Row(
        "home.links",
        "a link dangles",
        f"rm -r {VOLUME}/.config/rtk",
        "home.link-dangling",
        "home-persist resolve",
    ),
    Row(
        "home.links",
        "a run was interrupted",
        f"{_STILL}; sudo -u coder mv .claude.json ..claude.json.home-persist",
        "home.link-half-done",
        "home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a FIFO lies in the place of a link",
        f"{_STILL}; rm -f .claude.json; sudo -u coder mkfifo .claude.json",
        "home.link-refused",
        "remove it, then: home-persist resolve",
        cause="rm /home/coder/.claude.json; sudo -iu coder home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "the volume has another type",
        f"rm -r {VOLUME}/.config/rtk; sudo -u coder touch {VOLUME}/.config/rtk",
        "home.link-other-type",
        "move it away on the volume",
        status="warning",
        cause=f"rm {VOLUME}/.config/rtk",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("doctor-home").without_coder().boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)
