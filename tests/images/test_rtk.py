"""rtk's hook in a booted workspace: Claude Code learns of rtk where that lasts."""

import json

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces

SETTINGS = "/home/coder/.claude/settings.json"


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    space = spaces.new("rtk")
    space.upload(SETTINGS, json.dumps({"model": "opus", "hooks": {"PreToolUse": []}}), owner=1000)
    return space.boot()


def commands(space: Workspace) -> list[str]:
    document = json.loads(space.out(f"cat {SETTINGS}"))
    return [hook["command"] for entry in document["hooks"]["PreToolUse"] for hook in entry["hooks"]]


def test_the_boot_has_patched_claude_code_on_the_volume(space: Workspace) -> None:
    assert commands(space) == ["rtk hook claude"]
    assert space.out("readlink -f ~/.claude/settings.json") == "/mnt/home-persist/.claude/settings.json"
    assert json.loads(space.out(f"cat {SETTINGS}"))["model"] == "opus", "what was there is kept"


def test_a_second_start_changes_nothing(space: Workspace) -> None:
    before = space.out(f"stat -c %y {SETTINGS} ~/.claude/CLAUDE.md; sha256sum ~/.claude/CLAUDE.md")
    space.out("ws-boot hooks")
    assert commands(space) == ["rtk hook claude"]
    after = space.out(f"stat -c %y {SETTINGS} ~/.claude/CLAUDE.md; sha256sum ~/.claude/CLAUDE.md")
    assert after == before


def test_without_claude_code_there_is_nothing_to_do(space: Workspace) -> None:
    done = space.exec("env", "PATH=/usr/bin:/bin", "/usr/local/share/rtk/post-create.sh")
    assert (done.returncode, done.stdout) == (0, "claude is not here: nothing to do for rtk\n")


def test_a_home_that_is_not_linked_is_left_alone(space: Workspace) -> None:
    done = space.exec("env", "HOME=/tmp/home", "/usr/local/share/rtk/post-create.sh")
    assert done.returncode == 0
    assert "is not linked into the volume" in done.stdout
    assert space.exec("test", "-e", "/tmp/home").returncode == 1
