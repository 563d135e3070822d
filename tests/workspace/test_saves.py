"""The daemon in a real container: saves without end, deletions, and events that get lost."""

import json
import time
from pathlib import Path

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.answers import records

pytestmark = pytest.mark.docker

VOLUME = "/mnt/home-persist"
SAVES = 10_000
PAUSE = 0.002
"""Seconds between saves. Without any, the daemon seldom finds the file twice the same."""
A_MOMENT = 30.0
"""Seconds, on a machine that is busy with other tests; `./dev bench` says what it takes on an idle one."""
BEHIND = 5.0
"""Seconds that the volume may lack what was saved last; 2.1 at most were measured on an idle machine."""
QUEUE = "/proc/sys/fs/inotify/max_queued_events"


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    made = spaces.new("saves")
    made.settings["home_persist_paths"] = ["saved", "gone", "gone-dir/", ".config/tool/state", "flooded"]
    for name in ("saver", "reader"):
        script = Path(__file__).with_name("saves") / f"{name}.py"
        made.upload(f"/usr/local/share/saves/{name}.py", script.read_text())
    return made.boot()


def becomes(space: Workspace, script: str, expected: str) -> None:
    """Wait until a script prints what is expected."""
    deadline = time.monotonic() + A_MOMENT
    while (seen := space.sh(script).stdout.strip()) != expected:
        assert time.monotonic() < deadline, f"{script!r} prints {seen!r}, not {expected!r}"
        time.sleep(0.05)


def in_attic(space: Workspace, path: str) -> list[str]:
    """What the attic has of a path."""
    return space.out(f"cat {VOLUME}/.home-persist/attic/*/{path} || true").splitlines()


def test_ten_thousand_saves_in_a_row(space: Workspace) -> None:
    """Nobody ever reads half a file, and the last save outlives the daemon."""
    python = "runuser -u coder -- python3 /usr/local/share/saves"
    script = f"""
        {python}/saver.py /home/coder/saved 1 0
        until test -L /home/coder/saved; do sleep 0.1; done
        {python}/reader.py /tmp/over /home/coder/saved {VOLUME}/saved > /tmp/seen &
        {python}/saver.py /home/coder/saved {SAVES} {PAUSE}
        systemctl stop home-persist-watch
        touch /tmp/over
        wait
        cat /tmp/seen
    """
    seen = json.loads(space.out(script, user="root"))
    heals = len(records(space, "home-persist-watch", path="saved"))
    print(f"{SAVES} saves, {heals} heals, {seen}")
    assert heals
    # Between saves that are this close the link seldom finds its place; the content must not wait for it.
    assert seen[f"{VOLUME}/saved"]["longest_ms"] < BEHIND * 1000, seen
    for counts in seen.values():
        assert (counts["torn"], counts["missing"]) == (0, 0), seen
        assert counts["readings"] > SAVES / 10
        assert counts["last"] == SAVES
        # A save between the daemon's last look and its exchange of content and link is out of sight until
        # the next look, some milliseconds later.
        assert counts["back"] <= heals, seen
    assert space.out("readlink ~/saved") == f"{VOLUME}/saved"


def test_a_deleted_file_goes_to_the_attic(space: Workspace) -> None:
    """No link that leads nowhere takes its place; what is written there next is kept."""
    space.out("systemctl start home-persist-watch", user="root")
    space.out("echo meant > ~/gone")
    becomes(space, "readlink ~/gone", f"{VOLUME}/gone")
    space.out("rm ~/gone")
    becomes(space, f"test -e {VOLUME}/gone || echo gone", "gone")
    assert in_attic(space, "gone") == ["meant"]
    assert space.sh("test -L ~/gone").returncode == 1
    space.out("echo again > ~/gone")
    becomes(space, f"readlink ~/gone; cat {VOLUME}/gone", f"{VOLUME}/gone\nagain")


