"""What is in the attic: list it, put it back, keep it within bounds."""

import calendar
import os
import shlex
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import (
    Anchor,
    Owner,
    open_directory,
    report_deep_nesting,
    sync_directory,
    writable,
)
from coder_ws_runtime.fs.copying import copy
from coder_ws_runtime.fs.removing import remove_tree
from coder_ws_runtime.persist.failures import failure_of
from coder_ws_runtime.persist.manifest.paths import COPY_SUFFIX
from coder_ws_runtime.persist.store.attic import DIRECTORY, Attic, batches
from coder_ws_runtime.persist.store.volume import Volume


@dataclass(frozen=True, slots=True)
class Item:
    """One file or link in the attic."""

    batch: str
    path: str
    """Relative to the home."""
    size: int
    """Bytes on disk."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much the attic keeps. What is younger than `grace` goes only by the number of versions."""

    age: float = 30 * 86400.0
    """Seconds."""
    size: int = 1 << 30
    """Bytes on disk, all together."""
    versions: int = 50
    """Of one file."""
    grace: float = 86400.0
    """Seconds."""


def batch_time(batch: str) -> float:
    """When a batch was made, in seconds since the epoch; 0 if its name is not one of ours."""
    try:
        clock = time.strptime(batch[:15], "%Y%m%dT%H%M%S")
    except ValueError:
        return 0.0
    return calendar.timegm(clock) + int(batch[16:19]) / 1000 if batch[16:19].isdigit() else 0.0


@report_deep_nesting()
def items(volume: Volume) -> list[Item]:
    """All that is in the attic, the newest first."""
    found: list[Item] = []
    for batch in batches(volume.anchor):
        if batch_time(batch):
            found.extend(_items(volume, batch, ""))
    return found


def _items(volume: Volume, batch: str, path: str) -> Iterator[Item]:
    """The files below one directory of a batch, in order; an empty directory counts as a file."""
    relative = f"{DIRECTORY}/{batch}/{path}".rstrip("/")
    with volume.anchor.parent(relative) as (fd, name):
        opened = open_directory(name, fd)
    try:
        with os.scandir(opened) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
            empty = not entries
            for entry in entries:
                inner = f"{path}/{entry.name}" if path else entry.name
                if entry.is_dir(follow_symlinks=False):
                    yield from _items(volume, batch, inner)
                else:
                    yield Item(batch, inner, entry.stat(follow_symlinks=False).st_blocks * 512)
        if empty and path:
            yield Item(batch, f"{path}/", 0)
    finally:
        os.close(opened)


def to_prune(found: list[Item], now: float, bounds: Bounds) -> list[Item]:
    """Which items are beyond the bounds. Pure.

    Args:
        found: all items, the newest first.
        now: seconds since the epoch.
        bounds: how much is kept.
    """
    versions: Counter[str] = Counter()
    total = 0
    gone: list[Item] = []
    for item in found:
        age = now - batch_time(item.batch)
        versions[item.path] += 1
        too_many = versions[item.path] > bounds.versions
        too_large = total + item.size > bounds.size and age > bounds.grace
        if age > bounds.age or too_many or too_large:
            gone.append(item)
        else:
            total += item.size
    return gone


def prune(volume: Volume, now: float, bounds: Bounds | None = None) -> list[Item]:
    """Remove what is beyond the bounds, and return it."""
    gone = to_prune(items(volume), now, bounds or Bounds())
    for item in gone:
        relative = f"{DIRECTORY}/{item.batch}/{item.path}".rstrip("/")
        with (
            suppress(FileNotFoundError),
            volume.anchor.parent(relative) as (fd, name),
            writable((fd, ".")),
        ):
            remove_tree(fd, name)
        _remove_empty(volume, relative)
    return gone


def _remove_empty(volume: Volume, relative: str) -> None:
    """Remove the directories above a path that are empty now, up to the batch."""
    while (relative := relative.rpartition("/")[0]) != DIRECTORY:
        try:
            with volume.anchor.parent(relative) as (fd, name), writable((fd, ".")):
                os.rmdir(name, dir_fd=fd)
        except OSError:  # not empty, or gone already
            return


def restore(attic: Attic, batch: str, path: str, on_volume: str, *, force: bool) -> str:
    """Put one path of a batch back in its place on the volume.

    It is one rename: onto nothing, or, with `force`, in exchange for what is there, which then moves to a
    new batch: it is to be kept as long as everything else that comes to the attic now.

    Args:
        attic: where what is there goes.
        batch: the batch's name.
        path: relative to the home; a file, or a directory with all that the batch has of it.
        on_volume: where it belongs, relative to the volume.
        force: exchange it for what is there.

    Returns:
        The batch that has what was there; empty if there was nothing.

    Raises:
        RefusedError: there is something in its place, the batch does not have it, or the file system
            refuses.
    """
    volume = attic.volume
    inside = f"{DIRECTORY}/{batch}/{path}"
    exchanged = ""
    try:
        volume.anchor.make_directories(on_volume.rpartition("/")[0], owner=volume.owner)
        with (
            volume.lock(on_volume),
            volume.anchor.parent(inside) as (attic_fd, attic_name),
            volume.anchor.parent(on_volume) as (fd, name),
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
                # Where it is now it is safe, too, and only goes sooner.
                with suppress(OSError):
                    exchanged = _renewed(attic, path, attic_fd, attic_name)
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
        raise failure_of(f"~/{path}", error) from error
    _remove_empty(volume, inside)
    return exchanged


def restore_to_home(volume: Volume, home: Anchor, batch: str, path: str) -> None:
    """Put a copy of one path of a batch into the home, for what is not declared (any more).

    It is made beside its place and then renamed onto nothing; the attic keeps its own.

    Raises:
        RefusedError: there is something in its place, the batch does not have it, or the file system
            refuses.
    """
    try:
        with volume.anchor.parent(f"{DIRECTORY}/{batch}/{path}") as source:
            os.stat(source[1], dir_fd=source[0], follow_symlinks=False)
            home.make_directories(path.rpartition("/")[0], owner=Owner.of(home.fd))
            with home.parent(path) as (fd, name):
                partial = f".{name}{COPY_SUFFIX}"
                remove_tree(fd, partial)
                try:
                    copy(source, (fd, partial), refuse_writers=False)
                    kernel.rename_new(fd, partial, fd, name)
                except BaseException:
                    remove_tree(fd, partial)
                    raise
                sync_directory(fd)
    except FileExistsError as error:
        raise RefusedError(
            "the home has something in its place",
            code="attic.in-the-way",
            place=f"~/{path}",
            hint=f"move that away, or read what is in the attic:"
            f" {shlex.quote(f'{volume.path}/{DIRECTORY}/{batch}/{path}')}",
        ) from error
    except FileNotFoundError as error:
        raise _not_in(batch, path) from error
    except OSError as error:
        raise failure_of(f"~/{path}", error) from error


def _not_in(batch: str, path: str) -> RefusedError:
    return RefusedError(
        f"batch {batch!r} does not have it",
        code="attic.unknown",
        place=f"~/{path}",
        hint="home-persist attic list",
    )


def _renewed(attic: Attic, path: str, fd: int, name: str) -> str:
    """Move what the attic has at a place to a batch of now, which is returned."""
    with attic.place(path) as (new_fd, new_name):
        kernel.rename_new(fd, name, new_fd, new_name)
        sync_directory(new_fd)
    sync_directory(fd)
    return attic.batch
