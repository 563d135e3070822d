"""Identify a file, to see whether it is still the one that was examined. Pure: it only compares numbers."""

from __future__ import annotations

import stat

from coder_ws_runtime.dataclass import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os


@dataclass(frozen=True, slots=True)
class Identity:
    """One state of one file, link or directory, from stat(2).

    Directories change while they are emptied, so their size and times do not count. `ctime` shows what
    `mtime` can hide: a write after which the mtime was set back, or a chmod. Our own rename, chmod, link and
    unlink also change it.
    """

    device: int
    inode: int
    kind: int
    size: int
    mtime: int
    """Of the last write, in nanoseconds."""
    ctime: int
    """Of the last change of any kind, in nanoseconds."""

    @classmethod
    def of(cls, found: os.stat_result) -> Identity:
        """The identity from a result of stat(2)."""
        directory = stat.S_ISDIR(found.st_mode)
        return cls(
            found.st_dev,
            found.st_ino,
            stat.S_IFMT(found.st_mode),
            0 if directory else found.st_size,
            0 if directory else found.st_mtime_ns,
            0 if directory else found.st_ctime_ns,
        )

    def has_content_of(self, other: Identity) -> bool:
        """Whether both are the same file with the same content; names and metadata may differ."""
        mine = (self.device, self.inode, self.kind, self.size, self.mtime)
        return mine == (other.device, other.inode, other.kind, other.size, other.mtime)

    def has_nothing_newer(self, other: Identity, *, metadata: bool) -> bool:
        """Whether this is the same directory, and nothing in it is newer; something may have been removed.

        Args:
            other: its earlier state.
            metadata: whether a change of metadata alone counts, too.
        """
        same = (self.device, self.inode, self.kind) == (other.device, other.inode, other.kind)
        return same and self.mtime <= other.mtime and (not metadata or self.ctime <= other.ctime)


@dataclass(slots=True)
class TreeState:
    """How new the files and links of a tree are; not its directories, which change while they are emptied."""

    mtime: int = 0
    ctime: int = 0

    def add(self, found: os.stat_result) -> None:
        """Another entry."""
        if not stat.S_ISDIR(found.st_mode):
            self.merge(TreeState(found.st_mtime_ns, found.st_ctime_ns))

    def merge(self, other: TreeState) -> None:
        """Another part of the tree."""
        self.mtime = max(self.mtime, other.mtime)
        self.ctime = max(self.ctime, other.ctime)

    def identity(self, root: os.stat_result) -> Identity:
        """The identity of the root with the latest times of what is in it."""
        return Identity(root.st_dev, root.st_ino, stat.S_IFMT(root.st_mode), 0, self.mtime, self.ctime)


def link_mark(found: os.stat_result) -> str:
    """What tells a link from all others, also after renames."""
    return f"{found.st_ino}.{found.st_mtime_ns}"


def made_together(mark: str, other: str) -> bool:
    """Whether two links are equally old: one is the other, or a copy of it. Later links are not."""
    return mark.partition(".")[2] == other.partition(".")[2]


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """What the ledger knows about one file of the home: it was copied, or the image brought it."""

    home: Identity
    """The home's file then."""
    volume: Identity | None = None
    """The volume's file since then: the published copy, or the copy that won. None: unknown, or none was
    published. The rename that published it changed its ctime, which does not count."""
    before: Identity | None = None
    """The volume's file just before the copy was published. None: there was none."""
    kept: bool = False
    """Whether it is known to be kept: on the volume, or in the attic. A record is written before that, too,
    because a run may be killed in between."""
