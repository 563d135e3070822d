"""``home-persist watch``: the daemon."""

import click

from coder_ws_runtime.cli import commands
from coder_ws_runtime.layout import Layout


@click.command()
@commands.with_layout
def watch(layout: Layout) -> None:
    """Keep the links true while programs run, until SIGTERM.

    A program that saves by renaming a new file over the old one replaces the link; the new content is
    moved to the volume, and the link put back. This runs as the unit home-persist-watch.service.
    """
    from coder_ws_runtime.cli.home_persist.daemon import run  # noqa: PLC0415 - not for --help

    run(layout)
