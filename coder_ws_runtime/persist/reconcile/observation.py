"""What was seen of a declared path, as plain values: the plan's input."""

import stat
from collections.abc import Mapping
from enum import Enum

from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.identity import CopyRecord, Identity
from coder_ws_runtime.persist.manifest.entry import Kind
from coder_ws_runtime.persist.reconcile.event import Fate


@dataclass(frozen=True, slots=True)
class Node:
    """One file, directory or link."""

    kind: Kind
    mode: int = 0
    """Permission bits."""
    target: str = ""
    """The text of a link."""


class Origin(Enum):
    """Which content of the home side."""

    HOME = "home"
    """What is at the path itself."""
    ASIDE = "aside"
    """What was set aside next to it and not cleared yet: a run was interrupted."""


class Difference(Enum):
    """How one file of the home side compares with the volume."""

    MISSING = "missing"
    """The volume has nothing there."""
    SAME = "same"
    METADATA = "metadata"
    """The same bytes with another mode, owner, attributes or ACL."""
    DIFFERS = "differs"
    PERHAPS_WRITTEN = "perhaps written"
    """In addition to the pair of the same path: a program may have it open for writing."""
    SPECIAL = "special"
    """The home side has a socket, a FIFO or a device, which is not moved."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One path of the home side's tree, compared with the volume's."""

    path: str
    """Relative to the entry; empty for the entry itself."""
    difference: Difference
    home: Identity | None = None
    """Of the home side; None for what is not moved."""
    volume: Identity | None = None
    """Of the volume's side; None if it has nothing there."""
    size: int = 0
    """Bytes on disk that a copy of the home side needs."""
    database: str = ""
    """The path of the SQLite database whose last changes the home side's file has; empty if it has none."""
    inside: tuple[tuple[str, Identity], ...] = ()
    """The files and links in a directory of the home side where the volume has another type, by path."""

    @property
    def safe(self) -> bool:
        """Whether the volume has the home side's bytes too."""
        return self.difference in (Difference.SAME, Difference.METADATA)

    @property
    def directory(self) -> bool:
        """Whether the home side is a directory."""
        return self.home is not None and stat.S_ISDIR(self.home.kind)


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that the plan needs to know about one path."""

    link: str
    """The right text of our link: the absolute path on the volume."""
    volume_root: str
    """The absolute path of the volume."""
    home: Node | None
    volume: Node | None
    aside: Node | None = None
    recorded: str = ""
    """The text of the last link that this container made at the path, from the ledger; empty if none."""
    left: Fate = Fate.NONE
    """What an event said about the recorded link earlier, if this run is not to create it again."""
    renamed_away: bool = False
    """Whether the recorded link was renamed earlier, and none was made since; content is not what it was."""
    parent: bool = True
    """Whether the home has the directory that contains the path."""
    volume_parent: bool = True
    """Whether the volume has the directory that contains the target."""
    diverted_at: str | None = None
    """A user's link at the path or above it, relative to the home."""
    diverted_to: str = ""
    """The text of that link."""
    watched: bool = False
    """Whether the daemon links a file when a program has written it."""
    new_name: Node | None = None
    """What is at the path to which an event says that the link was renamed."""
    awaited: bool = False
    """Whether this container recorded all that the home had: what it did not record was written here."""
    astray: bool = False
    """Whether a managed link to another place on the volume leads to something."""
    mounted: str | None = None
    """A mount point in the home's content, relative to the entry: empty for the path itself."""
    pairs: tuple[Pair, ...] = ()
    """The content of one origin (set aside, else home), compared with the volume."""
    links_inside: tuple[str, ...] = ()
    """Paths within the entry at which this container made links, when they were declared by themselves. Where
    they led elsewhere, only content that replaced them counts: the links are no saves."""
    records: Mapping[str, CopyRecord] = field(default_factory=dict)
    """What the ledger has about copies of the home's files, by path relative to the entry."""

    @property
    def replaced(self) -> bool:
        """Whether content at the path has replaced the right link since this container was created."""
        return self.recorded == self.link

    def has_replaced(self, path: str) -> bool:
        """The same for content within the entry, and for a link to where the path was kept before."""
        if self.recorded:
            return True
        return any(path == link or path.startswith(f"{link}/") for link in self.links_inside)

    @property
    def ours(self) -> bool:
        """Whether the path is a managed link: the right one, or one that this container made here before."""
        home = self.home
        return home is not None and home.kind is Kind.LINK and home.target in (self.link, self.recorded)


def kind_of(mode: int) -> Kind:
    """The kind of what lstat(2) found, by its `st_mode`."""
    match stat.S_IFMT(mode):
        case stat.S_IFDIR:
            return Kind.DIRECTORY
        case stat.S_IFREG:
            return Kind.FILE
        case stat.S_IFLNK:
            return Kind.LINK
        case _:
            return Kind.SPECIAL
