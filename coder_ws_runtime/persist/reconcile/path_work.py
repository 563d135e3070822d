"""One path while a plan for it is applied: the input of its steps, and what they have made safe.

Each step is a function that takes a :class:`PathWork`. Steps depend on each other only through
:attr:`PathWork.safe`: nothing else allows a removal. It begins with what home and volume both have. Only
:mod:`.staged_copies` adds to it, when a copy is durable and in its place.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager

from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.fs.content import Progress
from coder_ws_runtime.fs.parents import Parents
from coder_ws_runtime.identity import Identity, link_mark
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile.observation import Difference, Observation, Origin
from coder_ws_runtime.persist.reconcile.observe import origin_name
from coder_ws_runtime.persist.store.attic import Attic
from coder_ws_runtime.persist.store.attic_records import Reason
from coder_ws_runtime.persist.store.ledger import Ledger
from coder_ws_runtime.persist.store.volume import Volume


@dataclass(slots=True)
class Context:
    """What all paths of one run share."""

    home: Anchor
    volume: Volume
    ledger: Ledger
    attic: Attic
    progress: Progress | None = None
    left_over: list[str] = field(default_factory=list)
    """What was set aside and could not be removed, and why, for a message."""
    links: dict[str, str] = field(default_factory=dict)
    """The texts of links that lead out of a tree that was copied to the volume."""
    parents: tuple[Parents, Parents] | None = None
    """Of the home and of the volume, if many paths are created together."""
    marks: dict[str, str] = field(default_factory=dict)
    """Of the links that were made, by path."""
    follow_link: Callable[[str, int, str], None] = lambda *_: None
    """As `Session.follow_link`."""
    reason: Reason = Reason.DELETED
    """Why the volume's copy moves to the attic, if it moves as a whole."""


class PathWork:
    """The declaration of a path, what was seen of it, and what is safe so far.

    Args:
        entry: what is declared.
        seen: what there was when the plan was made; each step checks again what it depends on.
        context: the home, the volume, the ledger and the attic.
    """

    def __init__(self, entry: Entry, seen: Observation, context: Context) -> None:
        self.entry = entry
        self.seen = seen
        self.context = context
        self.safe: dict[str, Identity] = {
            pair.path: pair.home for pair in seen.pairs if pair.safe and pair.home is not None
        }
        """What also exists elsewhere, by path within the entry: only this may be removed."""
        self.special = {pair.path for pair in seen.pairs if pair.difference is Difference.SPECIAL}
        """What stays in place, and was left out of the comparison."""

    @property
    def home(self) -> Anchor:
        """The home."""
        return self.context.home

    @property
    def volume(self) -> Volume:
        """The volume."""
        return self.context.volume

    @property
    def anchor(self) -> Anchor:
        """The root of the volume."""
        return self.context.volume.anchor

    def above_link(self, make: Callable[[], None]) -> AbstractContextManager[tuple[int, str]]:
        """The directory above the path in the home, and the last name. `make` makes a missing directory."""
        if self.context.parents:
            return self.context.parents[0].parent(self.entry.path, make)
        if not self.seen.parent:
            make()
        return self.home.parent(self.entry.path)

    def above_target(self, make: Callable[[], None]) -> AbstractContextManager[tuple[int, str]]:
        """As `above_link`, on the volume."""
        if self.context.parents:
            return self.context.parents[1].parent(self.entry.on_volume, make)
        if not self.seen.volume_parent:
            make()
        return self.anchor.parent(self.entry.on_volume)

    def on_volume(self, path: str) -> str:
        """The path of an entry's content on the volume; `path` is relative to the entry."""
        return joined(self.entry.on_volume, path)

    def in_home(self, path: str, origin: Origin) -> str:
        """Like the function :func:`in_home`, for this entry."""
        return in_home(self.entry, path, origin)

    def is_managed_link(self, fd: int, name: str) -> bool:
        """Whether a name in an open directory is the managed symlink, or the previous one."""
        try:
            return os.readlink(name, dir_fd=fd) in (self.seen.link, self.seen.recorded)
        except OSError:
            return False

    def note_made(self, path: str, fd: int, name: str) -> None:
        """Note the link of a path that was just made, wherever it is now."""
        self.context.marks[path] = link_mark(os.stat(name, dir_fd=fd, follow_symlinks=False))
        self.context.follow_link(path, fd, name)

    def record_link(self) -> None:
        """Record in the ledger that this container makes the link."""
        self.context.ledger.record(self.entry.path, self.seen.link)

    def forget_link(self) -> None:
        """Record in the ledger that there is no link."""
        self.context.ledger.forget(self.entry.path)


def in_home(entry: Entry, path: str, origin: Origin) -> str:
    """The path of an entry's content in the home; `path` is relative to the entry."""
    directory, slash, name = entry.path.rpartition("/")
    base = f"{directory}{slash}{origin_name(origin, name)}"
    return f"{base}/{path}" if path else base


def joined(base: str, path: str) -> str:
    """Join two relative paths, either of which may be empty."""
    return f"{base}/{path}" if base and path else base or path
