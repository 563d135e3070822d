"""What belongs to a running workspace below an owner's directory: two real workspaces, real programs."""

import json

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def pair(spaces: Spaces) -> tuple[Workspace, Workspace]:
    one, two = spaces.new("one", owner="children"), spaces.new("two", owner="children")
    one.boot()
    two.boot()
    return one, two


def test_each_workspace_has_its_own_locks(pair: tuple[Workspace, Workspace]) -> None:
    for space in pair:
        space.out(f"echo {space.name} > ~/.claude/ide/1234.lock; echo both > ~/.claude/shared")
    for space in pair:
        assert space.out("cat ~/.claude/ide/1234.lock").strip() == space.name
        assert space.out("ls ~/.claude/ide").split() == ["1234.lock"]
    one, two = pair
    two.out("rm ~/.claude/ide/*.lock")
    assert one.out("cat ~/.claude/ide/1234.lock").strip() == one.name


def test_it_lasts_over_a_new_container(pair: tuple[Workspace, Workspace]) -> None:
    one, two = pair
    one.out("echo kept > ~/.claude/sessions/1.json")
    one.remove()
    one.boot()
    assert one.out("cat ~/.claude/sessions/1.json").strip() == "kept"
    assert two.out("ls ~/.claude/sessions").split() == []
    shown = json.loads(one.out("home-persist status --json ~/.claude"))["paths"]
    assert {row["path"]: (row["scope"], row["state"]) for row in shown} == {
        ".claude": ("owner", "linked"),
        ".claude/ide": ("workspace", "linked"),
        ".claude/sessions": ("workspace", "linked"),
    }


def test_claude_code_keeps_its_login_in_the_directory(pair: tuple[Workspace, Workspace]) -> None:
    """The variable reaches login shells and units; both workspaces see one file."""
    one, two = pair
    assert one.out("bash -lc 'echo $CLAUDE_CONFIG_DIR'").strip() == "/home/coder/.claude"
    assert one.sh("bash -lc 'echo $CLAUDE_CONFIG_DIR'", user="root").stdout.strip() == "/root/.claude"
    assert one.as_agent("echo $CLAUDE_CONFIG_DIR").stdout.strip() == "/home/coder/.claude"
    one.out("bash -lc 'claude mcp add --scope user first -- true'")
    two.out("bash -lc 'claude mcp add --scope user second -- true'")
    servers = json.loads(one.out("cat ~/.claude/.claude.json"))["mcpServers"]
    assert set(servers) == {"first", "second"}


def test_gnupg_has_its_sockets_elsewhere(pair: tuple[Workspace, Workspace]) -> None:
    """GnuPG is not in the image; it asks for a directory of the user's that nobody else may enter."""
    one, _ = pair
    assert one.out("stat -c '%U %a' /run/user/1000").strip() == "coder 700"


def test_a_first_start_loads_nothing_slow(spaces: Spaces) -> None:
    """In a new container: the compiled manifests are those of the image, and all bytecode is there."""
    space = spaces.new("first", owner="first")
    space.boot()
    space.out("rm -rf /var/lib/home-persist/*; rm -rf ~/.claude ~/.config/rtk")
    told = space.sh("python3 -v $(command -v home-persist) resolve")
    assert told.returncode == 0, told.stderr
    lines = told.stderr.splitlines()
    imported = {line.split()[1].strip("'") for line in lines if line.startswith("import ")}
    assert "coder_ws_runtime.persist.reconcile.apply" in imported
    assert {"pydantic", "watchdog", "javaproperties"}.isdisjoint(imported)
    compiled = [line for line in lines if line.startswith("# code object from") and ".pyc" not in line]
    assert compiled == [], "Python compiled what the image should have as bytecode"
