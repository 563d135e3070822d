"""What tells whether a file is still the one that was looked at. Pure: it only compares numbers."""

import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import os


@dataclass(frozen=True, slots=True)
class Identity:
    """One state of one file, link or directory, as stat(2) shows it.

    Directories change while they are emptied, so their size and time do not count.
    """

    device: int
    inode: int
    kind: int
    size: int
    mtime: int
    """Nanoseconds."""

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
        )
