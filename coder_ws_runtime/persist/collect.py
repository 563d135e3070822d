"""Move a deleted workspace's copies to the attic; and back, if the workspace returns."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import sync_directory
from coder_ws_runtime.fs.errors import BlockedPathError
from coder_ws_runtime.persist.gc import WorkspaceCopies, failure_in
from coder_ws_runtime.persist.store import names
from coder_ws_runtime.persist.store.attic import DIRECTORY, Attic, batches, remove_records
from coder_ws_runtime.persist.store.attic_batch import digest_of
from coder_ws_runtime.persist.store.attic_records import Reason, Records
from coder_ws_runtime.persist.store.failures import failure_of
from coder_ws_runtime.persist.store.lease import close_lease, lease_name, open_lease
from coder_ws_runtime.persist.store.volume import Volume


def collect(attic: Attic, copies: WorkspaceCopies) -> str:
    """Move everything that the volume has of a workspace to the attic.

    The copies move in one rename, so they are always in one place. If the workspace returns while the attic
    still has them, `bring_back` restores everything.

    Args:
        attic: this workspace's.
        copies: the copies of the other workspace.

    Returns:
        The attic's batch.

    Raises:
        RefusedError: the workspace is running after all, or the file system refuses.
    """
    volume = attic.volume
    root = names.copies_root(copies.workspace_id)
    place = f"{volume.path}/{root}"
    try:
        with _retired(volume, copies) as retires:
            if not retires:
                raise RefusedError("is running after all; kept", code="gc.running", place=place)
            return _to_attic(attic, copies)
    except BlockedPathError as error:
        raise failure_of(place, error) from error
    except OSError as error:
        raise failure_in(volume, root, error) from error


@contextmanager
def _retired(volume: Volume, copies: WorkspaceCopies) -> Iterator[bool]:
    """Hold the lease of a deleted workspace, and remove it at the end.

    Yields:
        Whether we hold it; False: the workspace is running after all, and its lease stays.
    """
    name = lease_name(copies.workspace_id)
    was_there = volume.anchor.status(f"{names.STATE}/{names.LEASES}/{name}") is not None
    opened = open_lease(volume, name)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        # It is booting: the daemon starts after the first resolve.
        if was_there and os.fstat(opened).st_mtime > copies.seen:
            yield False
            return
        try:
            yield True
        except BaseException:
            if not was_there:  # we created it; it would mean that the workspace was just seen
                with volume.directory(names.LEASES) as fd, suppress(OSError):
                    os.unlink(name, dir_fd=fd)
            raise
        with volume.directory(names.LEASES) as fd:
            os.unlink(name, dir_fd=fd)
    finally:
        close_lease(opened)


def _to_attic(attic: Attic, copies: WorkspaceCopies) -> str:
    """A workspace's directory has the structure of a batch, so it becomes one."""
    volume, workspace_id = attic.volume, copies.workspace_id
    batch = attic.new_name(copies.workspace_name or workspace_id, workspace_id)
    attic.note(batch, "", workspace_id, Reason.WORKSPACE_GONE, None)
    with volume.directory(names.ATTIC) as attic_fd:
        try:
            with volume.anchor.parent(names.copies_root(workspace_id)) as (fd, name):
                kernel.rename_new(fd, name, attic_fd, batch)
                sync_directory(fd)
        except FileNotFoundError:  # it has only the records that are moved with the copies
            os.mkdir(batch, 0o700, dir_fd=attic_fd)
            volume.owner.chown(batch, attic_fd)
        sync_directory(attic_fd)
    for place, kept in _state_of(workspace_id, batch):
        _move(volume, place, kept)
    return batch


def _state_of(workspace_id: str, batch: str) -> tuple[tuple[str, str], ...]:
    """home-persist's records of a workspace: their path, and their path in a batch."""
    kept = f"{names.ATTIC_RECORDS}/{batch}{names.STATE_SUFFIX}"
    return (
        (f"{names.MANIFESTS}/workspace-{workspace_id}.json", f"{kept}/manifest.json"),
        (f"{names.MIGRATIONS}/{workspace_id}", f"{kept}/migrations"),
    )


def _move(volume: Volume, place: str, target: str) -> None:
    """Move a file or directory of ours if it exists and its target is free; relative to the state."""
    directory, _, last = target.rpartition("/")
    try:
        with volume.anchor.parent(f"{names.STATE}/{place}") as (fd, name):
            os.stat(name, dir_fd=fd, follow_symlinks=False)
            with volume.directory(directory) as target_fd:
                kernel.rename_new(fd, name, target_fd, last)
                sync_directory(target_fd)
            sync_directory(fd)
    except (FileNotFoundError, FileExistsError):
        pass


def bring_back(attic: Attic, workspace_id: str) -> str:
    """Return to a workspace what `collect` took while the workspace seemed to be deleted.

    Args:
        attic: this workspace's.
        workspace_id: this workspace.

    Returns:
        The batch that had its copies; empty if there was none, or the workspace has copies again.

    Raises:
        OSError: from the file system; what was not moved is still in the attic.
    """
    volume = attic.volume
    root = names.copies_root(workspace_id)
    if not workspace_id or volume.anchor.status(root) is not None:
        return ""
    for batch in batches(volume.anchor):
        # Most volumes have no such batch, and OpenSSL is slow to load.
        if batch.scope != "workspace" or batch.workspace != digest_of(workspace_id):
            continue
        if Records(volume.anchor, batch.name).of("").reason is not Reason.WORKSPACE_GONE:
            continue
        volume.anchor.make_directories(names.WORKSPACES, owner=volume.owner)
        with (
            volume.anchor.parent(f"{DIRECTORY}/{batch.name}") as (attic_fd, name),
            volume.anchor.parent(root) as (fd, last),
        ):
            kernel.rename_new(attic_fd, name, fd, last)
            sync_directory(fd)
            sync_directory(attic_fd)
        for place, kept in _state_of(workspace_id, batch.name):
            _move(volume, kept, place)
        remove_records(volume, batch.name)
        return batch.name
    return ""
