"""The steps of a plan on the volume: make the target, publish copies, keep replaced versions in the attic."""

import os
from contextlib import AbstractContextManager, nullcontext, suppress

from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import make_directory, sync_directory
from coder_ws_runtime.fs.errors import ChangedError
from coder_ws_runtime.fs.metadata import copy_metadata
from coder_ws_runtime.identity import CopyRecord, Identity
from coder_ws_runtime.persist.reconcile.compare import is_same_version
from coder_ws_runtime.persist.reconcile.observation import Origin
from coder_ws_runtime.persist.reconcile.path_work import PathWork, joined
from coder_ws_runtime.persist.reconcile.staged_copies import StagedCopy, staged
from coder_ws_runtime.persist.store.attic import remove_empty, versions
from coder_ws_runtime.persist.store.attic_records import Reason, Winner
from coder_ws_runtime.persist.store.journals import displaced

_DEFAULT_MODE = 0o755
_TRIES = 5000
"""How often a step looks in vain for a version in the attic. A look takes some 10 microseconds on a disk."""


def make_target(work: PathWork) -> None:
    """Create a directory with its declared mode; no content is at stake, so nothing is synced."""
    owner, mode = work.volume.owner, work.entry.mode
    with work.above_target(lambda: make_target_parent(work)) as (fd, name):
        try:
            if mode is None and not owner.is_other:
                os.mkdir(
                    name, _DEFAULT_MODE, dir_fd=fd
                )  # less what the umask takes, as for all of the user's
            else:
                make_directory(fd, name, _DEFAULT_MODE if mode is None else mode, owner)
        except FileExistsError as error:
            raise ChangedError(work.entry.path) from error


def make_target_parent(work: PathWork) -> None:
    """Create the directories above the target, like those above the path in the home."""
    directory = work.entry.on_volume.rpartition("/")[0]
    base = work.entry.on_volume.removesuffix(work.entry.path).rstrip("/")
    work.anchor.make_directories(directory, owner=work.volume.owner, like=work.home, base=base)


def set_mode(work: PathWork, mode: int) -> None:
    """Give the target its declared mode."""
    with work.anchor.parent(work.entry.on_volume) as (fd, name):
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
        try:
            os.fchmod(opened, mode)
        finally:
            os.close(opened)


def copy_directory_metadata(work: PathWork, origin: Origin, paths: tuple[str, ...]) -> None:
    """Give directories of the volume the mode, owner and attributes of the home's."""
    for path in paths:
        with (
            work.home.parent(work.in_home(path, origin)) as (here, name),
            work.anchor.parent(work.on_volume(path)) as (there, last),
        ):
            copy_metadata((here, name), (there, last))


def note_copies(work: PathWork, paths: tuple[str, ...]) -> None:
    """Record what home and volume both have: a file that changes from now on is a newer save."""
    both = {pair.path: pair for pair in work.seen.pairs}
    records = {
        path: CopyRecord(home, both[path].volume, kept=True)
        for path in paths
        if (home := both[path].home) is not None
    }
    work.context.ledger.note_copies(work.entry.path, records)


def copy_in(work: PathWork, origin: Origin, paths: tuple[str, ...]) -> None:
    """Stage and publish what the volume lacks."""
    with staged(work, origin, paths, published=True) as batch:
        make_target_parent(work)
        with work.volume.lock(work.entry.on_volume):
            for copy in batch:
                with (
                    work.anchor.parent(work.on_volume(copy.path)) as (fd, last),
                    _displaced(work, copy.path, fd, last),
                ):
                    try:
                        kernel.rename_new(work.volume.staging.fd, copy.name, fd, last)
                    except FileExistsError as error:
                        raise ChangedError(copy.path) from error
                    batch.sync_name(fd)


def supersede(work: PathWork, origin: Origin, paths: tuple[str, ...]) -> None:
    """Swap newer content with the volume's, which is in the attic from then on."""
    with staged(work, origin, paths, published=True) as batch:
        for copy in batch:
            with (
                work.volume.lock(work.entry.on_volume),
                work.context.attic.place(
                    work.on_volume(copy.path), Reason.SUPERSEDED, _staged_winner(work, copy)
                ) as (attic_fd, attic_name),
                work.anchor.parent(work.on_volume(copy.path)) as (fd, last),
                _displaced(work, copy.path, fd, last),
            ):
                # First copied to the attic, then swapped: both exist at every moment.
                kernel.rename_new(work.volume.staging.fd, copy.name, attic_fd, attic_name)
                # If we are killed in between, the home still has the newer content, and the attic the older
                # one.
                try:
                    kernel.swap(attic_fd, attic_name, fd, last)
                except FileNotFoundError:
                    kernel.rename_new(attic_fd, attic_name, fd, last)
                except OSError:
                    _take_back(work, copy, attic_fd, attic_name)
                    raise
                batch.sync_name(attic_fd)
                batch.sync_name(fd)


