"""``home-persist watch``: the daemon."""

import click

from coder_ws_runtime.cli import commands
from coder_ws_runtime.layout import Layout


@click.command()
@commands.with_layout
def watch(layout: Layout) -> None:
    """Keep the links in place while programs run, until SIGTERM.

    A program that saves a file by renaming a new one over it replaces the link. This moves the new content to
    the volume and restores the link. The unit home-persist-watch.service runs it.
    """
    from coder_ws_runtime.cli.home_persist.daemon import run  # noqa: PLC0415 - not for --help

    run(layout)
