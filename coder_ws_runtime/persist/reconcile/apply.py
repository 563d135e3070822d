"""Carry out a plan, one step at a time, so that a crash between any two loses nothing.

The order is always the same: copy to the staging directory, make the copy durable, publish it with
one rename that never replaces anything, make that rename durable; only then touch the home side, and
only what is still what was copied. Where something has changed since it was looked at, the step says
so (:class:`ChangedError`), and the caller looks and plans again.

All steps are in this one class, home and volume alike, because each relies on what those before it have
made safe: :attr:`_Run.safe` is the only thing that allows a removal.
"""

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import Anchor, Owner, finish_directory, sync_directory
from coder_ws_runtime.fs.copying import SYNC_EACH, ChangedError, Copied, Progress, copy
from coder_ws_runtime.fs.removing import remove_copied
from coder_ws_runtime.identity import Identity
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile.observation import Difference, Observation, Origin
from coder_ws_runtime.persist.reconcile.observe import aside_name, origin_name
from coder_ws_runtime.persist.reconcile.plan import Action, Operation
from coder_ws_runtime.persist.store.attic import Attic
from coder_ws_runtime.persist.store.ledger import Ledger
from coder_ws_runtime.persist.store.volume import Volume

_DEFAULT_MODE = 0o755


@dataclass(slots=True)
class Context:
    """What all paths of one run share."""

    home: Anchor
    volume: Volume
    ledger: Ledger
    attic: Attic
    progress: Progress | None = None
    refuse_writers: bool = True
    """Refuse to move what a program has open for writing."""


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy in the staging directory."""

    path: str
    """Relative to the entry."""
    name: str
    copied: Copied


@dataclass(slots=True)
class _Batch:
    """Copies that are published together; many of them are synced with their whole file system."""

    many: bool
    copies: list[_Copy] = field(default_factory=list)

    def __iter__(self) -> Iterator[_Copy]:
        return iter(self.copies)

    def sync_name(self, fd: int) -> None:
        """Make the names in a directory durable, now or with all others."""
        if not self.many:
            sync_directory(fd)


def apply(entry: Entry, seen: Observation, actions: Iterable[Action], context: Context) -> None:
    """Carry out the actions for one path.

    Raises:
        BusyError: a program has a file open for writing; nothing was done with it.
        ChangedError, FileNotFoundError: something changed meanwhile; nothing is lost, plan again.
        OSError: what the file systems say; what was not safe before is where it was.
    """
    run = _Run(entry, seen, context)
    for action in actions:
        run.carry_out(action)


def in_home(entry: Entry, path: str, origin: Origin) -> str:
    """Where content of an entry lies, relative to the home; `path` is relative to the entry."""
    directory, slash, name = entry.path.rpartition("/")
    base = f"{directory}{slash}{origin_name(origin, name)}"
    return f"{base}/{path}" if path else base


class _Run:
    def __init__(self, entry: Entry, seen: Observation, context: Context) -> None:
        self.entry = entry
        self.seen = seen
        self.context = context
        self.volume = context.volume.anchor
        # What exists elsewhere, by path within the entry: only this may be removed.
        self.safe: dict[str, Identity] = {
            pair.path: pair.identity for pair in seen.pairs if pair.identity is not None
        }
        # What is left in place, and was left out of what was compared.
        self.special = {pair.path for pair in seen.pairs if pair.difference is Difference.SPECIAL}
        self.plain_steps: dict[Operation, Callable[[], None]] = {
            Operation.MAKE_TARGET: self.make_target,
            Operation.MAKE_TARGET_PARENT: self.make_target_parent,
            Operation.VOLUME_TO_ATTIC: self.volume_to_attic,
            Operation.MAKE_LINK: self.make_link,
            Operation.REPLACE_LINK: self.replace_link,
            Operation.REPLACE_CONTENT: self.replace_content,
            Operation.DROP_ASIDE: self.drop_aside,
            Operation.RECORD: self.record,
            Operation.FORGET: self.forget,
            Operation.DROP_LINK: self.drop_link,
        }

    def carry_out(self, action: Action) -> None:
        match action.operation:
            case Operation.COPY_IN:
                self.copy_in(action.origin, action.paths)
            case Operation.SUPERSEDE:
                self.supersede(action.origin, action.paths)
            case Operation.TO_ATTIC:
                self.to_attic(action.origin, action.paths)
            case Operation.NOTE_LEFT:
                self.context.ledger.note_left(self.entry.path, action.fate.value)
            case Operation.SET_MODE if action.mode is not None:
                self.set_mode(action.mode)
            case operation:
                self.plain_steps[operation]()

    # The volume -----------------------------------------------------------------------------------

    def make_target(self) -> None:
        """A new directory with its declared mode; no content is at stake, so nothing is synced."""
        self.make_target_parent()
        with self.volume.parent(self.entry.on_volume) as (fd, name):
            try:
                os.mkdir(name, 0o700, dir_fd=fd)
            except FileExistsError as error:
                raise ChangedError(self.entry.path) from error
            mode = _DEFAULT_MODE if self.entry.mode is None else self.entry.mode
            finish_directory(fd, name, mode, self.context.volume.owner)

    def make_target_parent(self) -> None:
        """The directories above the target, as those above the path in the home."""
        directory = self.entry.on_volume.rpartition("/")[0]
        base = self.entry.on_volume.removesuffix(self.entry.path).rstrip("/")
        owner = self.context.volume.owner
        self.volume.make_directories(directory, owner=owner, like=self.context.home, base=base)

    def set_mode(self, mode: int) -> None:
        with self.volume.parent(self.entry.on_volume) as (fd, name):
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
            try:
                os.fchmod(opened, mode)
            finally:
                os.close(opened)

    def copy_in(self, origin: Origin, paths: tuple[str, ...]) -> None:
        """Stage and publish what the volume lacks."""
        with self._staged(origin, paths) as staged:
            self.make_target_parent()
            with self.context.volume.lock(self.entry.on_volume):
                for copy_ in staged:
                    with self.volume.parent(self._target(copy_.path)) as (fd, last):
                        try:
                            kernel.rename_new(self.context.volume.staging.fd, copy_.name, fd, last)
                        except FileExistsError as error:
                            raise ChangedError(copy_.path) from error
                        staged.sync_name(fd)

    def supersede(self, origin: Origin, paths: tuple[str, ...]) -> None:
        """Swap newer content with the volume's, which is in the attic from that moment."""
        with self._staged(origin, paths) as staged:
            for copy_ in staged:
                with (
                    self.context.volume.lock(self.entry.on_volume),
                    self.context.attic.place(self._in_home(copy_.path)) as (attic_fd, attic_name),
                    self.volume.parent(self._target(copy_.path)) as (fd, last),
                ):
                    # First whole into the attic, then swapped: at no moment is either of them missing.
                    kernel.rename_new(self.context.volume.staging.fd, copy_.name, attic_fd, attic_name)
                    # Should we die in between, the home still has the newer content, and the attic the older.
                    try:
                        kernel.swap(attic_fd, attic_name, fd, last)
                    except FileNotFoundError:
                        kernel.rename_new(attic_fd, attic_name, fd, last)
                    staged.sync_name(attic_fd)
                    staged.sync_name(fd)

    def to_attic(self, origin: Origin, paths: tuple[str, ...]) -> None:
        """Copy content of the home side to the attic."""
        with self._staged(origin, paths) as staged:
            for copy_ in staged:
                with self.context.attic.place(self._in_home(copy_.path)) as (attic_fd, attic_name):
                    kernel.rename_new(self.context.volume.staging.fd, copy_.name, attic_fd, attic_name)
                    staged.sync_name(attic_fd)

    def volume_to_attic(self) -> None:
        """Move the volume's copy to the attic."""
        with (
            self.context.volume.lock(self.entry.on_volume),
            self.context.attic.place(self.entry.path) as (attic_fd, attic_name),
            self.volume.parent(self.entry.on_volume) as (fd, name),
        ):
            try:
                kernel.rename_new(fd, name, attic_fd, attic_name)
            except FileNotFoundError as error:
                raise ChangedError(self.entry.path) from error
            sync_directory(fd)

    @contextmanager
    def _staged(self, origin: Origin, paths: tuple[str, ...]) -> "Iterator[_Batch]":
        """Durable copies of paths of the home side, for the caller to rename away.

        When the caller is done, the new names are made durable, and what was copied counts as safe.
        """
        staging = self.context.volume.staging
        batch = _Batch(many=len(paths) > SYNC_EACH)
        try:
            for path in paths:
                batch.copies.append(self._copy(origin, path, durable=not batch.many))
            if batch.many:
                kernel.sync_file_system(staging.fd)
            yield batch
            if batch.many:
                kernel.sync_file_system(staging.fd)
        finally:
            for copy_ in batch.copies:  # those that were not renamed away
                staging.discard(copy_.name)
        for copy_ in batch.copies:
            for inner, identity in copy_.copied.identities.items():
                self.safe["/".join(part for part in (copy_.path, inner) if part)] = identity

    def _copy(self, origin: Origin, path: str, *, durable: bool) -> "_Copy":
        staging = self.context.volume.staging
        name = staging.name()
        try:
            with self.context.home.parent(self._in_home(path, origin)) as source:
                copied = copy(
                    source,
                    (staging.fd, name),
                    durable=durable,
                    refuse_writers=self.context.refuse_writers,
                    progress=self.context.progress,
                )
        except BaseException:
            staging.discard(name)
            raise
        special = {f"{path}/{inner}" if path else inner for inner in copied.special}
        if special - self.special:  # it came after we looked
            staging.discard(name)
            raise ChangedError(path)
        return _Copy(path, name, copied)

    def _target(self, path: str) -> str:
        return f"{self.entry.on_volume}/{path}" if path else self.entry.on_volume

    def _in_home(self, path: str, origin: Origin = Origin.HOME) -> str:
        return in_home(self.entry, path, origin)

    # The home -------------------------------------------------------------------------------------

    def make_link(self) -> None:
        owner = Owner.of(self.context.home.fd)
        directory = self.entry.path.rpartition("/")[0]
        if not self.seen.parent:
            self.context.home.make_directories(directory, owner=owner, like=self._volume_base())
        with self.context.home.parent(self.entry.path) as (fd, name):
            self._symlink(fd, name)

    def _volume_base(self) -> Anchor | None:
        """The volume, as the pattern of the home's directories; only for paths of the owner's scope."""
        return self.volume if self.entry.on_volume == self.entry.path else None

    def _symlink(self, fd: int, name: str) -> None:
        try:
            os.symlink(self.seen.link, name, dir_fd=fd)
        except FileExistsError as error:
            raise ChangedError(self.entry.path) from error
        Owner.of(self.context.home.fd).chown(name, fd)

    def replace_link(self) -> None:
        with self.context.home.parent(self.entry.path) as (fd, name):
            aside = aside_name(name)
            self._symlink(fd, aside)
            kernel.swap(fd, aside, fd, name)
            # What we swapped out is looked at again: it may no longer be the link that we saw.
            if self._is_our_link(fd, aside):
                os.unlink(aside, dir_fd=fd)
            else:
                raise ChangedError(self.entry.path)

    def _is_our_link(self, fd: int, name: str) -> bool:
        try:
            return os.readlink(name, dir_fd=fd) in (self.seen.link, self.seen.recorded)
        except OSError:
            return False

    def replace_content(self) -> None:
        with self.context.home.parent(self.entry.path) as (fd, name):
            aside = aside_name(name)
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode) and self.safe.get("") != Identity.of(found):
                raise ChangedError(self.entry.path)
            self._symlink(fd, aside)
            try:
                kernel.exchange(fd, aside, fd, name)
            except OSError as error:
                os.unlink(aside, dir_fd=fd)
                if error.errno not in kernel.CANNOT_EXCHANGE:
                    raise
                self._remove_and_link(fd, name)
                return
            self.record()
            self._remove(fd, aside)

    def _remove_and_link(self, fd: int, name: str) -> None:
        """Where nothing can be swapped. Should we die in between, nobody must take it for a deleted link."""
        self.context.ledger.forget(self.entry.path)
        try:
            self._remove(fd, name)
            self._symlink(fd, name)
        except BaseException:
            if self.seen.recorded:
                self.record()
            raise

    def record(self) -> None:
        self.context.ledger.record(self.entry.path, self.seen.link)

    def forget(self) -> None:
        self.context.ledger.forget(self.entry.path)

    def drop_link(self) -> None:
        """Remove our link; forgotten first, so that its event is not taken for a deletion."""
        self.forget()
        with self.context.home.parent(self.entry.path) as (fd, name):
            if not self._is_our_link(fd, name):
                raise ChangedError(self.entry.path)
            os.unlink(name, dir_fd=fd)

    def drop_aside(self) -> None:
        with self.context.home.parent(self.entry.path) as (fd, name):
            aside = aside_name(name)
            if self._is_our_link(fd, aside):
                os.unlink(aside, dir_fd=fd)
            else:
                self._remove(fd, aside)

    def _remove(self, fd: int, name: str) -> None:
        if remove_copied(fd, name, self.safe):
            raise ChangedError(self.entry.path)
