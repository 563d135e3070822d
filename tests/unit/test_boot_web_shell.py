"""What web-shell is told, by the settings: one row, one case."""

import socket
from pathlib import Path

import pytest

from coder_ws_runtime.boot import web_shell
from coder_ws_runtime.boot.web_shell import HOST, environment
from coder_ws_runtime.cli import commands
from coder_ws_runtime.cli.ws_boot.main import command
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.settings import Settings, WebShell, Workspace

LAYOUT = Layout.of(Path("/"), {"HOME": "/home/coder"})
MISSING = "/nowhere/clone"


@pytest.mark.parametrize(
    ("settings", "begins", "looks_for", "title"),
    [
        (Settings(), "/home/coder", "", ""),
        (Settings(projects="/usr"), "/usr", "/usr", ""),
        (Settings(projects="/usr", web_shell=WebShell("/etc")), "/etc", "/etc", ""),
        (Settings(web_shell=WebShell(MISSING)), "/home/coder", MISSING, ""),
        (Settings(web_shell=WebShell("/etc/passwd")), "/home/coder", "/etc/passwd", ""),
        (Settings(workspace=Workspace(name="dev")), "/home/coder", "", "dev"),
        (
            Settings(workspace=Workspace(name="dev"), web_shell=WebShell(title="mine")),
            "/home/coder",
            "",
            "mine",
        ),
    ],
    ids=["none", "projects", "directory", "missing", "a-file", "name", "title"],
)
def test_what_web_shell_is_told(settings: Settings, begins: str, looks_for: str, title: str) -> None:
    assert environment(LAYOUT, settings) == {
        "HOST": "127.0.0.1",
        "PORT": "4000",
        "SHELL": "/usr/local/share/web-shell/shell",
        "WEB_SHELL_CWD": begins,
        "WEB_SHELL_TITLE_PREFIX": title,
        "WS_DIRECTORY": looks_for,
    }


def test_where_something_listens_already_it_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server((HOST, 0)) as taken:
        monkeypatch.setattr(web_shell, "PORT", str(taken.getsockname()[1]))
        assert commands.run(command, ["web-shell", "--root", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert f"already listens on {HOST}:{web_shell.PORT}\n" in told
    assert not web_shell.is_taken()
