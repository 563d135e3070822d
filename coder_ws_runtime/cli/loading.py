"""What the commands load before they start."""

import os
import sys
from pathlib import Path

from coder_ws_runtime import settings
from coder_ws_runtime.errors import UsageError, UserError
from coder_ws_runtime.layout import DEFAULT_USER, Layout
from coder_ws_runtime.settings import Settings, Workspace


def refuse_root(layout: Layout) -> None:
    """Refuse to write into a user's home and volume as root: the user could not change those files.

    If home and volume belong to root, as in an image with ``_REMOTE_USER=root``, root may write them.

    Raises:
        UsageError: we are root, and this is the running system.
    """
    if os.geteuid() == 0 and layout.root == Path("/") and not _are_roots(layout.home, layout.volume):
        raise UsageError(
            "this writes the user's files, so run it as the user, not as root",
            code="cli.root",
            hint=f"run it without sudo; in root's shell: sudo -H -u {DEFAULT_USER} {called(layout)}",
        )


def called(layout: Layout) -> str:
    """The command line of this process, to be given again: root's shell made ``~`` root's home."""
    import shlex  # noqa: PLC0415 - only messages need it

    own = os.path.expanduser("~")
    words = [
        f"{layout.home}{word[len(own) :]}" if word == own or word.startswith(f"{own}/") else word
        for word in sys.argv[1:]
    ]
    return shlex.join([os.path.basename(sys.argv[0]), *words])


def _are_roots(*places: Path) -> bool:
    """Whether all of these that exist belong to root."""
    return all(place.stat().st_uid == 0 for place in places if place.exists())


def workspace_settings(layout: Layout) -> tuple[Settings, list[UserError]]:
    """The settings, and the reasons why all or some of them have their default values.

    A bad document must not stop the home from being set up: what does not need it still works.

    Raises:
        UsageError: CODER_WORKSPACE_ID is not a valid ID.
    """
    named = settings.identifier(os.environ)
    try:
        found = settings.load(layout, os.environ)
    except UserError as error:
        return Settings(workspace=Workspace(id=named)), [error]
    return found, list(found.refused)