def test_a_renamed_file_is_renamed(space: Workspace) -> None:
    """A backup has what it was made of, wherever it is; `~/projects` is another file system."""
    space.out("mkdir -p ~/deep/er; echo one > ~/saved; mv ~/saved ~/deep/er/backup; echo two > ~/saved")
    becomes(space, f"readlink ~/saved; cat {VOLUME}/saved ~/deep/er/backup", f"{VOLUME}/saved\ntwo\none")
    space.out("sed -i.bak s/two/three/ ~/saved")
    becomes(space, f"readlink ~/saved; cat {VOLUME}/saved ~/saved.bak", f"{VOLUME}/saved\nthree\ntwo")
    space.out("mv ~/saved /tmp/moved; sleep 1; mv /tmp/moved ~/saved")
    becomes(space, f"readlink ~/saved; cat {VOLUME}/saved", f"{VOLUME}/saved\nthree")


def test_dotfiles_that_link_seconds_later(space: Workspace) -> None:
    """The user's link stays, and the owner's file is as it was for the other workspaces."""
    space.out("mkdir -p ~/dotfiles; echo theirs > ~/dotfiles/saved; echo mine > ~/saved")
    space.out("rm ~/saved; sleep 3; ln -s ~/dotfiles/saved ~/saved; sleep 12")
    assert space.out("readlink ~/saved") == "/home/coder/dotfiles/saved"
    assert space.out(f"cat {VOLUME}/saved") == "mine"
    space.out("systemctl restart home-persist-watch", user="root")
    assert space.out("readlink ~/saved") == "/home/coder/dotfiles/saved"
    space.out("rm ~/saved; home-persist resolve")
    assert space.out("cat ~/saved") == "mine"


def test_a_deleted_directory_is_reported_and_linked_again(space: Workspace) -> None:
    """Its content is on the volume; by the link alone nobody meant to delete that."""
    space.out("echo kept > ~/gone-dir/file; rm ~/gone-dir")
    becomes(space, "journalctl -o cat CODER_WS_PATH=gone-dir | wc -l", "1")
    assert space.sh("test -e ~/gone-dir").returncode == 1
    space.out("home-persist resolve")
    assert space.out("cat ~/gone-dir/file") == "kept"


def test_a_parent_is_deleted_and_made_anew(space: Workspace) -> None:
    """The link went with its directory: that deletes nothing, and the new directory is watched."""
    space.out("mkdir -p ~/.config/tool; echo older > ~/.config/tool/state")
    becomes(space, "readlink ~/.config/tool/state", f"{VOLUME}/.config/tool/state")
    space.out("rm -r ~/.config")
    becomes(space, f"cat {VOLUME}/.config/tool/state; cat ~/.config/tool/state", "older\nolder")
    space.out("rm -r ~/.config; mkdir -p ~/.config/tool; echo newer > ~/.config/tool/state")
    becomes(
        space,
        f"readlink ~/.config/tool/state; cat {VOLUME}/.config/tool/state",
        f"{VOLUME}/.config/tool/state\nnewer",
    )
    assert in_attic(space, ".config/tool/state") == ["older"]


def test_a_new_manifest_counts_at_once(space: Workspace) -> None:
    manifest = json.dumps({"source": "late", "paths": [".late"]})
    space.out("echo content > ~/.late")
    space.exec("tee", "/etc/home-persist.d/late.json", user="root", stdin=manifest.encode())
    becomes(space, f"readlink ~/.late; cat {VOLUME}/.late", f"{VOLUME}/.late\ncontent")


def test_lost_events(space: Workspace) -> None:
    """More happens than the kernel keeps for the daemon: it then looks at every path."""
    space.out("echo before > ~/flooded")
    space.out("systemctl kill -s STOP home-persist-watch", user="root")
    flood = "import os\nfor _ in range(limit): open('/home/coder/f', 'w').close(); os.unlink('/home/coder/f')"
    limit = int(space.out(f"cat {QUEUE}"))
    space.out(f"python3 - <<'E'\nlimit = {limit}\n{flood}\nE\necho after > ~/t; mv ~/t ~/flooded")
    space.out("systemctl kill -s CONT home-persist-watch", user="root")
    becomes(space, f"readlink ~/flooded; cat {VOLUME}/flooded", f"{VOLUME}/flooded\nafter")
    assert records(space, "home-persist-watch", code="watch.events-lost")
