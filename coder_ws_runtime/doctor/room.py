"""How much room a file system has to have. Without other modules: the doctor's glance uses it, too."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os

FULL, NEARLY_FULL, NO_INODES, FEW_INODES = "full", "nearly-full", "no-inodes", "few-inodes"

_LITTLE = 0.10
"""The part of a file system that has to be free; below it there is a warning, unless much is free."""
_MUCH = 5 << 30
"""This many free bytes are enough, however small a part they are."""
_NOTHING = 0.01
_FULL_BYTES = 16 << 20
"""With less than this, saving a file may fail at any time."""


def wants(there: os.statvfs_result) -> list[str]:
    """What a file system has too little of: at most one of the first two constants, and one of the others."""
    total, free = there.f_blocks * there.f_frsize, there.f_bavail * there.f_frsize
    found = []
    if total:
        if free < _FULL_BYTES or (free / total < _NOTHING and free < _MUCH):
            found.append(FULL)
        elif free / total < _LITTLE and free < _MUCH:
            found.append(NEARLY_FULL)
    if there.f_files and there.f_favail / there.f_files < _LITTLE:
        found.append(NO_INODES if there.f_favail / there.f_files < _NOTHING else FEW_INODES)
    return found
