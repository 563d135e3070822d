"""What the kernel said of a managed link, as plain values: what the daemon tells the plan.

Only an event is a deletion or a rename. A look that finds no link knows nothing of why.
"""

from dataclasses import dataclass
from enum import Enum

from coder_ws_runtime.persist.manifest.entry import Entry


class Fate(Enum):
    """What happened to the managed link of a path."""

    NONE = "none"
    """Nothing is known: a resolve, a sweep, or an event of content that came to the path."""
    DELETED = "deleted"
    """``IN_DELETE`` of the link, and the directory that held it is still there."""
    MOVED = "moved"
    """``IN_MOVED_FROM`` with its pair: the link has another name in the home now."""
    DEPARTED = "departed"
    """``IN_MOVED_FROM`` without its pair: renamed to where nobody watches."""


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """What happened to the link, for :func:`coder_ws_runtime.persist.reconcile.settle.settle`."""

    fate: Fate = Fate.NONE
    path: str = ""
    """MOVED: the new name, relative to the home."""
    entry: Entry | None = None
    """MOVED: what declares exactly the new name; None if nothing does."""


NO_EVENT = LinkEvent()
LINK_DELETED = LinkEvent(Fate.DELETED)
LINK_DEPARTED = LinkEvent(Fate.DEPARTED)


def link_moved(path: str, entry: Entry | None = None) -> LinkEvent:
    """The event of a link that was renamed to `path`, which `entry` declares if anything does."""
    return LinkEvent(Fate.MOVED, path, entry)
