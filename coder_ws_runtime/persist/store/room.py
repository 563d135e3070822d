"""Room for a copy: checked before the copy is begun.

A copy that does not fit would fill the volume for nothing, and leave no room for other saves while it runs.
So this checks first whether there is room; the attic shrinks if that helps. A copy that did not fit is not
tried again until the volume has more free space than it had then.
"""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.fs.usage import Usage
from coder_ws_runtime.persist.store.attic_bounds import Need, Space
from coder_ws_runtime.persist.store.attic_clock import confirmed_time
from coder_ws_runtime.persist.store.attic_pruning import prune
from coder_ws_runtime.persist.store.volume import Volume

_FULL = (errno.ENOSPC, errno.EDQUOT)


class NoRoomError(OSError):
    """A copy does not fit on the volume; nothing was copied.

    Attributes:
        need: bytes, or inodes, that the copy needs.
        free: how many are free.
        inodes: whether inodes are missing.
    """

    def __init__(self, need: int, free: int, *, inodes: bool = False) -> None:
        super().__init__(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.need = need
        self.free = free
        self.inodes = inodes


@dataclass(frozen=True, slots=True)
class _Refused:
    space: Space
    """What was free."""
    need: int = 0
    """Like NoRoomError's; 0: the file system refused although there seemed to be room (a quota)."""
    free: int = 0
    inodes: bool = False


class Room:
    """The room of a volume, for copies of declared paths.

    Args:
        volume: the volume.
    """

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self._refused: dict[str, _Refused] = {}

    @contextmanager
    def reserved(self, path: str, measure: Callable[[], Usage]) -> Iterator[Usage]:
        """Check that there is room for a copy, and keep the check's result while it is made: how much it is.

        Args:
            path: identifies what is copied; any name that stays the same.
            measure: returns how much it needs; called only if necessary.

        Raises:
            NoRoomError: it does not fit, or did not fit before and no more is free now.
        """
        usage = self._require(path, measure)
        try:
            yield usage
        except OSError as error:
            if error.errno in _FULL:
                inodes = isinstance(error, NoRoomError) and error.inodes
                self._refused[path] = _Refused(Space.of(self.volume), inodes=inodes)
            raise
        self._refused.pop(path, None)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Make one copy. If it fails, look at the free space before the copy is removed.

        Raises:
            NoRoomError: the volume has no room or no inodes left.
            OSError: from the file systems.
        """
        try:
            yield
        except OSError as error:
            space = Space.of(self.volume)
            if error.errno == errno.ENOSPC:
                raise NoRoomError(0, 0, inodes=bool(space.files and not space.free_files)) from error
            raise

    def _require(self, path: str, measure: Callable[[], Usage]) -> Usage:
        space = Space.of(self.volume)
        before = self._refused.get(path)
        if before and space.free <= before.space.free and space.free_files <= before.space.free_files:
            raise NoRoomError(before.need, before.free, inodes=before.inodes)
        usage = measure()
        error = _lacking(usage, space)
        if error:
            need = Need(usage.size, usage.files)
            prune(self.volume, time.time(), need=need, confirmed=confirmed_time(self.volume))
            space = Space.of(self.volume)
            error = _lacking(usage, space)
        if error:
            self._refused[path] = _Refused(space, error.need, error.free, error.inodes)
            raise error
        return usage


def _lacking(usage: Usage, space: Space) -> NoRoomError | None:
    if usage.size > space.free:
        return NoRoomError(usage.size, space.free)
    # Some file systems (btrfs) do not count inodes, and report a total of 0.
    if space.files and usage.files > space.free_files:
        return NoRoomError(usage.files, space.free_files, inodes=True)
    return None
