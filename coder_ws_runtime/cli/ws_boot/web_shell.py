"""``ws-boot web-shell``."""

import os

import click

from coder_ws_runtime.boot import web_shell as boot
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.loading import refuse_root, workspace_settings
from coder_ws_runtime.errors import UsageError
from coder_ws_runtime.layout import Layout


@click.command("web-shell")
@commands.with_layout
def web_shell(layout: Layout) -> None:
    """Become web-shell, which provides terminals in the browser.

    It listens on 127.0.0.1:4000, for Coder's proxy. The settings give the directory in which its terminals
    open, and the title of its page. The unit web-shell.service runs this.
    """
    refuse_root(layout)
    values, faults = workspace_settings(layout)
    for fault in faults:
        render.complain(fault)
    if boot.is_taken():
        raise UsageError(
            f"a process already listens on {boot.HOST}:{boot.PORT}",
            code="web-shell.taken",
            hint="systemctl status web-shell shows whether it is web-shell",
        )
    program = "web-shell"
    try:
        os.execvpe(program, [program], {**os.environ, **boot.environment(layout, values)})  # noqa: S606
    except OSError as error:
        raise UsageError(
            f"{program} cannot be started: {error.strerror}",
            code="web-shell.missing",
            hint="it is part of the image; restart the workspace",
        ) from error
