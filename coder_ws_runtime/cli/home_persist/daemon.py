"""The work of ``home-persist watch``. Without click, which would stay in memory in every workspace."""

import os

from coder_ws_runtime.cli import render
from coder_ws_runtime.cli.loading import refuse_root, workspace_settings
from coder_ws_runtime.errors import ExitStatus
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.watch.daemon import Daemon
from coder_ws_runtime.settings import Settings


def run(layout: Layout) -> int:
    """Watch until SIGTERM, and return the exit status.

    Raises:
        UserError: it cannot start.
    """
    refuse_root(layout)

    def load() -> Settings:
        values, faults = workspace_settings(layout)
        for fault in faults:
            render.complain(fault)
        return values

    Daemon(layout, load, os.environ).run()
    return ExitStatus.DONE
