"""Observe what a migration is about, and apply its plan, one rename at a time.

Nothing is copied, so nothing can be incomplete: a crash leaves each file at its old path, at its new one, or
in the attic. The record is written last; a run that finds no record observes again and continues.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import ExitStack

from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import sync_directory
from coder_ws_runtime.fs.errors import BlockedPathError, ChangedError
from coder_ws_runtime.fs.removing import remove_copied
from coder_ws_runtime.identity import Identity
from coder_ws_runtime.persist.manifest.entry import Entry, Kind, Scope, Step
from coder_ws_runtime.persist.migrations.plan import Action, Operation, Seen
from coder_ws_runtime.persist.reconcile.compare import compare
from coder_ws_runtime.persist.reconcile.observation import Difference, Pair
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_records import Reason
from coder_ws_runtime.persist.store.journals import displaced, following


def look(step: Step, session: Session, *, declared: bool, used_by: tuple[str, ...]) -> Seen:
    """What there is.

    Args:
        step: from the manifest.
        session: the home and volume.
        declared: whether something declares the source's path, so that its link stays.
        used_by: the owner's other workspaces that are running.

    Raises:
        ChangedError: it changed while we looked at it.
        OSError: from the file systems.
    """
    volume = session.volume.anchor
    known = session.ledger.has(step.path, f"{session.volume.path}/{step.source}")
    link = not declared and (known or _has_link(step, session))
    if not _is_there(step.source, session):
        return Seen(there=False, link=link)
    if not step.target:
        return Seen(there=True, link=link, used_by=used_by)
    if volume.status(step.target) is None:
        return Seen(there=True, pairs=(Pair("", Difference.MISSING),), link=link)
    place = Entry(step.in_home(step.target), Kind.DIRECTORY, Scope.OWNER, "", step.place, step.target)
    with volume.parent(step.source) as (fd, name):
        pairs = compare((fd, name), volume, place, refuse_writers=False)
    return Seen(there=True, pairs=pairs, link=link)


def _is_there(path: str, session: Session) -> bool:
    try:
        return session.volume.anchor.status(path) is not None
    except BlockedPathError:  # the target of a symlink is not ours to move
        return False


def _has_link(step: Step, session: Session) -> bool:
    try:
        with session.home.parent(step.path) as (fd, name):
            return os.readlink(name, dir_fd=fd) == f"{session.volume.path}/{step.source}"
    except OSError:  # nothing, not a link, or behind a link
        return False


def apply(step: Step, seen: Seen, actions: Iterable[Action], session: Session) -> None:
    """Apply the actions. When this returns, they are durable; the caller then records the step.

    Raises:
        ChangedError, FileNotFoundError: something changed in the meantime; observe and plan again.
        OSError: from the file systems; what was not moved is where it was.
    """
    run = _Run(step, seen, session)
    for action in actions:
        match action.operation:
            case Operation.SUPERSEDE:
                run.supersede(action.paths)
            case Operation.MOVE:
                run.move(action.paths)
            case Operation.TO_ATTIC:
                run.to_attic(action.paths)
            case Operation.DROP:
                run.drop(action.paths)
            case Operation.DROP_LINK:
                run.drop_link()


class _Run:
    def __init__(self, step: Step, seen: Seen, session: Session) -> None:
        self.step = step
        self.seen = seen
        self.session = session
        self.volume = session.volume.anchor

    def supersede(self, paths: tuple[str, ...]) -> None:
        """Exchange the source's with the target's, which then goes to the attic.

        If that is interrupted, the next run finds the older one at the source, or that the target lacks it.
        """
        with self.session.volume.lock(self.step.target):
            for path in paths:
                target = _joined(self.step.target, path)
                with (
                    self.volume.parent(_joined(self.step.source, path)) as mine,
                    self.volume.parent(target) as its,
                ):
                    with displaced(self.session.attic, its, target, Reason.SUPERSEDED):
                        self._supersede(mine, its, target)
                    sync_directory(its[0])
                    sync_directory(mine[0])

    def _supersede(self, mine: tuple[int, str], its: tuple[int, str], target: str) -> None:
        exchanged = True
        try:
            kernel.exchange(*mine, *its)
        except OSError as error:
            if error.errno not in kernel.CANNOT_EXCHANGE:
                raise
            exchanged = False
        with self.session.attic.place(target, Reason.SUPERSEDED) as kept:
            # Not `rename_new` where it makes a hard link first: that would be a change of the target.
            rename = kernel.rename_new if exchanged else kernel.rename
            rename(*(mine if exchanged else its), *kept)
            sync_directory(kept[0])
        if not exchanged:
            kernel.rename_new(*mine, *its)

    def move(self, paths: tuple[str, ...]) -> None:
        base = f".workspaces/{self.step.target.split('/')[1]}" if self._own_target() else ""
        self.volume.make_directories(
            self.step.target.rpartition("/")[0],
            owner=self.session.volume.owner,
            like=self.session.home,
            base=base,
        )
        with self.session.volume.lock(self.step.target):
            for path in paths:
                with (
                    self.volume.parent(_joined(self.step.source, path)) as (fd, name),
                    self.volume.parent(_joined(self.step.target, path)) as (target_fd, target_name),
                ):
                    try:
                        place, target = (target_fd, target_name), _joined(self.step.target, path)
                        with (
                            displaced(self.session.attic, place, target, Reason.MIGRATED),
                            ExitStack() as stack,
                        ):
                            if not path:  # in a directory, they are paths of their own
                                stack.enter_context(following((fd, name), place))
                            kernel.rename_new(fd, name, target_fd, target_name)
                    except FileExistsError as error:
                        raise ChangedError(path) from error
                    sync_directory(target_fd)
                    sync_directory(fd)

    def _own_target(self) -> bool:
        return self.step.target.startswith(".workspaces/")

    def to_attic(self, paths: tuple[str, ...]) -> None:
        """Under the path that the content would have now, so that `attic restore` finds it."""
        by_now = self.step.target or self.step.source
        for path in paths:
            with (
                self.session.attic.place(_joined(by_now, path), Reason.MIGRATED) as (attic_fd, attic_name),
                self.volume.parent(_joined(self.step.source, path)) as (fd, name),
            ):
                kernel.rename_new(fd, name, attic_fd, attic_name)
                sync_directory(attic_fd)
                sync_directory(fd)

    def drop(self, paths: tuple[str, ...]) -> None:
        known = {pair.path: pair.home for pair in self.seen.pairs if pair.safe and pair.home is not None}
        same: dict[str, Identity] = {path: known[path] for path in paths}
        if any(identity.kind != stat.S_IFDIR for identity in same.values()):
            # A program may just have written the target's copies: sync them to disk first.
            kernel.sync_file_system(self.volume.fd)
        with self.volume.parent(self.step.source) as (fd, name):
            if remove_copied(fd, name, same):
                raise ChangedError(self.step.source)
            sync_directory(fd)

    def drop_link(self) -> None:
        if _has_link(self.step, self.session):
            with self.session.home.parent(self.step.path) as (fd, name):
                os.unlink(name, dir_fd=fd)
        self.session.ledger.forget(self.step.path)


def _joined(base: str, path: str) -> str:
    return f"{base}/{path}" if path else base
