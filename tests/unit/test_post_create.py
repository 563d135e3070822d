"""The post-create hooks of our own tools, run by sh on a home below a temporary directory."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "images/tools"
STUB = """#!/bin/sh
echo "$0 $*" >> "$HOME/called"
"""
HOOK = {"matcher": "Bash", "hooks": [{"type": "command", "command": "rtk hook claude"}]}


@dataclass
class Home:
    """A home whose ~/.claude is on a volume, and programs that only note that they were called."""

    path: Path
    volume: Path

    def run(self, tool: str, **env: str) -> str:
        bin_ = self.path.parent / "bin"
        done = subprocess.run(
            [TOOLS / tool / "post-create.sh"],
            env={"HOME": str(self.path), "PATH": f"{bin_}:/usr/bin:/bin", **env},
            capture_output=True,
            text=True,
            check=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.stderr == ""
        return done.stdout

    @property
    def called(self) -> bool:
        return (self.path / "called").exists()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home", tmp_path / "volume")
    for directory in (made.path, made.volume / ".claude", tmp_path / "bin"):
        directory.mkdir(parents=True)
    (made.path / ".claude").symlink_to(made.volume / ".claude")
    for name in ("claude", "rtk"):
        program = tmp_path / "bin" / name
        program.write_text(STUB)
        program.chmod(0o755)
    return made


# rtk -----------------------------------------------------------------------------------------------

SETTINGS = {
    "none": (None, True),
    "without hooks": (json.dumps({"model": "opus"}), True),
    "other hooks": (json.dumps({"hooks": {"PreToolUse": [{"hooks": [{"command": "lint"}]}]}}), True),
    "a word elsewhere": (json.dumps({"model": "rtk", "hooks": {"x": [{"matcher": "rtk"}]}}), True),
    "its hook": (json.dumps({"hooks": {"PreToolUse": [HOOK]}}), False),
    "its hook of an older version": (
        json.dumps(
            {"hooks": {"PreToolUse": [{"hooks": [{"command": "/home/coder/.claude/hooks/rtk-rewrite.sh"}]}]}}
        ),
        False,
    ),
    "empty": ("", False),
    "truncated": ('{"model": "op', False),
    "with comments": ('{"model": "opus"} // mine', False),
    "a list": ("[]", False),
    "null": ("null", False),
}


@pytest.mark.parametrize(("text", "patched"), SETTINGS.values(), ids=SETTINGS)
def test_rtk_patches_only_what_it_can_read(home: Home, text: str | None, patched: bool) -> None:  # noqa: FBT001 - a column
    if text is not None:
        (home.volume / ".claude/settings.json").write_text(text)
    told = home.run("rtk")
    assert home.called is patched
    assert patched or "settings.json" in told
    if text is not None:
        assert (home.volume / ".claude/settings.json").read_text() == text


def test_rtk_leaves_what_is_not_a_file(home: Home) -> None:
    (home.volume / ".claude/settings.json").symlink_to("nowhere")
    home.run("rtk")
    assert not home.called


def test_rtk_is_switched_off(home: Home) -> None:
    home.run("rtk", RTK_INIT="0")
    assert not home.called
    (home.path / ".config/rtk").mkdir(parents=True)
    (home.path / ".config/rtk/no-init").touch()
    home.run("rtk")
    assert not home.called
    (home.path / ".config/rtk/no-init").unlink()
    home.run("rtk", RTK_INIT="1")
    assert home.called


# Claude Code ---------------------------------------------------------------------------------------


def test_the_login_is_taken_along(home: Home) -> None:
    (home.path / ".claude.json").write_text('{"oauthAccount": 1}')
    (home.path / ".claude.json").chmod(0o600)
    assert "copied" in home.run("claude-code")
    new = home.volume / ".claude/.claude.json"
    assert (new.read_text(), new.stat().st_mode & 0o077) == ('{"oauthAccount": 1}', 0)
    assert (home.path / ".claude.json").exists(), "older images go on with it"
    new.write_text('{"newer": 1}')
    assert "nothing to do" in home.run("claude-code")
    assert new.read_text() == '{"newer": 1}'
    assert os.listdir(home.volume / ".claude") == [".claude.json"]


def test_the_file_is_a_link_into_the_volume(home: Home) -> None:
    (home.volume / ".claude.json").write_text('{"a": 1}')
    (home.path / ".claude.json").symlink_to(home.volume / ".claude.json")
    home.run("claude-code")
    new = home.volume / ".claude/.claude.json"
    assert (new.is_symlink(), new.read_text()) == (False, '{"a": 1}')


@pytest.mark.parametrize("text", [None, "", "{", "[]", '"x"'])
def test_nothing_to_take_along(home: Home, text: str | None) -> None:
    if text is not None:
        (home.path / ".claude.json").write_text(text)
    home.run("claude-code")
    assert os.listdir(home.volume / ".claude") == []


def test_a_home_that_is_not_linked_stays_as_it_is(home: Home) -> None:
    (home.path / ".claude").unlink()
    (home.path / ".claude").mkdir()
    (home.path / ".claude.json").write_text("{}")
    for tool in ("claude-code", "rtk"):
        assert "is not linked into the volume" in home.run(tool)
    assert os.listdir(home.path / ".claude") == []
    assert not home.called
