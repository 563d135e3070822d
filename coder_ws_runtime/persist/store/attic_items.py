"""The items in the attic: list them, and put them back. One that cannot be read is reported and skipped."""

import errno
import os
import shlex
from collections.abc import Sequence
from contextlib import suppress

from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import Anchor, Owner, open_directory, sync_directory
from coder_ws_runtime.fs.copying import copy
from coder_ws_runtime.fs.removing import remove_tree
from coder_ws_runtime.persist.store import names
from coder_ws_runtime.persist.store.attic import DIRECTORY, Attic, batches, remove_empty
from coder_ws_runtime.persist.store.attic_batch import Batch, parse_batch
from coder_ws_runtime.persist.store.attic_records import UNKNOWN, Reason, Record, Records, Winner
from coder_ws_runtime.persist.store.copies_in_home import copying, writing_home
from coder_ws_runtime.persist.store.failures import AGAIN, failure_of
from coder_ws_runtime.persist.store.journals import copy_journals, displaced, following
from coder_ws_runtime.persist.store.ledger import Ledger
from coder_ws_runtime.persist.store.volume import Volume


@dataclass(frozen=True, slots=True)
class Item:
    """One file or link in the attic."""

    batch: str
    path: str
    """Relative to the home; an empty directory, or one that cannot be read, ends with ``/``."""
    size: int
    """Bytes on disk."""
    record: Record = UNKNOWN

    @property
    def origin(self) -> Batch:
        """The information in the name of its batch."""
        return parse_batch(self.batch)

    @property
    def identity(self) -> tuple[str, str, str]:
        """What it is a version of: scope, owner, path. Items that differ in this never count together."""
        origin = self.origin
        return origin.scope, origin.workspace if origin.scope else origin.label, self.path


@dataclass(slots=True)
class Contents:
    """Everything in the attic."""

    items: list[Item] = field(default_factory=list)
    """Newest first."""
    problems: list[UserError] = field(default_factory=list)
    """What could not be read."""


def items(volume: Volume) -> list[Item]:
    """Everything in the attic, newest first, as far as it can be read."""
    return contents(volume).items


def contents(volume: Volume) -> Contents:
    """Everything in the attic."""
    found = Contents()
    try:
        listed = batches(volume.anchor)
    except OSError as error:
        found.problems.append(_unreadable(volume, "", error))
        return found
    for batch in listed:
        _Listing(volume, batch, found).inside("")
    return found


class _Listing:
    """Lists one batch into `found`."""

    def __init__(self, volume: Volume, batch: Batch, found: Contents) -> None:
        self.volume = volume
        self.batch = batch.name
        self.found = found
        self.records = Records(volume.anchor, batch.name)

    def inside(self, path: str) -> None:
        """List a directory in order; one that cannot be read is an item itself, and is reported."""
        relative = f"{DIRECTORY}/{self.batch}/{path}".rstrip("/")
        try:
            with self.volume.anchor.parent(relative) as (fd, name):
                opened = open_directory(name, fd)
        except FileNotFoundError:  # restored or pruned since
            return
        except NotADirectoryError:  # a file with the name of a batch
            return
        except (OSError, RecursionError) as error:
            self._problem(path, error)
            return
        try:
            self._entries(opened, path)
        except (OSError, RecursionError) as error:
            self._problem(path, error)
        finally:
            os.close(opened)

    def _entries(self, opened: int, path: str) -> None:
        device = os.fstat(opened).st_dev
        with os.scandir(opened) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
        if not entries and path:
            self._item(f"{path}/", 0)
        for entry in entries:
            inner = f"{path}/{entry.name}" if path else entry.name
            try:
                found = entry.stat(follow_symlinks=False)
            except OSError as error:
                self._problem(inner, error)
                continue
            if not entry.is_dir(follow_symlinks=False):
                self._item(inner, found.st_blocks * 512)
            elif found.st_dev == device:  # something mounted there does not belong to the attic
                self.inside(inner)

    def _item(self, path: str, size: int) -> None:
        self.found.items.append(Item(self.batch, path, size, self.records.of(path)))

    def _problem(self, path: str, error: OSError | RecursionError) -> None:
        if isinstance(error, RecursionError):
            error = OSError(errno.ENAMETOOLONG, "directories are nested too deeply")
        self.found.problems.append(_unreadable(self.volume, f"{self.batch}/{path}".rstrip("/"), error))
        if path:
            self._item(f"{path}/", 0)


def _unreadable(volume: Volume, inside: str, error: OSError) -> UserError:
    place = f"{volume.path}/{DIRECTORY}/{inside}".rstrip("/")
    why = failure_of(
        place, error, within=((volume.anchor, f"{DIRECTORY}/{inside}".rstrip("/"), volume.owner),)
    )
    return RefusedError(
        f"this item in the attic is skipped: {why.message.removesuffix('; left as it was')}",
        code="attic.unreadable",
        place=place,
        hint=why.hint,
    )