def _displaced(work: PathWork, path: str, fd: int, name: str) -> AbstractContextManager[None]:
    """Move the last changes of a database that is replaced to the attic, with it."""
    if any(pair.path == path and pair.safe for pair in work.seen.pairs):
        return nullcontext()  # the same database with another mode: they are still its own
    return displaced(work.context.attic, (fd, name), work.on_volume(path), Reason.SUPERSEDED)


def _take_back(work: PathWork, copy: StagedCopy, fd: int, name: str) -> None:
    """Discard a copy in the attic that could not replace the volume's, e.g. because of `chattr +i`.

    The home still has its content. Each further try would displace a version that somebody wrote.
    """
    with suppress(OSError):
        found = Identity.of(os.stat(name, dir_fd=fd, follow_symlinks=False))
        if found.has_content_of(copy.copied.copies[""]):
            kernel.rename_new(fd, name, work.volume.staging.fd, copy.name)


def to_attic(work: PathWork, origin: Origin, paths: tuple[str, ...]) -> None:
    """Copy content of the home side to the attic.

    If the attic already has the same version from an earlier run, that one is removed when the new one is
    safe: otherwise what an image brings and loses at every start would displace versions that somebody wrote.
    """
    earlier = _Earlier(work)
    with staged(work, origin, paths, published=False) as batch:
        for copy in batch:
            target = work.on_volume(copy.path)
            known = earlier.find(copy)
            with work.context.attic.place(
                target, Reason.HOME_LOST, _volume_winner(work, target), exchanged=known
            ) as (attic_fd, attic_name):
                kernel.rename_new(work.volume.staging.fd, copy.name, attic_fd, attic_name)
                batch.sync_name(attic_fd)
    earlier.drop_found()


class _Earlier:
    """Versions from earlier runs that the attic already has of what is copied to it."""

    def __init__(self, work: PathWork) -> None:
        self._work = work
        self._places = [*versions(work.anchor, work.entry.on_volume, work.context.attic.workspace)]
        """Where batches have the entry, or something in it."""
        self._tries = _TRIES
        self._found: list[str] = []

    def find(self, copy: StagedCopy) -> bool:
        """Whether the attic has this very version."""
        mine = (self._work.volume.staging.fd, copy.name)
        for place in self._places:
            if self._tries == 0:
                break
            version = joined(place, copy.path)
            with suppress(OSError), self._work.anchor.parent(version) as its:
                if is_same_version(mine, its):
                    self._found.append(version)
                    # What was copied together is together: this one is tried first from now on.
                    self._places.remove(place)
                    self._places.insert(0, place)
                    return True
            self._tries -= 1
        return False

    def drop_found(self) -> None:
        """Remove what was found."""
        staging = self._work.volume.staging
        for version in self._found:
            with suppress(OSError), self._work.anchor.parent(version) as (fd, name):
                gone = staging.name()
                kernel.rename_new(fd, name, staging.fd, gone)
                staging.discard(gone)
            remove_empty(self._work.volume, version)


def _staged_winner(work: PathWork, copy: StagedCopy) -> Winner:
    """The home's copy, as the one that replaces the volume's."""
    return Winner.of("home", os.stat(copy.name, dir_fd=work.volume.staging.fd, follow_symlinks=False))


def _volume_winner(work: PathWork, target: str) -> Winner | None:
    """The volume's copy, as the one that won over the home's."""
    found = work.anchor.status(target)
    return Winner.of("volume", found) if found else None


def volume_to_attic(work: PathWork) -> None:
    """Move the volume's copy to the attic."""
    with (
        work.volume.lock(work.entry.on_volume),
        work.context.attic.place(work.entry.on_volume, work.context.reason) as (attic_fd, attic_name),
        work.anchor.parent(work.entry.on_volume) as (fd, name),
        displaced(work.context.attic, (fd, name), work.entry.on_volume, work.context.reason),
    ):
        try:
            kernel.rename_new(fd, name, attic_fd, attic_name)
        except FileNotFoundError as error:
            raise ChangedError(work.entry.path) from error
        sync_directory(fd)
