"""ws-doctor, category home: the volume, what is declared, and the links; broken and mended as printed.

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
_BAD_MANIFEST = '{"source": "bad", "pahts": [".x/"]}'


def _no_volume(space: Workspace) -> None:
    volumes = space.attributes["volumes"]
    space.attributes["volumes"] = [item for item in volumes if item["container_path"] != VOLUME]


def _bad_path(space: Workspace) -> None:
    space.settings["home_persist_paths"] = ["../outside"]


ROWS = [
    Row(
        "home.volume",
        "the template mounts none",
        Template(_no_volume),
        "there is no volume: nothing of the home will outlive this container",
        "mount it: the template's docker_container has a volumes block",
    ),
    Row(
        "home.volume",
        "a directory of the container lies in its place",
        f"umount --lazy {VOLUME}",
        "no volume is mounted: nothing of the home will outlive this container",
        "coder restart",
    ),
    Row(
        "home.volume",
        "it is read-only",
        f"mount -o remount,bind,ro {VOLUME}",
        "the volume is mounted read-only",
        f"sudo mount -o remount,bind,rw {VOLUME}",
    ),
    Row(
        "home.volume",
        "it is root's",
        f"chown root: {VOLUME}",
        "the volume cannot be written by coder",
        f"sudo chown coder: {VOLUME}",
    ),
    Row(
        "home.volume",
        "its owner may not write",
        f"chmod u-w {VOLUME}",
        "the volume cannot be written by coder",
        f"sudo chmod u+rwx {VOLUME}",
    ),
    Row(
        "home.manifests",
        "a manifest has a wrong key",
        f"echo '{_BAD_MANIFEST}' > /etc/home-persist.d/00-bad.json",
        "not persisted: unknown key 'pahts'",
        "home-persist resolve",
        cause="rm /etc/home-persist.d/00-bad.json",
    ),
    Row(
        "home.manifests",
        "a manifest has a wrong key since the boot",
        f"echo '{_BAD_MANIFEST}' > /etc/home-persist.d/00-bad.json; ! systemctl restart home-persist-resolve",
        "not persisted: unknown key 'pahts'",
        "sudo systemctl restart home-persist-resolve",
        cause="rm /etc/home-persist.d/00-bad.json",
    ),
    Row(
        "home.manifests",
        "a path of the template leads out of the home",
        Template(_bad_path),
        "not persisted: path '../outside'",
        "coder restart --always-prompt",
    ),
    Row(
        "home.manifests",
        "the user's own are no JSON",
        f"sudo -u coder sh -c 'mkdir -p {VOLUME}/.home-persist/manifests;"
        f" echo [ > {VOLUME}/.home-persist/manifests/user.json'",
        "not persisted: ",
        "home-persist resolve",
        cause=f"rm {VOLUME}/.home-persist/manifests/user.json",
    ),
    Row(
        "home.links",
        "a link is gone",
        f"{_STILL}; rm .claude",
        "~/.claude is not linked: there is nothing in its place",
        "home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a program has put a file in the place of a link",
        f"{_STILL}; sudo -u coder sh -c 'echo {{}} > new; mv new .claude.json'",
        "~/.claude.json was replaced by a file, which is not on the volume, and lost with the container",
        "home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a program has put a directory in the place of a link",
        f"{_STILL}; rm .config/rtk; sudo -u coder mkdir .config/rtk; sudo -u coder touch .config/rtk/x",
        "~/.config/rtk was replaced by a directory, which is not on the volume, and lost with the container",
        "home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a link leads elsewhere",
        f"{_STILL}; sudo -u coder ln -sfn /tmp .claude",
        "~/.claude links to /tmp, which is not on the volume",
        "home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a link leads to a wrong place of the volume",
        f"{_STILL}; sudo -u coder ln -sfn {VOLUME}/elsewhere .claude",
        f"~/.claude links to {VOLUME}/elsewhere, a wrong place of the volume",
        "home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a link dangles",
        f"rm -r {VOLUME}/.config/rtk",
        f"~/.config/rtk links to {VOLUME}/.config/rtk, which is not there",
        "home-persist resolve",
    ),
    Row(
        "home.links",
        "a run was interrupted",
        f"{_STILL}; sudo -u coder mv .claude.json ..claude.json.home-persist",
        "~/.claude.json was left half done by an interrupted run",
        "home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "a FIFO lies in the place of a link",
        f"{_STILL}; rm -f .claude.json; sudo -u coder mkfifo .claude.json",
        "~/.claude.json: a socket, FIFO or device lies in the place of the link",
        "remove it, then: home-persist resolve",
        cause="rm /home/coder/.claude.json; sudo -iu coder home-persist resolve",
        after=_GO_ON,
    ),
    Row(
        "home.links",
        "the volume has another type",
        f"rm -r {VOLUME}/.config/rtk; sudo -u coder touch {VOLUME}/.config/rtk",
        "~/.config/rtk: declared as a directory, and the volume has a file",
        "move it away on the volume",
        status="warning",
        cause=f"rm {VOLUME}/.config/rtk",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("doctor-home").without_coder().boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_mended_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)
