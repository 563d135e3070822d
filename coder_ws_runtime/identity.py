"""Identify a file, to see whether it is still the one that was examined. Pure: it only compares numbers."""

from __future__ import annotations

import stat

from coder_ws_runtime.dataclass import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterable


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

    def is_same_entry(self, other: Identity) -> bool:
        """Whether both are the same file or directory, whatever is in it."""
        return (self.device, self.inode, self.kind) == (other.device, other.inode, other.kind)

    def as_new_as(self, others: Iterable[Identity]) -> Identity:
        """A directory's identity with the latest times of what is in it."""
        known = list(others)
        mtime = max((one.mtime for one in known), default=0)
        ctime = max((one.ctime for one in known), default=0)
        return Identity(self.device, self.inode, self.kind, self.size, mtime, ctime)


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
