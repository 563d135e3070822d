"""Whether the owner's volume can be used, asked once for all checks."""

import os
from enum import Enum

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.system.probe import takes_changes


class Usable(Enum):
    """Whether checks can look at the volume."""

    YES = "yes"
    MISSING = "missing"
    """There is no directory."""
    CLOSED = "closed"
    """We may not look into it."""
    FROZEN = "frozen"
    """A change does not come to an end."""


def usable(context: Context) -> Usable:
    """How the volume is; a live one is first touched by a child, which alone waits if it must."""
    path = context.layout.volume
    if context.live and not takes_changes(str(path)):
        return Usable.FROZEN
    if not path.is_dir():
        return Usable.MISSING
    try:
        os.listdir(path)
    except OSError:
        return Usable.CLOSED
    return Usable.YES
