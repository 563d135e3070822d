"""Carry out a plan, one step at a time, so that a crash between any two loses nothing.

The order is always the same: copy to the staging directory, make the copy durable, publish it with
one rename that never replaces anything, make that rename durable; only then touch the home side, and
only what is still what was copied. What was copied is noted in the ledger before it is published. Where
something has changed since it was looked at, the step says so (:class:`ChangedError`), and the caller looks
and plans again.

All steps are in this one class, home and volume alike, because each relies on what those before it have
made safe: :attr:`_Run.safe` is the only thing that allows a removal.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial

from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import (
    Anchor,
    Owner,
    finish_directory,
    open_below,
    sync_directory,
)
from coder_ws_runtime.fs.copying import SYNC_EACH, ChangedError, Copied, Progress, copy, copy_metadata
from coder_ws_runtime.fs.removing import check_copied, remove_copied, remove_tree
from coder_ws_runtime.fs.usage import Usage, measure
from coder_ws_runtime.fs.writers import BusyError
from coder_ws_runtime.identity import CopyRecord, Identity
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile.compare import is_same_file
from coder_ws_runtime.persist.reconcile.observation import Difference, Observation, Origin
from coder_ws_runtime.persist.reconcile.observe import aside_name, node, origin_name
from coder_ws_runtime.persist.reconcile.plan import Action, Operation
from coder_ws_runtime.persist.store.attic import Attic, Reason, Winner, remove_empty, versions
from coder_ws_runtime.persist.store.ledger import Ledger
from coder_ws_runtime.persist.store.names import COPY_SUFFIX, LEFT_SUFFIX, SWAP_SUFFIX
from coder_ws_runtime.persist.store.volume import Volume

_DEFAULT_MODE = 0o755
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(slots=True)
class Context:
    """What all paths of one run share."""

    home: Anchor
    volume: Volume
    ledger: Ledger
    attic: Attic
    progress: Progress | None = None
    left_over: list[str] = field(default_factory=list)
    """What could not be removed after it was set aside, and why: for a person."""
    links: dict[str, str] = field(default_factory=dict)
    """What links say that lead out of a tree that was copied to the volume."""
    reason: Reason = Reason.DELETED
    """Why the volume's copy moves to the attic, where it does as a whole."""


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
            pair.path: pair.home for pair in seen.pairs if pair.safe and pair.home is not None
        }
        self.there = {pair.path: pair.volume for pair in seen.pairs}
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
            Operation.PUT_BACK: self.put_back,
        }

    def carry_out(self, action: Action) -> None:
        match action.operation:
            case Operation.NOTE_COPIES:
                self.note_copies(action.paths)
            case Operation.COPY_IN:
                self.copy_in(action.origin, action.paths)
            case Operation.SUPERSEDE:
                self.supersede(action.origin, action.paths)
            case Operation.TO_ATTIC:
                self.to_attic(action.origin, action.paths)
            case Operation.COPY_METADATA:
                self.copy_metadata(action.origin, action.paths)
            case Operation.COPY_OUT:
                self.copy_out(action.event.path)
            case Operation.RENAME_TARGET if action.event.entry is not None:
                self.rename_target(action.event.entry)
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

    def copy_metadata(self, origin: Origin, paths: tuple[str, ...]) -> None:
        for path in paths:
            with (
                self.context.home.parent(self._in_home(path, origin)) as (here, name),
                self.volume.parent(self._target(path)) as (there, last),
            ):
                copy_metadata((here, name), (there, last))

    def note_copies(self, paths: tuple[str, ...]) -> None:
        """Note what home and volume both have: a file that changes from now on is a newer save."""
        both = {pair.path: pair for pair in self.seen.pairs}
        records = {
            path: CopyRecord(home, both[path].volume)
            for path in paths
            if (home := both[path].home) is not None
        }
        self.context.ledger.note_copies(self.entry.path, records)

    def copy_in(self, origin: Origin, paths: tuple[str, ...]) -> None:
        """Stage and publish what the volume lacks."""
        with self._staged(origin, paths, published=True) as staged:
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
        with self._staged(origin, paths, published=True) as staged:
            for copy_ in staged:
                with (
                    self.context.volume.lock(self.entry.on_volume),
                    self.context.attic.place(
                        self._target(copy_.path), Reason.SUPERSEDED, self._staged_winner(copy_)
                    ) as (attic_fd, attic_name),
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
        """Copy content of the home side to the attic.

        The very same file from before goes when its new copy is safe: an image's file that loses at every
        start would crowd out the versions that somebody wrote.
        """
        with self._staged(origin, paths, published=False) as staged:
            for copy_ in staged:
                target = self._target(copy_.path)
                older = "" if staged.many else self._same_version(copy_, target)
                with self.context.attic.place(
                    target, Reason.HOME_LOST, self._volume_winner(target), exchanged=bool(older)
                ) as (attic_fd, attic_name):
                    kernel.rename_new(self.context.volume.staging.fd, copy_.name, attic_fd, attic_name)
                    staged.sync_name(attic_fd)
                if older:
                    with suppress(OSError), self.volume.parent(older) as (fd, name):
                        os.unlink(name, dir_fd=fd)
                    remove_empty(self.context.volume, older)

    def _same_version(self, copy_: _Copy, target: str) -> str:
        """Where the attic has this very file already; empty if it does not."""
        mine = (self.context.volume.staging.fd, copy_.name)
        for version in versions(self.volume, target, self.context.attic.workspace):
            with suppress(OSError), self.volume.parent(version) as its:
                if is_same_file(mine, its):
                    return version
        return ""

    def _staged_winner(self, copy_: _Copy) -> Winner:
        """The home's copy, as what replaces the volume's."""
        fd = self.context.volume.staging.fd
        return Winner.of("home", os.stat(copy_.name, dir_fd=fd, follow_symlinks=False))

    def _volume_winner(self, target: str) -> Winner | None:
        """The volume's copy, as what a copy of the home lost against."""
        found = self.volume.status(target)
        return Winner.of("volume", found) if found else None

    def volume_to_attic(self) -> None:
        """Move the volume's copy to the attic."""
        with (
            self.context.volume.lock(self.entry.on_volume),
            self.context.attic.place(self.entry.on_volume, self.context.reason) as (attic_fd, attic_name),
            self.volume.parent(self.entry.on_volume) as (fd, name),
        ):
            try:
                kernel.rename_new(fd, name, attic_fd, attic_name)
            except FileNotFoundError as error:
                raise ChangedError(self.entry.path) from error
            sync_directory(fd)

    @contextmanager
    def _staged(self, origin: Origin, paths: tuple[str, ...], *, published: bool) -> "Iterator[_Batch]":
        """Durable copies of paths of the home side, noted in the ledger, for the caller to rename away.

        When the caller is done, the new names are made durable, and what was copied counts as safe.
        """
        staging = self.context.volume.staging
        room = self.context.attic.room
        batch = _Batch(many=len(paths) > SYNC_EACH)
        try:
            with room.reserved(self.entry.on_volume, partial(self._amount, origin, paths)):
                for path in paths:
                    batch.copies.append(self._copy(origin, path, durable=not batch.many))
                if batch.many:
                    kernel.sync_file_system(staging.fd)
            self._note(batch, published=published)
            yield batch
            if batch.many:
                kernel.sync_file_system(staging.fd)
        finally:
            for copy_ in batch.copies:  # those that were not renamed away
                staging.discard(copy_.name)
        for copy_ in batch.copies:
            for inner, identity in copy_.copied.identities.items():
                self.safe[_joined(copy_.path, inner)] = identity
            if published:
                links = copy_.copied.links.items()
                self.context.links.update({_joined(copy_.path, inner): text for inner, text in links})

    def _amount(self, origin: Origin, paths: tuple[str, ...]) -> Usage:
        """How much copies of paths of the home side take."""
        size = length = files = 0
        complete = True
        for path in paths:
            with self.context.home.parent(self._in_home(path, origin)) as source:
                found = measure(*source)
            size, length, files = size + found.size, length + found.length, files + found.files
            complete = complete and found.complete
        return Usage(size, length, files, complete)

    def _note(self, batch: _Batch, *, published: bool) -> None:
        """Note what was copied, and what the volume will have: the copy, or what wins over it."""
        records: dict[str, CopyRecord] = {}
        for copy_ in batch.copies:
            for inner, copied in copy_.copied.copies.items():
                path = _joined(copy_.path, inner)
                before = self.there.get(path)
                volume = copied if published else before
                records[path] = CopyRecord(copy_.copied.identities[inner], volume, before)
        if records:
            self.context.ledger.note_copies(self.entry.path, records)

    def _copy(self, origin: Origin, path: str, *, durable: bool) -> "_Copy":
        staging = self.context.volume.staging
        name = staging.name()
        try:
            with (
                self.context.home.parent(self._in_home(path, origin)) as source,
                self.context.attic.room.watched(),
            ):
                copied = copy(
                    source,
                    (staging.fd, name),
                    durable=durable,
                    refuse_writers=False,  # they were looked for before, and are once more when it is out
                    progress=self.context.progress,
                    moving=(f"{self.context.home.path}/{self.entry.path}", path),
                )
        except BaseException:
            staging.discard(name)
            raise
        special = {_joined(path, inner) for inner in copied.special}
        if special - self.special:  # it came after we looked
            staging.discard(name)
            raise ChangedError(path)
        return _Copy(path, name, copied)

    def _target(self, path: str) -> str:
        return _joined(self.entry.on_volume, path)

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
            if not self._is_our_link(fd, aside):
                self._exchange_back(fd, aside, name)
                raise ChangedError(self.entry.path)
            os.unlink(aside, dir_fd=fd)

    def _is_our_link(self, fd: int, name: str) -> bool:
        try:
            return os.readlink(name, dir_fd=fd) in (self.seen.link, self.seen.recorded)
        except OSError:
            return False

    def replace_content(self) -> None:
        """Put the link in the place of content that is safe elsewhere, in one step where that can be had.

        The link is made first, then the content is looked at, then both are exchanged. What comes out is
        looked at once more: if it is another save, it is exchanged back at once, so that a program which
        saved and reads back reads what it saved.
        """
        with self.context.home.parent(self.entry.path) as (fd, name):
            aside = aside_name(name)
            self._symlink(fd, aside)
            try:
                check_copied(fd, name, self.safe, busy=())  # writers are looked for when it is out
                self.record()
                kernel.exchange(fd, aside, fd, name)
            except (OSError, ChangedError, BusyError) as error:
                os.unlink(aside, dir_fd=fd)
                self._forget_unless_seen()
                if not isinstance(error, OSError) or error.errno not in kernel.CANNOT_EXCHANGE:
                    raise
                self._remove_and_link(fd, name)
                return
            try:
                check_copied(fd, aside, self.safe, renamed=True)
            except (OSError, ChangedError, BusyError):
                self._exchange_back(fd, aside, name)
                self._forget_unless_seen()
                raise
            self._remove_aside(fd, name)
            # Not before: what is set aside and not known as a copy would be taken for a save.
            self.context.ledger.forget_copies(self.entry.path)

    def _exchange_back(self, fd: int, aside: str, name: str) -> None:
        """Give a save that we swapped out its place back."""
        try:
            kernel.swap(fd, aside, fd, name)
        except FileNotFoundError:  # a program deleted our link meanwhile
            kernel.rename_new(fd, aside, fd, name)
            return
        if self._is_our_link(fd, aside):
            os.unlink(aside, dir_fd=fd)
        else:  # a still newer save had replaced our link: that one stays, and the next look finds the other
            kernel.swap(fd, aside, fd, name)

    def _remove_and_link(self, fd: int, name: str) -> None:
        """Where nothing can be swapped: remove the content, all of it or nothing, and make the link.

        Should we die in between, nobody must take that for a deleted link.
        """
        check_copied(fd, name, self.safe, removable=True)
        self.context.ledger.forget(self.entry.path)
        try:
            self._remove(fd, name)
            self._symlink(fd, name)
        except BaseException:
            self._fill_up(fd, name)
            if self.seen.replaced:
                self.record()
            raise
        self.record()
        self.context.ledger.forget_copies(self.entry.path)

    def _remove(self, fd: int, name: str) -> None:
        if remove_copied(fd, name, self.safe):
            raise ChangedError(self.entry.path)

    def _fill_up(self, fd: int, name: str) -> None:
        """Copy what was removed back from the volume: a program goes on using the rest."""
        for path in sorted(self.safe):
            with suppress(OSError, ChangedError, BusyError):
                inside, _, last = _joined(name, path).rpartition("/")
                with (
                    open_below(fd, inside) as here,
                    self.volume.parent(self._target(path)) as (there, its),
                ):
                    if stat.S_ISDIR(self.safe[path].kind):
                        os.mkdir(last, 0o700, dir_fd=here)
                        copy_metadata((there, its), (here, last))
                    else:
                        copy((there, its), (here, last), durable=False, refuse_writers=False)

    def _forget_unless_seen(self) -> None:
        """The link is not in place after all."""
        if not self.seen.replaced:
            self.context.ledger.forget(self.entry.path)

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
                self._remove_aside(fd, name)
                self.context.ledger.forget_copies(self.entry.path)

    def _remove_aside(self, fd: int, name: str) -> None:
        """Remove what was set aside; what is not ours to remove gets another name, out of the way."""
        aside = aside_name(name)
        try:
            kept = remove_copied(fd, aside, self.safe, renamed=True)
        except OSError as error:
            if error.errno not in _NOT_OURS:
                raise
            self._leave_over(fd, name, error.strerror or str(error))
            return
        if kept:
            raise ChangedError(self.entry.path)

    def _leave_over(self, fd: int, name: str, why: str) -> None:
        for number in range(1, 1000):
            left = f".{name}{LEFT_SUFFIX}-{number}"
            try:
                kernel.rename_new(fd, aside_name(name), fd, left)
            except FileExistsError:
                continue
            directory = self.entry.path.rpartition("/")[0]
            self.context.left_over.append(f"~/{_joined(directory, left)} ({why.lower()})")
            return

    def put_back(self) -> None:
        """Put a link of the user's back that was swapped out: nothing, or our link, has its place."""
        with self.context.home.parent(self.entry.path) as (fd, name):
            self._exchange_back(fd, aside_name(name), name)

    # A link that was renamed ------------------------------------------------------------------------

    def copy_out(self, path: str) -> None:
        """Put a copy of the volume's content in the place of our link, which has another name now."""
        with (
            self.context.home.parent(path) as (fd, name),
            self.volume.parent(self.entry.on_volume) as (there, target),
        ):
            partial, whole = f".{name}{COPY_SUFFIX}", f".{name}{SWAP_SUFFIX}"
            remove_tree(fd, partial)
            try:
                copy(
                    (there, target),
                    (fd, partial),
                    refuse_writers=False,
                    progress=self.context.progress,
                    moving=(self.seen.link, ""),
                )
                kernel.rename_new(fd, partial, fd, whole)
            except BaseException:
                remove_tree(fd, partial)
                raise
            kernel.swap(fd, whole, fd, name)
            if self._is_our_link(fd, whole):
                os.unlink(whole, dir_fd=fd)
                return
            kernel.swap(fd, whole, fd, name)  # something else has the name by now
            remove_tree(fd, whole)
            raise ChangedError(path)

    def rename_target(self, entry: Entry) -> None:
        """Rename the content on the volume to another declared path, where our link is by now."""
        volume, owner = self.context.volume, self.context.volume.owner
        link = f"{volume.path}/{entry.on_volume}"
        base = entry.on_volume.removesuffix(entry.path).rstrip("/")
        self.volume.make_directories(
            entry.on_volume.rpartition("/")[0], owner=owner, like=self.context.home, base=base
        )
        # Until its text is right it is known at its new place by the old one.
        self.context.ledger.record(entry.path, self.seen.link)
        with ExitStack() as stack:
            for path in sorted((self.entry.on_volume, entry.on_volume)):
                stack.enter_context(volume.lock(path))
            fd, name = stack.enter_context(self.volume.parent(self.entry.on_volume))
            there, target = stack.enter_context(self.volume.parent(entry.on_volume))
            if node(there, target) is not None:
                with self.context.attic.place(entry.on_volume, Reason.SUPERSEDED) as (attic_fd, attic_name):
                    kernel.rename_new(there, target, attic_fd, attic_name)
                    sync_directory(attic_fd)
            kernel.rename_new(fd, name, there, target)
            sync_directory(there)
            sync_directory(fd)
        self.forget()
        with self.context.home.parent(entry.path) as (fd, name):
            aside = aside_name(name)
            os.symlink(link, aside, dir_fd=fd)
            Owner.of(self.context.home.fd).chown(aside, fd)
            self.context.ledger.record(entry.path, link)
            kernel.swap(fd, aside, fd, name)
            if not self._is_our_link(fd, aside):
                kernel.swap(fd, aside, fd, name)
            os.unlink(aside, dir_fd=fd)


def _joined(base: str, path: str) -> str:
    return f"{base}/{path}" if base and path else base or path
