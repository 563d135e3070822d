"""Copies of the home side in the staging directory, durable and recorded, for a step to rename."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import sync_directory
from coder_ws_runtime.fs.copying import SYNC_EACH, Copied, copy
from coder_ws_runtime.fs.errors import ChangedError
from coder_ws_runtime.fs.usage import Usage, measure
from coder_ws_runtime.identity import CopyRecord
from coder_ws_runtime.persist.reconcile.observation import Origin
from coder_ws_runtime.persist.reconcile.path_work import PathWork, joined


@dataclass(frozen=True, slots=True)
class StagedCopy:
    """A copy in the staging directory."""

    path: str
    """Relative to the entry."""
    name: str
    """In the staging directory."""
    copied: Copied


@dataclass(slots=True)
class Batch:
    """Copies that are published together; many of them are synced with their whole file system."""

    many: bool
    copies: list[StagedCopy] = field(default_factory=list)

    def __iter__(self) -> Iterator[StagedCopy]:
        return iter(self.copies)

    def sync_name(self, fd: int) -> None:
        """Make the names in a directory durable, now or with all others."""
        if not self.many:
            sync_directory(fd)


@contextmanager
def staged(work: PathWork, origin: Origin, paths: tuple[str, ...], *, published: bool) -> Iterator[Batch]:
    """Durable copies of paths of the home side, recorded in the ledger, for the caller to rename.

    Afterwards, this makes the new names durable, and what was copied counts as safe.

    Args:
        work: the path.
        origin: which content of the home side.
        paths: what is copied, relative to the entry.
        published: the caller moves the copies to their place on the volume, not to the attic.

    Raises:
        ChangedError: something changed since it was observed.
        NoRoomError: the volume has no room for it; nothing was copied.
        OSError: what the file systems say.
    """
    staging = work.volume.staging
    room = work.context.attic.room
    batch = Batch(many=len(paths) > SYNC_EACH)
    try:
        with room.reserved(work.entry.on_volume, partial(_amount, work, origin, paths)) as amount:
            for path in paths:
                hard_links = amount.hard_links
                batch.copies.append(_copy(work, origin, path, durable=not batch.many, hard_links=hard_links))
            if batch.many:
                kernel.sync_file_system(staging.fd)
        _note(work, batch, published=published, kept=False)
        yield batch
        if batch.many:
            kernel.sync_file_system(staging.fd)
        if not (batch.many and published):  # of many, the next look sees it, if there is one
            _note(work, batch, published=published, kept=True)
    finally:
        for copy_ in batch.copies:  # those that were not renamed
            staging.discard(copy_.name)
    for copy_ in batch.copies:
        for inner, identity in copy_.copied.identities.items():
            work.safe[joined(copy_.path, inner)] = identity
        if published:
            links = copy_.copied.links.items()
            work.context.links.update({joined(copy_.path, inner): text for inner, text in links})


def _amount(work: PathWork, origin: Origin, paths: tuple[str, ...]) -> Usage:
    """The size of copies of paths of the home side."""
    size = length = files = 0
    complete, hard_links = True, False
    for path in paths:
        with work.home.parent(work.in_home(path, origin)) as source:
            found = measure(*source)
        size, length, files = size + found.size, length + found.length, files + found.files
        complete, hard_links = complete and found.complete, hard_links or found.hard_links
    return Usage(size, length, files, hard_links, complete)


def _note(work: PathWork, batch: Batch, *, published: bool, kept: bool) -> None:
    """Record what is copied, what the volume will have then, and whether the copy is in its place already."""
    there = {pair.path: pair.volume for pair in work.seen.pairs}
    records: dict[str, CopyRecord] = {}
    for copy_ in batch.copies:
        for inner, copied in copy_.copied.copies.items():
            path = joined(copy_.path, inner)
            before = there.get(path)
            volume = copied if published else before
            records[path] = CopyRecord(copy_.copied.identities[inner], volume, before, kept=kept)
    if records:
        work.context.ledger.note_copies(work.entry.path, records)


def _copy(work: PathWork, origin: Origin, path: str, *, durable: bool, hard_links: bool) -> StagedCopy:
    staging = work.volume.staging
    name = staging.name()
    try:
        with (
            work.home.parent(work.in_home(path, origin)) as source,
            work.context.attic.room.watched(),
        ):
            copied = copy(
                source,
                (staging.fd, name),
                durable=durable,
                hard_links=hard_links,
                refuse_writers=False,  # checked before, and once more after the swap
                progress=work.context.progress,
                moving=(f"{work.home.path}/{work.entry.path}", path),
            )
    except BaseException:
        staging.discard(name)
        raise
    if {joined(path, inner) for inner in copied.special} - work.special:  # it appeared after we looked
        staging.discard(name)
        raise ChangedError(path)
    return StagedCopy(path, name, copied)
