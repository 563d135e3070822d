"""Whether the owner's volume can be used, asked once for all checks."""

import os
from enum import Enum

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.system.probe import takes_changes


class Usable(Enum):
    """Whether checks can use the volume."""

    YES = "yes"
    MISSING = "missing"
    """The directory does not exist."""
    CLOSED = "closed"
    """We may not read it."""
    FROZEN = "frozen"
    """A change does not end."""


def usable(context: Context) -> Usable:
    """The state of the volume. A child process touches a live one first, because the access may hang."""
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
