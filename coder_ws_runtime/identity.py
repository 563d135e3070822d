"""What tells whether a file is still the one that was looked at. Pure: it only compares numbers."""

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os


@dataclass(frozen=True, slots=True)
class Identity:
    """One state of one file, link or directory, as stat(2) shows it.

    Directories change while they are emptied, so their size and times do not count. `ctime` shows what
    `mtime` can hide (a write whose mtime was set back, a chmod); our own rename, chmod, link and unlink
    change it, too.
    """

    device: int
    inode: int
    kind: int
    size: int
    mtime: int
    """Of the last write; nanoseconds."""
    ctime: int
    """Of the last change of anything; nanoseconds."""

    @classmethod
    def of(cls, found: "os.stat_result") -> "Identity":
        """The identity of what stat(2) found."""
        directory = stat.S_ISDIR(found.st_mode)
        return cls(
            found.st_dev,
            found.st_ino,
            stat.S_IFMT(found.st_mode),
            0 if directory else found.st_size,
            0 if directory else found.st_mtime_ns,
            0 if directory else found.st_ctime_ns,
        )

    def has_content_of(self, other: "Identity") -> bool:
        """Whether both are one file with one content, whatever was done to its names and its metadata."""
        mine = (self.device, self.inode, self.kind, self.size, self.mtime)
        return mine == (other.device, other.inode, other.kind, other.size, other.mtime)


@dataclass(frozen=True, slots=True)
class CopyRecord:
    """What the ledger has of one file of the home: this container copied it."""

    home: Identity
    """The home's file when it was copied."""
    volume: Identity | None = None
    """What the volume has had since then: the published copy, or the copy that won. None: nothing known.
    The rename that published it changed its ctime, which does not count."""
    before: Identity | None = None
    """What the volume had when the copy was about to be published. None: nothing."""
