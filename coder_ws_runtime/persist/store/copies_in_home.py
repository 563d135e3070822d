"""Copies that are made in the home, next to the path that gets them, and what a killed run left of them.

A copy is first made under one name, and may be incomplete there; when it is complete, it has another name,
until it is swapped with the link at the path (:mod:`.names` has both). The ledger has the path as long as
there may be something under one of these names. So the next run finds what a killed one left, also next to a
path that nothing declares.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import Anchor, sync_directory
from coder_ws_runtime.fs.copying import Copied, copy
from coder_ws_runtime.fs.errors import BlockedPathError, BusyError, ChangedError
from coder_ws_runtime.fs.removing import remove_copied, remove_tree
from coder_ws_runtime.identity import CopyRecord, Identity
from coder_ws_runtime.persist.store.attic import Attic
from coder_ws_runtime.persist.store.attic_records import Reason
from coder_ws_runtime.persist.store.failures import FullHomeError
from coder_ws_runtime.persist.store.ledger import Ledger
from coder_ws_runtime.persist.store.names import COPY_SUFFIX, SWAP_SUFFIX, sibling_name

_FAILURES = (BusyError, ChangedError, OSError)


@contextmanager
def copying(
    place: tuple[int, str], path: str, ledger: Ledger, attic: Attic, on_volume: str
) -> Iterator[bool]:
    """Record that a copy is being made next to a path of the home, after what a killed run left is recovered.

    Args:
        place: the directory in the home, and the path's name in there.
        path: the path, relative to the home.
        ledger: this container's.
        attic: takes what nobody may have seen.
        on_volume: where the content is on the volume.

    Yields:
        As `recover` returns.

    Raises:
        BusyError, ChangedError, OSError: what was left could not be moved, or the ledger not be written.
    """
    with ledger.lock(_lock_name(path), wait=True):
        ledger.begin_copy(path, on_volume)
        try:
            yield recover(place, attic, on_volume)
        except BaseException:
            with suppress(*_FAILURES):
                recover(place, attic, on_volume)
                ledger.end_copy(path)
            raise
        ledger.end_copy(path)


@contextmanager
def writing_home() -> Iterator[None]:
    """Write to the home only, so that a full file system is known to be the home's.

    Raises:
        FullHomeError: it is full, or a quota is used up.
        OSError: from the file systems.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise FullHomeError(error.errno, error.strerror) from error
        raise


def note_copy(ledger: Ledger, path: str, copied: Copied, place: tuple[int, str]) -> None:
    """Record what came to the home: what changes there from now on is newer than the volume's copy.

    Args:
        ledger: this container's.
        path: the declared path, relative to the home.
        copied: the result of the copy.
        place: the directory in the home that has it now, and its name in there.
    """
    fd, name = place
    copies = {**copied.copies, "": Identity.of(os.stat(name, dir_fd=fd, follow_symlinks=False))}
    there = copied.identities
    records = {inner: CopyRecord(home, there.get(inner), kept=True) for inner, home in copies.items()}
    ledger.note_copies(path, records)


def clear_copies(home: Anchor, ledger: Ledger, attic: Attic) -> None:
    """Recover or remove what killed runs left next to paths of the home. What fails is tried again later."""
    for path, on_volume in ledger.begun_copies().items():
        # Another process is making it, something is in use, or the file system refuses.
        with suppress(*_FAILURES), ledger.lock(_lock_name(path), wait=False):
            with suppress(FileNotFoundError, BlockedPathError), home.parent(path) as place:
                recover(place, attic, on_volume)
            ledger.end_copy(path)


def _lock_name(path: str) -> str:
    return f"{path}{COPY_SUFFIX}"


def recover(place: tuple[int, str], attic: Attic, on_volume: str) -> bool:
    """Recover or remove what a killed run left next to a path.

    A copy that may be incomplete is whole on the volume. What was about to be swapped with the link may be a
    save that was swapped out: it goes to the attic, unless it is the link.

    Args:
        place: the directory in the home, and the path's name in there.
        attic: takes what nobody may have seen.
        on_volume: where the content is on the volume.

    Returns:
        Whether a complete copy is in its place now.

    Raises:
        BusyError, ChangedError, OSError: it could not be moved.
    """
    fd, name = place
    before = os.fstat(fd).st_mtime_ns
    link = f"{attic.volume.path}/{on_volume}"
    remove_tree(fd, sibling_name(name, COPY_SUFFIX))
    whole = sibling_name(name, SWAP_SUFFIX)
    older = kernel.older_name(whole)
    done = False
    if _is_there(fd, older):  # swapped in three renames, of which one or two were made
        if _is_there(fd, whole):
            # `rename_new` may have made an empty directory, to be replaced.
            with suppress(OSError):
                os.rmdir(name, dir_fd=fd)
            ours = _text(fd, older) == link
            if not _is_there(fd, name):
                kernel.rename_new(fd, whole if ours else older, fd, name)
                done = ours
            if ours:
                os.unlink(older, dir_fd=fd)
        else:
            kernel.rename_new(fd, older, fd, whole)
    if _text(fd, whole) == link:
        os.unlink(whole, dir_fd=fd)
    elif _is_there(fd, whole):
        _move_to_attic(fd, whole, attic, on_volume)
    if os.fstat(fd).st_mtime_ns != before:
        sync_directory(fd)
    return done


def _move_to_attic(fd: int, name: str, attic: Attic, on_volume: str) -> None:
    staging = attic.volume.staging
    staged = staging.name()
    try:
        copied = copy((fd, name), (staging.fd, staged))
        with attic.place(on_volume, Reason.INTERRUPTED) as (attic_fd, attic_name):
            kernel.rename_new(staging.fd, staged, attic_fd, attic_name)
            sync_directory(attic_fd)
    finally:
        staging.discard(staged)
    remove_copied(fd, name, copied.identities)


def _is_there(fd: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _text(fd: int, name: str) -> str:
    """What a link says; empty if it is none."""
    with suppress(OSError):
        return os.readlink(name, dir_fd=fd)
    return ""
