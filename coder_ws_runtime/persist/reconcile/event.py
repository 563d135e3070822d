"""What the kernel reported about a managed link, as plain values: the daemon passes it to the plan.

Only an event shows a deletion or a rename. Without one, nobody knows why a link is missing.
"""

from enum import Enum

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.persist.manifest.entry import Entry


class Fate(Enum):
    """What happened to the managed link of a path."""

    NONE = "none"
    """Nothing is known: a resolve, a sweep, or an event about content that arrived at the path."""
    DELETED = "deleted"
    """``IN_DELETE`` of the link, while the directory that contained it still exists."""
    MOVED = "moved"
    """``IN_MOVED_FROM`` with its pair: the link now has another name in the home."""
    DEPARTED = "departed"
    """``IN_MOVED_FROM`` without its pair: renamed to a directory that is not watched."""


@dataclass(frozen=True, slots=True)
class LinkEvent:
    """What happened to the link, for :func:`coder_ws_runtime.persist.reconcile.settle.settle`."""

    fate: Fate = Fate.NONE
    path: str = ""
    """MOVED: the new name, relative to the home."""
    entry: Entry | None = None
    """MOVED: the entry that declares exactly the new name; None if there is none."""
    beyond: tuple[Entry, ...] = ()
    """MOVED: the links of several paths have changed places in turn. These are the paths after `entry`, in
    order: each has the link of the one before, and the path itself that of the last. Empty: two paths."""

    followed: bool = False
    """MOVED: the link of another path was then renamed to this one, as when logs are rotated."""

    @property
    def turn(self) -> tuple[Entry, ...]:
        """The other paths, if the links of several have changed places in turn."""
        return (self.entry, *self.beyond) if self.entry is not None else ()


NO_EVENT = LinkEvent()
LINK_DELETED = LinkEvent(Fate.DELETED)
LINK_DEPARTED = LinkEvent(Fate.DEPARTED)


def link_moved(
    path: str, entry: Entry | None = None, beyond: tuple[Entry, ...] = (), *, followed: bool = False
) -> LinkEvent:
    """The event of a link that was renamed to `path`, which `entry` declares if there is one."""
    return LinkEvent(Fate.MOVED, path, entry, beyond, followed)
