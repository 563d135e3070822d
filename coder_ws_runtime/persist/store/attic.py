"""The attic: where replaced versions are kept for a while.

The path on the volume is ``.home-persist/attic/<batch>/<path>``, where `path` is relative to the home. A
batch has copies of one scope, and its name ends with that scope, so it is always clear whose copies they are:
``20260131T093000.000Z-dev@owner``, or for one workspace's own copies ``…-dev@ws-<digest of its ID>``. Names
without that suffix are from format 1, which did not record the scope.
``.home-persist/attic-records/<batch>.jsonl`` says why each item is there, with one JSON object per line.

Items in the attic expire, so a copy there never counts as kept.
The names of batches are in :mod:`.attic_batch`, the reasons and the records in :mod:`.attic_records`.
:mod:`.attic_items` lists and restores; :mod:`.attic_bounds` decides what is removed, :mod:`.attic_pruning`
removes it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from coder_ws_runtime.dataclass import asdict, dataclass, field
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.fs.anchored import Anchor, open_directory, sync_directory, writable
from coder_ws_runtime.fs.errors import BlockedPathError
from coder_ws_runtime.fs.removing import remove_tree
from coder_ws_runtime.fs.usage import measure
from coder_ws_runtime.persist.store import names
from coder_ws_runtime.persist.store.attic_batch import LAST_TIME, Batch, batch_name
from coder_ws_runtime.persist.store.attic_records import Reason, Winner
from coder_ws_runtime.persist.store.names import STATE
from coder_ws_runtime.persist.store.volume import Volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coder_ws_runtime.persist.store.attic_pruning import Keeper
    from coder_ws_runtime.persist.store.room import Room

DIRECTORY = f"{STATE}/{names.ATTIC}"


def batches(volume: Anchor) -> list[Batch]:
    """The batches, newest first. Raises OSError if the attic cannot be read."""
    return [batch for name in sorted(_listed(volume), reverse=True) if (batch := Batch.parse(name))]


def latest_time(volume: Anchor) -> float:
    """When the newest batch was made, in seconds since the epoch; 0: there is none. Raises OSError."""
    newest = Batch.parse(max(_listed(volume), default=""))  # a sorted list of thousands takes longer
    if newest is None:
        newest = next(iter(batches(volume)), None)
    return newest.time if newest else 0.0


def _listed(volume: Anchor) -> list[str]:
    try:
        with volume.parent(DIRECTORY) as (fd, name):
            opened = open_directory(name, fd)
    except FileNotFoundError:
        return []
    try:
        return os.listdir(opened)
    finally:
        os.close(opened)


def versions(volume: Anchor, on_volume: str, workspace_name: str = "") -> Iterator[str]:
    """Where the attic has earlier versions of a path, newest first; relative to the volume.

    Args:
        volume: the volume.
        on_volume: the path on the volume, which shows whose copy it is.
        workspace_name: as for `Batch.has_copies_of`.
    """
    workspace, path = names.workspace_of(on_volume), names.in_home(on_volume)
    for batch in batches(volume):
        place = f"{DIRECTORY}/{batch.name}/{path}"
        with suppress(BlockedPathError, PermissionError):
            if batch.has_copies_of(workspace, workspace_name) and volume.status(place) is not None:
                yield place


def in_attic(volume: Anchor, on_volume: str, workspace_name: str = "") -> bool:
    """Whether the attic has an earlier version of a path; arguments as for `versions`."""
    return next(versions(volume, on_volume, workspace_name), None) is not None


@dataclass(slots=True)
class _Open:
    """A batch to which this process adds items."""

    name: str
    taken: set[str] = field(default_factory=set)
    above: set[str] = field(default_factory=set)

    def has_room_for(self, path: str, above: set[str]) -> bool:
        """Whether nothing that was put in is at, above or below a path."""
        return path not in self.taken | self.above and not above & self.taken


class Attic:
    """Where this process puts replaced versions.

    Args:
        volume: the volume.
        workspace: name or ID of this workspace, for the batches' names.
        workspace_id: this workspace's ID, for the records.
    """

    def __init__(self, volume: Volume, workspace: str, workspace_id: str = "") -> None:
        self.volume = volume
        self.workspace = workspace
        self.workspace_id = workspace_id
        self.batch = ""
        """The batch to which the last item was added."""
        self.count = 0
        """How many items were added."""
        self._open: dict[str, _Open] = {}
        self._added = 0
        """How many items were added that `keep_bounds` has not considered yet."""
        self._added_size = 0
        """Their bytes on disk; a small new file may have none yet."""
        self._keeper: Keeper | None = None
        self._room: Room | None = None

    @contextmanager
    def place(
        self,
        on_volume: str,
        reason: Reason = Reason.UNKNOWN,
        winner: Winner | None = None,
        *,
        exchanged: bool = False,
    ) -> Iterator[tuple[int, str]]:
        """A free path for a version of a path: a directory's descriptor, and the name in it.

        The directory itself is durable; the caller syncs the name.

        Args:
            on_volume: the path on the volume, which shows whose copy it is.
            reason: why the version is replaced.
            winner: the version that replaces it, if known.
            exchanged: whether as much leaves the attic in exchange, so that its limits need not be checked.
        """
        workspace, path = names.workspace_of(on_volume), names.in_home(on_volume)
        parts = path.split("/")
        above = {"/".join(parts[:length]) for length in range(1, len(parts))}
        batch = self._open.get(workspace)
        if batch is None or not batch.has_room_for(path, above):
            batch = self._open[workspace] = _Open(self._new_batch(workspace))
        batch.taken.add(path)
        batch.above |= above
        self.batch = batch.name
        inside = f"{DIRECTORY}/{batch.name}/{path}"
        anchor: Anchor = self.volume.anchor
        anchor.make_directories(inside.rpartition("/")[0], owner=self.volume.owner)
        self.note(batch.name, path, workspace, reason, winner)
        try:
            with anchor.parent(inside) as (fd, name):
                yield fd, name
                if not exchanged:
                    self._added += 1
                    with suppress(OSError):
                        self._added_size += measure(fd, name).size
        except BaseException:
            remove_empty(self.volume, inside)  # if nothing is there
            raise
        self.count += 1

    @property
    def is_due(self) -> bool:
        """Whether so many versions were added that `keep_bounds` should look through all of them."""
        return self._keeper is not None and self._keeper.is_due

    def keep_bounds(self, *, always: bool = False) -> list[UserError]:
        """Remove what is beyond the limits, if the volume may become full by what was added.

        Args:
            always: look through all versions: 0.1 ms for each batch, for which no save should wait.

        Returns:
            What could not be read or removed.
        """
        if not always and not self._added:
            return []
        from coder_ws_runtime.persist.store.attic_pruning import Keeper  # noqa: PLC0415 - most runs put nothing in

        self._keeper = self._keeper or Keeper(self.volume)
        if always:
            self._keeper.look_through(time.time())
        else:
            self._keeper.added(self._added, self._added_size, time.time())
        self._added = self._added_size = 0
        return self._keeper.problems

    @property
    def room(self) -> Room:
        """The room for copies on the volume, for which the attic may shrink."""
        from coder_ws_runtime.persist.store.room import Room  # noqa: PLC0415 - as above

        if self._room is None:
            self._room = Room(self.volume)
        return self._room

    def new_name(self, workspace: str, copies_of: str) -> str:
        """A new name for a batch; `workspace` and `copies_of` as for `batch_name`.

        It is later than all others, whatever the clock says: the latest version is the newest one.
        """
        while True:
            now, latest = time.time(), latest_time(self.volume.anchor)
            name = batch_name(latest + 0.0015 if now < latest < LAST_TIME else now, workspace, copies_of)
            if self.volume.anchor.status(f"{DIRECTORY}/{name}") is None:
                return name
            time.sleep(0.001)

    def _new_batch(self, copies_of: str) -> str:
        """Begin a batch that no other process uses."""
        with self.volume.directory(names.ATTIC) as fd:
            while True:
                name = self.new_name(self.workspace, copies_of)
                try:
                    os.mkdir(name, 0o700, dir_fd=fd)
                except FileExistsError:
                    continue
                self.volume.owner.chown(name, fd)
                sync_directory(fd)
                return name

    def note(self, batch: str, path: str, copies_of: str, reason: Reason, winner: Winner | None) -> None:
        """Record why an item is there. If that fails, e.g. on a full volume, the item is kept all the same.

        Args:
            batch: the batch's name.
            path: the item's path, relative to the home; empty for the whole batch.
            copies_of: the ID of the workspace whose own copy it is; empty: the owner's.
            reason: why.
            winner: the version that replaces it, if known.
        """
        document = {
            "path": path,
            "scope": "workspace" if copies_of else "owner",
            "workspace": copies_of,
            "why": reason.value,
            "against": asdict(winner) if winner else None,
            "by": {"workspace": self.workspace_id, "name": self.workspace},
        }
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        name = f"{batch}.jsonl"
        with suppress(OSError), self.volume.directory(names.ATTIC_RECORDS) as fd:
            opened = os.open(name, flags, 0o600, dir_fd=fd)
            try:
                self.volume.owner.chown(name, fd)
                os.write(opened, json.dumps(document).encode() + b"\n")
            finally:
                os.close(opened)


def remove_empty(volume: Volume, inside: str) -> None:
    """Remove the directories above an item if they are empty now, and with the batch its records.

    Args:
        volume: the volume.
        inside: the item's path, relative to the volume.
    """
    batch = inside.removeprefix(f"{DIRECTORY}/").partition("/")[0]
    while (inside := inside.rpartition("/")[0]) != DIRECTORY:
        try:
            with volume.anchor.parent(inside) as (fd, name), writable((fd, ".")):
                os.rmdir(name, dir_fd=fd)
        except FileNotFoundError:
            continue
        except OSError:  # not empty, or we may not remove it
            return
    remove_records(volume, batch)


def remove_records(volume: Volume, batch: str) -> None:
    """Remove the records of a batch that was removed."""
    for name in (f"{batch}.jsonl", f"{batch}{names.STATE_SUFFIX}"):
        with suppress(OSError), volume.anchor.parent(f"{STATE}/{names.ATTIC_RECORDS}/{name}") as (fd, last):
            remove_tree(fd, last)
