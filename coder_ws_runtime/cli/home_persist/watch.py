"""``home-persist watch``: the daemon."""

import os

import click

from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.loading import refuse_root, workspace_settings
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.watch.daemon import Daemon
from coder_ws_runtime.settings import Settings


@click.command()
@commands.with_layout
def watch(layout: Layout) -> None:
    """Keep the links true while programs run, until SIGTERM.

    A program that saves by renaming a new file over the old one replaces the link; the new content is
    moved to the volume, and the link put back. This runs as the unit home-persist-watch.service.
    """
    refuse_root(layout)

    def load() -> Settings:
        values, faults = workspace_settings(layout)
        for fault in faults:
            render.complain(fault)
        return values

    Daemon(layout, load, os.environ).run()
