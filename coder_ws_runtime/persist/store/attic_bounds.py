"""The limits of the attic: by age, by number of versions, and by share of the volume.

The attic makes room for data in use: it may take a share of the volume, has to leave a part of the volume
free, and shrinks further if a save would not fit. It removes first the copies of deleted workspaces, then
versions that have a newer one in the attic, then the newest versions; of each kind, the oldest first. A
newest version is removed for lack of room only if it is older than a day.

A volume that others have filled, as a disk that it shares with the engine's images, would take the whole
history for next to nothing. So a small part of the volume is the attic's own: it goes only for a save that
does not fit.
"""

import os
from collections import Counter
from collections.abc import Sequence
from enum import Enum

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.persist.store.attic_items import Item
from coder_ws_runtime.persist.store.attic_records import Reason
from coder_ws_runtime.persist.store.volume import Volume

DAY = 86400.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much the attic keeps."""

    age: float = 30 * DAY
    """Seconds."""
    versions: int = 50
    """Versions of one file, with one scope and workspace."""
    share: float = 0.1
    """Share of the volume's size, for all items together."""
    size: int = 4 << 30
    """Bytes on disk for all items together, whatever the volume's size."""
    free: float = 0.05
    """Share of the volume's size and inodes; while less is free, versions with a newer one are removed."""
    own: float = 0.01
    """Share of the volume's size and inodes for versions with a newer one, however little is free."""
    grace: float = DAY
    """Seconds. A newest version younger than this goes only for age, and is not counted for the share."""

    def limit(self, space: "Space") -> int:
        """The most bytes on disk that the attic may take on a volume."""
        return min(self.size, int(self.share * space.size))


@dataclass(frozen=True, slots=True)
class Space:
    """The space of the volume's file system."""

    size: int
    """Bytes."""
    free: int
    """Bytes that the user may still write."""
    files: int = 0
    """Inodes; 0: the file system does not count them."""
    free_files: int = 0

    @classmethod
    def of(cls, volume: Volume) -> "Space":
        """The present space of a volume. Raises OSError."""
        found = os.fstatvfs(volume.anchor.fd)
        return cls(
            found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, found.f_files, found.f_favail
        )


@dataclass(frozen=True, slots=True)
class Need:
    """What has to become free, whatever the limits are."""

    size: int = 0
    """Bytes."""
    files: int = 0
    """Inodes."""


NOTHING = Need()


class Cause(Enum):
    """The limit that an item exceeds; the value is the code in reports."""

    AGE = "age"
    VERSIONS = "versions"
    SHARE = "share"
    ROOM = "room"


@dataclass(frozen=True, slots=True)
class Expired:
    """An item to remove."""

    item: Item
    cause: Cause


def to_prune(  # noqa: PLR0913 - all that the answer depends on, and nothing else
    found: Sequence[Item],
    now: float,
    bounds: Bounds,
    space: Space,
    need: Need = NOTHING,
    *,
    confirmed: float | None = None,
) -> list[Expired]:
    """The items beyond the limits. Pure.

    Args:
        found: all items, newest first.
        now: seconds since the epoch.
        bounds: the limits.
        space: the volume's space.
        need: what has to become free.
        confirmed: the time by which items are too old, in seconds since the epoch; None: `now`.

    Returns:
        The items in the order in which to remove them.
    """
    gone, kept = _sorted_out(found, now, bounds, now if confirmed is None else confirmed)
    budget = _Budget(kept, gone, bounds, space, need)
    oldest_first = kept[::-1]
    for rank, item in sorted(oldest_first, key=lambda pair: pair[0]):  # keeps that order within a rank
        cause = budget.cause(rank)
        if cause is None:
            continue
        gone.append(Expired(item, cause))
        budget.free(item)
    return gone


def _sorted_out(
    found: Sequence[Item], now: float, bounds: Bounds, confirmed: float
) -> tuple[list[Expired], list[tuple[int, Item]]]:
    """The items to remove for age or number, and the others with their rank, each newest first."""
    gone: list[Expired] = []
    kept: list[tuple[int, Item]] = []
    count: Counter[tuple[str, str, str]] = Counter()
    for item in found:
        count[item.identity] += 1
        if confirmed - item.origin.time > bounds.age:
            gone.append(Expired(item, Cause.AGE))
        elif count[item.identity] > bounds.versions:
            gone.append(Expired(item, Cause.VERSIONS))
        else:
            kept.append((_rank(item, count[item.identity], now, bounds), item))
    return gone, kept


_GONE, _OLDER, _NEWEST, _PROTECTED = range(4)


def _rank(item: Item, version: int, now: float, bounds: Bounds) -> int:
    """The rank in which items are removed for lack of room."""
    recent = abs(now - item.origin.time) <= bounds.grace  # far in the future: a clock was wrong
    if item.record.reason is Reason.WORKSPACE_GONE and not recent:
        return _GONE
    if version > 1:
        return _OLDER
    return _PROTECTED if recent else _NEWEST


def _removable(kept: Sequence[tuple[int, Item]]) -> int:
    """Bytes of the items that may be removed for lack of room."""
    return sum(item.size for rank, item in kept if rank != _PROTECTED)


def _older(kept: Sequence[tuple[int, Item]]) -> tuple[int, int]:
    """Bytes and number of the items that go before a newest version."""
    sizes = [item.size for rank, item in kept if rank < _NEWEST]
    return sum(sizes), len(sizes)


def headroom(kept: Sequence[Item], now: float, bounds: Bounds, space: Space) -> int:
    """How much may be added before something is beyond the limits. Pure.

    Args:
        kept: all items, newest first; all are within the limits.
        now: seconds since the epoch.
        bounds: the limits.
        space: the volume's space.

    Returns:
        Bytes; negative if there is already too much.
    """
    _, ranked = _sorted_out(kept, now, bounds, confirmed=0)
    older, _ = _older(ranked)
    for_others = max(space.free - int(bounds.free * space.size), int(bounds.own * space.size) - older)
    return min(bounds.limit(space) - _removable(ranked), for_others)


class _Budget:
    """What is still too much, or too little."""

    def __init__(
        self,
        kept: Sequence[tuple[int, Item]],
        gone: Sequence[Expired],
        bounds: Bounds,
        space: Space,
        need: Need,
    ) -> None:
        freed, freed_files = sum(one.item.size for one in gone), len(gone)
        self.beyond_share = _removable(kept) - bounds.limit(space)
        self.below_free = int(bounds.free * space.size) - space.free - freed
        self.below_free_files = int(bounds.free * space.files) - space.free_files - freed_files
        older, count = _older(kept)
        self.beyond_own = older - int(bounds.own * space.size)
        self.beyond_own_files = count - int(bounds.own * space.files)
        self.need = need.size - space.free - freed if need.size else 0
        self.need_files = need.files - space.free_files - freed_files if need.files and space.files else 0

    def cause(self, rank: int) -> Cause | None:
        """Why an item of this rank has to be removed; None: it need not be."""
        if rank == _PROTECTED:
            return None
        if self.need > 0 or self.need_files > 0:
            return Cause.ROOM
        if self.beyond_share > 0:
            return Cause.SHARE
        if rank < _NEWEST and (
            (self.below_free > 0 and self.beyond_own > 0)
            or (self.below_free_files > 0 and self.beyond_own_files > 0)
        ):
            return Cause.ROOM
        return None

    def free(self, item: Item) -> None:
        """Count an item as removed."""
        self.beyond_share -= item.size
        self.below_free -= item.size
        self.beyond_own -= item.size
        self.need -= item.size
        self.below_free_files -= 1
        self.beyond_own_files -= 1
        self.need_files -= 1
