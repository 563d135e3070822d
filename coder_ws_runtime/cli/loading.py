"""What the commands read before they begin."""

import os

from coder_ws_runtime import settings
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.settings import Settings, Workspace


def workspace_settings(layout: Layout) -> tuple[Settings, list[UserError]]:
    """The settings, or the defaults with the reason why they do not count.

    A bad document must not keep a home from being there: what does not need it still works.
    """
    try:
        return settings.load(layout, os.environ), []
    except UserError as error:
        workspace = Workspace(id=os.environ.get("CODER_WORKSPACE_ID", ""))
        return Settings(workspace=workspace), [error]
