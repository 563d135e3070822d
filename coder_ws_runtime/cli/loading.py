"""What the commands read before they begin."""

import os
from pathlib import Path

from coder_ws_runtime import settings
from coder_ws_runtime.errors import UsageError, UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.settings import Settings, Workspace


def refuse_root(layout: Layout) -> None:
    """Refuse to write into the user's home as root, whose files the user could not change.

    Raises:
        UsageError: we are root, and this is the running system.
    """
    if os.geteuid() == 0 and layout.root == Path("/"):
        raise UsageError(
            "this writes into the user's home, so it runs as the user, not as root",
            code="cli.root",
            hint="run it without sudo",
        )


def workspace_settings(layout: Layout) -> tuple[Settings, list[UserError]]:
    """The settings, or the defaults with the reason why they do not count.

    A bad document must not keep a home from being there: what does not need it still works.
    """
    try:
        return settings.load(layout, os.environ), []
    except UserError as error:
        workspace = Workspace(id=os.environ.get("CODER_WORKSPACE_ID", ""))
        return Settings(workspace=workspace), [error]