def of_workspace(
    found: Sequence[Item], workspace_id: str, workspace_name: str, own_paths: Sequence[str] = ()
) -> list[Item]:
    """The items that this workspace may use: the owner's, and its own.

    Args:
        found: all items.
        workspace_id: this workspace.
        workspace_name: its name.
        own_paths: declared with the scope ``workspace``. Format 1 did not record whose copies they are,
            so of its items, only those count that this workspace added.
    """
    own = tuple(f"{path}/" for path in own_paths)

    def counts(item: Item) -> bool:
        origin = item.origin
        if origin.scope == "owner":
            return True
        if origin.scope or f"{item.path.rstrip('/')}/".startswith(own):
            return bool(workspace_id) and origin.has_copies_of(workspace_id, workspace_name)
        return True

    return [item for item in found if counts(item)]


def restore(attic: Attic, batch: str, path: str, on_volume: str, *, force: bool) -> str:
    """Put one path from a batch back in its place on the volume.

    It is one rename: to a free path, or with `force` in exchange for what is there. That moves to a
    new batch, so that it is kept as long as anything else that is added to the attic now.

    Args:
        attic: takes what is there.
        batch: the batch's name.
        path: relative to the home; a file, or a directory with everything that the batch has of it.
        on_volume: its place, relative to the volume.
        force: exchange it for what is there.

    Returns:
        The batch that has what was there; empty if there was nothing.

    Raises:
        UsageError: `batch` is not the name of a batch.
        RefusedError: there is something in its place, the batch does not have it, or the file system
            refuses.
    """
    volume = attic.volume
    inside = f"{DIRECTORY}/{parse_batch(batch).name}/{path}"
    exchanged = ""
    try:
        volume.anchor.make_directories(on_volume.rpartition("/")[0], owner=volume.owner)
        with (
            volume.lock(on_volume),
            volume.anchor.parent(inside) as (attic_fd, attic_name),
            volume.anchor.parent(on_volume) as (fd, name),
        ):
            with (
                displaced(attic, (fd, name), on_volume, Reason.EXCHANGED),
                following((attic_fd, attic_name), (fd, name)),
            ):
                try:
                    kernel.rename_new(attic_fd, attic_name, fd, name)
                except FileExistsError:
                    if not force:
                        raise
                    kernel.swap(attic_fd, attic_name, fd, name)
                    exchanged = batch
            sync_directory(fd)
            sync_directory(attic_fd)
            if exchanged:
                # It is already safe where it is; there it would only expire sooner.
                with suppress(OSError):
                    winner = Winner.of("attic", os.stat(name, dir_fd=fd, follow_symlinks=False))
                    exchanged = _move_on(attic, on_volume, winner, attic_fd, attic_name)
    except FileExistsError as error:
        raise RefusedError(
            "the volume has something in its place",
            code="attic.in-the-way",
            place=f"~/{path}",
            hint=f"see what differs: diff -r {shlex.quote(f'{volume.path}/{on_volume}')}"
            f" {shlex.quote(f'{volume.path}/{inside}')}; --force exchanges the two",
        ) from error
    except FileNotFoundError as error:
        raise _not_in(batch, path) from error
    except OSError as error:
        raise failure_of(f"~/{path}", error, again=AGAIN) from error
    remove_empty(volume, inside)
    return exchanged


def restore_to_home(attic: Attic, ledger: Ledger, home: Anchor, batch: str, path: str) -> None:
    """Copy one path from a batch to the home, if it is not (or no longer) declared.

    The copy is made next to its place, and then renamed without replacing anything; the attic keeps its own.

    Raises:
        UsageError: `batch` is not the name of a batch.
        RefusedError: there is something in its place, the batch does not have it, or the file system
            refuses.
    """
    volume = attic.volume
    inside = f"{DIRECTORY}/{parse_batch(batch).name}/{path}"
    try:
        with volume.anchor.parent(inside) as source:
            os.stat(source[1], dir_fd=source[0], follow_symlinks=False)
            home.make_directories(path.rpartition("/")[0], owner=Owner.of(home.fd))
            with home.parent(path) as (fd, name), copying((fd, name), path, ledger, attic, path):
                partial = names.sibling_name(name, names.COPY_SUFFIX)
                try:
                    with writing_home():
                        copy(source, (fd, partial), refuse_writers=False)
                        kernel.rename_new(fd, partial, fd, name)
                        with suppress(FileExistsError):
                            copy_journals(source, (fd, name), (fd, partial))
                except BaseException:
                    remove_tree(fd, partial)
                    raise
                sync_directory(fd)
    except FileExistsError as error:
        raise RefusedError(
            "the home has something in its place",
            code="attic.in-the-way",
            place=f"~/{path}",
            hint=f"move that away, or read what is in the attic: {shlex.quote(f'{volume.path}/{inside}')}",
        ) from error
    except FileNotFoundError as error:
        raise _not_in(batch, path) from error
    except OSError as error:
        raise failure_of(f"~/{path}", error, again=AGAIN) from error


def _not_in(batch: str, path: str) -> RefusedError:
    return RefusedError(
        f"batch {batch!r} does not have it",
        code="attic.unknown",
        place=f"~/{path}",
        hint="home-persist attic list",
    )


def _move_on(attic: Attic, on_volume: str, winner: Winner, fd: int, name: str) -> str:
    """Move what was exchanged to a new batch, and return that."""
    with attic.place(on_volume, Reason.EXCHANGED, winner, exchanged=True) as (new_fd, new_name):
        kernel.rename_new(fd, name, new_fd, new_name)
        sync_directory(new_fd)
    sync_directory(fd)
    return attic.batch
