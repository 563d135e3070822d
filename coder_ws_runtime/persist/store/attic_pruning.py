"""Remove what is beyond the attic's limits: at once, or whenever items are added."""

from collections.abc import Sequence
from contextlib import suppress

from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.anchored import writable
from coder_ws_runtime.fs.removing import remove_tree
from coder_ws_runtime.persist.store.attic import DIRECTORY, batches, remove_empty
from coder_ws_runtime.persist.store.attic_bounds import (
    NOTHING,
    Bounds,
    Expired,
    Need,
    Space,
    headroom,
    to_prune,
)
from coder_ws_runtime.persist.store.attic_clock import observe_time
from coder_ws_runtime.persist.store.attic_items import Contents, Item, contents
from coder_ws_runtime.persist.store.failures import failure_of
from coder_ws_runtime.persist.store.volume import Volume


@dataclass(slots=True)
class Pruned:
    """The result of a prune."""

    gone: list[Expired] = field(default_factory=list)
    problems: list[UserError] = field(default_factory=list)
    """What could not be read or removed."""
    kept: list[Item] = field(default_factory=list)
    """The remaining items, newest first."""


def prune(  # noqa: PLR0913 - as for `to_prune`
    volume: Volume,
    now: float,
    bounds: Bounds | None = None,
    need: Need = NOTHING,
    *,
    only: Sequence[Item] | None = None,
    confirmed: float | None = None,
) -> Pruned:
    """Remove what is beyond the limits. An item that cannot be removed does not affect the others.

    Args:
        volume: the volume.
        now: seconds since the epoch.
        bounds: the limits.
        need: what has to become free.
        only: consider only these items; None: all.
        confirmed: as for `to_prune`; a prune that nobody asked for gives what the attic's clock says.

    Raises:
        OSError: the size of the volume is unknown.
    """
    found = contents(volume) if only is None else Contents(list(only))
    bounds = bounds or Bounds()
    beyond = to_prune(found.items, now, bounds, Space.of(volume), need, confirmed=confirmed)
    done = Pruned(problems=found.problems)
    for one in beyond:
        problem = _remove(volume, one.item)
        if problem:
            done.problems.append(problem)
        else:
            done.gone.append(one)
    if only is None:
        _remove_empty_batches(volume, (now if confirmed is None else confirmed) - bounds.age)
    gone = {(one.item.batch, one.item.path) for one in done.gone}
    done.kept = [item for item in found.items if (item.batch, item.path) not in gone]
    return done


def _remove_empty_batches(volume: Volume, before: float) -> None:
    """Remove batches without items that were made before a time: what is kept with them has expired."""
    with suppress(OSError):
        for batch in batches(volume.anchor):
            if batch.time < before:
                remove_empty(volume, f"{DIRECTORY}/{batch.name}/-")


def _remove(volume: Volume, item: Item) -> UserError | None:
    inside = f"{DIRECTORY}/{item.batch}/{item.path}".rstrip("/")
    try:
        with volume.anchor.parent(inside) as (fd, name), writable((fd, ".")):
            remove_tree(fd, name)
    except FileNotFoundError:  # another process was faster
        pass
    except OSError as error:
        place = f"{volume.path}/{inside}"
        why = failure_of(place, error, within=((volume.anchor, inside, volume.owner),))
        return RefusedError(
            f"this item of the attic cannot be removed: {why.message.removesuffix('; left as it was')}",
            code="attic.not-removable",
            place=place,
            hint=why.hint,
        )
    remove_empty(volume, inside)
    return None


class Keeper:
    """Keeps the attic within its limits as items are added, without listing all of it each time.

    Args:
        volume: the volume.
        bounds: the limits.
    """

    def __init__(self, volume: Volume, bounds: Bounds | None = None) -> None:
        self.volume = volume
        self.bounds = bounds or Bounds()
        self._headroom = -1
        """Bytes that may be added before the attic is listed again; negative: now, as at the first item."""
        self._adds_left = 0
        self.problems: list[UserError] = []
        """What could not be read or removed the last time."""

    def added(self, count: int, size: int, now: float) -> None:
        """Count added items, and remove what is beyond the limits if the volume may become full.

        What is too old or has too many newer versions can wait: see `is_due`.

        Args:
            count: how many.
            size: their bytes on disk.
            now: seconds since the epoch.
        """
        self._headroom -= size
        self._adds_left -= count
        if self._headroom < 0:
            self.look_through(now)

    @property
    def is_due(self) -> bool:
        """Whether so many items were added that some may be beyond the limits."""
        return self._adds_left < 0

    def look_through(self, now: float) -> Pruned | None:
        """Remove what is beyond the limits; None if the volume cannot be read."""
        self._adds_left = self.bounds.versions // 5  # also if it fails: the next items or sweep try again
        try:
            done = prune(self.volume, now, self.bounds, confirmed=observe_time(self.volume))
            space = Space.of(self.volume)
        except OSError:
            return None
        self.problems = done.problems
        self._headroom = headroom(done.kept, now, self.bounds, space)
        return done
