"""How web-shell is started: where its terminals open, and the title of its page."""

import errno
import socket
from pathlib import Path

from coder_ws_runtime.layout import Layout
from coder_ws_runtime.settings import Settings

HOST, PORT = "127.0.0.1", "4000"


def environment(layout: Layout, settings: Settings) -> dict[str, str]:
    """The environment variables that configure the server (github.com/SoureCode/web-shell, README).

    A directory that does not exist yet, e.g. of a repository that is still being cloned, would end each
    terminal at once. Until it exists, terminals open in the home, and each shell checks again.

    Args:
        layout: says where the home and web-shell's own directory are.
        settings: the workspace's.
    """
    directory = settings.web_shell.directory or settings.projects
    there = bool(directory) and Path(directory).is_dir()
    return {
        "HOST": HOST,
        "PORT": PORT,
        "SHELL": str(layout.share / "web-shell/shell"),
        "WEB_SHELL_CWD": directory if there else str(layout.home),
        "WEB_SHELL_TITLE_PREFIX": settings.web_shell.title or settings.workspace.name,
        "WS_DIRECTORY": directory,
    }


def is_taken() -> bool:
    """Whether a process listens on web-shell's address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as Node.js does
        try:
            probe.bind((HOST, int(PORT)))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
