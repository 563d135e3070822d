"""Stop keeping paths: remove them from the declarations, and give their content back to the home."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial

from coder_ws_runtime.dataclass import dataclass, replace
from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.anchored import sync_directory
from coder_ws_runtime.fs.errors import BusyError
from coder_ws_runtime.persist.catch_up import catch_up
from coder_ws_runtime.persist.give_back import GivingBack
from coder_ws_runtime.persist.manifest.entry import Declarations, Entry, Kind, Scope, on_volume
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.manifest.paths import is_below
from coder_ws_runtime.persist.manifest.user import UserFiles, editing
from coder_ws_runtime.persist.monitor import amount
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.observation import kind_of
from coder_ws_runtime.persist.reconcile.observe import glance
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.remove_refusals import (
    covered,
    in_use,
    not_declared,
    not_yours,
    only_parts_declared,
    other_scope,
    used_elsewhere,
)
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_records import Reason
from coder_ws_runtime.persist.store.failures import AGAIN, failure_of
from coder_ws_runtime.persist.store.journals import displaced
from coder_ws_runtime.persist.store.lease import held_elsewhere


@dataclass(frozen=True, slots=True)
class Removed:
    """The result for one path."""

    path: str
    """Relative to the home."""
    entry: Entry | None = None
    """What is no longer kept."""
    returned: bool = False
    """Whether its content came back to the home."""
    mounted: bool = False
    """Whether the home's content is a mount, and so was never linked."""
    attic: str = ""
    """The attic's batch with the volume's copy."""
    others: tuple[str, ...] = ()
    """The workspaces for which the volume's copy stays where it is."""
    shared: bool = False
    """Whether the volume's copy stays, because the owner's other workspaces still keep the path."""
    within: tuple[str, ...] = ()
    """Paths in it that are declared by themselves, and so are still kept."""
    still: Entry | None = None
    """What still keeps the path."""
    former: bool = False
    """Whether only the copy from before the path's scope changed was removed."""
    error: UserError | None = None


class Removal:
    """`home-persist remove`, one path after another.

    Args:
        session: home, volume and attic.
        scope: only paths with this scope; None: any.
        switch_off: also paths that the user did not declare: an exception of the user's cancels them.
    """

    def __init__(
        self,
        session: Session,
        *,
        scope: Scope | None = None,
        switch_off: bool = False,
    ) -> None:
        self.session = session
        self.scope = scope
        self.switch_off = switch_off

    def run(self, paths: Iterable[str]) -> list[Removed]:
        """Stop keeping paths; one that is refused does not affect the others.

        Args:
            paths: relative to the home, normalised.
        """
        catch_up(self.session)
        self.session.clear_left()
        return [self.attempt(path, partial(self._one, path)) for path in paths]

    @staticmethod
    def attempt(path: str, step: Callable[[], Removed]) -> Removed:
        """The result of `step` for a path, including errors by a user or a file system."""
        try:
            return step()
        except UserError as error:
            return Removed(path, error=error)
        except BusyError as error:
            return Removed(path, error=in_use(path, str(error)))
        except OSError as error:
            return Removed(path, error=failure_of(f"~/{path}", error, again=AGAIN))

    def _one(self, path: str) -> Removed:
        known = load_declarations(self.session.layout, self.session.settings)
        files = UserFiles(self.session.layout, self.session.id)
        entry = next((entry for entry in known.entries if entry.path == path), None)
        if entry is None and files.has(path):  # a parent covers it: nothing has to move
            still = _parent(known, path)
            if still:  # a path is covered only with its parent's scope
                self._refuse_scope(replace(still, path=path))
            self._forget(path)
            return Removed(path, still=still)
        if entry is None:
            return self._left_over(path, known)
        former = self._former(path, entry, known)
        if former:
            return self._drop_former(path, former, entry)
        own = self.switch_off or _is_own(files, entry)
        if not own and not files.has(path):
            raise not_yours(entry, self.session.layout.available)
        self._refuse_scope(entry)
        if not own:
            self._forget(path)
            return Removed(path, still=entry)
        return self.stop_keeping(entry, lambda: self._forget(entry.path))

    def _former(self, path: str, kept_as: Entry, known: Declarations) -> str:
        """A copy with the scope to remove, if the path is now kept with another one.

        Returns:
            Its path, relative to the volume; empty if there is none.
        """
        if self.switch_off or self.scope is None or self.scope is kept_as.scope or not self.session.id:
            return ""
        place = on_volume(path, self.scope, self.session.id)
        kept = (*known.entries, *(child.entry for child in known.children))
        if any(other.on_volume == place or is_below(other.on_volume, place) for other in kept):
            return ""
        return place if self.session.volume.anchor.status(place) is not None else ""

    def _drop_former(self, path: str, former: str, still: Entry) -> Removed:
        """Move a copy from before the path's scope changed to the attic; the path is kept as before.

        Raises:
            RefusedError: another workspace is running and may use it.
        """
        from coder_ws_runtime.fs import kernel  # noqa: PLC0415 - loads ctypes

        session = self.session
        others = held_elsewhere(session.layout.volume, session.id) if self.scope is Scope.OWNER else []
        if others:
            raise used_elsewhere(path, others)
        before = session.displaced
        with (
            session.volume.lock(former),
            session.volume.anchor.parent(former) as (fd, name),
            session.attic.place(former, Reason.REMOVED) as (attic, kept),
            displaced(session.attic, (fd, name), former, Reason.REMOVED),
        ):
            kernel.rename_new(fd, name, attic, kept)
            sync_directory(attic)
            sync_directory(fd)
        return Removed(path, attic=session.displaced_since(before), still=still, former=True)

    def stop_keeping(self, entry: Entry, forget: Callable[[], None]) -> Removed:
        """Give a declared path back. It is settled first, so that all of its content is on the volume.

        A mount point, which cannot be linked, stays as it is. Raises like `give_back`.
        """
        outcome = settle(self.session, entry)
        mounted = outcome.decision is Decision.MOUNTED
        if outcome.error and not mounted:
            raise outcome.error
        return replace(self.give_back(entry, forget), mounted=mounted)

    def give_back(self, entry: Entry, forget: Callable[[], None]) -> Removed:
        """Give one path back to the home, and move the volume's copy to the attic.

        Args:
            entry: the path; the home has its link, or nothing.
            forget: removes it from the declarations.

        Raises:
            BusyError, UserError, OSError: like :meth:`coder_ws_runtime.persist.give_back.GivingBack.run`.
        """
        there_is = entry.scope is Scope.OWNER and self.session.volume.anchor.status(entry.on_volume)
        shared = bool(there_is) and self._is_shared(entry)
        others = (
            held_elsewhere(self.session.layout.volume, self.session.id) if there_is and not shared else []
        )
        before = self.session.displaced
        monitor = self.session.monitor
        giving = GivingBack(self.session, entry, forget, monitor.advance)
        there = (self.session.volume.anchor, entry.on_volume)
        with monitor.work(f"~/{entry.path}{entry.slash}", lambda: amount([there])):
            returned = giving.run(keep=shared or bool(others))
        batch = self.session.displaced_since(before)
        # Paths that it covered and that are declared by themselves have to be linked now.
        known = load_declarations(self.session.layout, self.session.settings).entries
        inner = [other for other in known if is_below(other.path, entry.path)]
        for other in inner:
            settle(self.session, other)
        return Removed(
            entry.path,
            entry,
            returned=returned,
            attic=batch,
            others=tuple(others),
            shared=shared,
            within=tuple(other.path for other in inner),
        )

    def _is_shared(self, entry: Entry) -> bool:
        """Whether a path of the owner's is switched off in this workspace only."""
        if not self.switch_off or self.scope is not Scope.WORKSPACE:
            return False
        return not _is_own(UserFiles(self.session.layout, self.session.id), entry)

    def _forget(self, path: str) -> None:
        """Remove a path from the user's declarations, or add it to the exceptions."""
        with editing(self.session.layout, self.session.volume, self.session.id) as files:
            files.drop(path)
            known = load_declarations(self.session.layout, self.session.settings).entries
            if self.switch_off and any(e.path == path and not _is_own(files, e) for e in known):
                files.document(self.scope or Scope.OWNER).setdefault("except", []).append(path)

    def _left_over(self, path: str, known: Declarations) -> Removed:
        """What is on the volume but not declared: an earlier run was interrupted, or it was left over.

        Raises:
            RefusedError: there is none; the hint names what the user may have meant.
        """
        parent = _parent(known, path)
        former = self._former(path, parent, known) if parent else ""
        if parent is not None and former:
            return self._drop_former(path, former, parent)
        if parent is not None:
            raise covered(path, parent)
        inner = [entry for entry in known.entries if is_below(entry.path, path)]
        if inner:
            raise only_parts_declared(path, inner)
        for scope in Scope:
            if self.scope in (None, scope):
                with suppress(RefusedError):  # without an ID, nothing belongs to this workspace
                    place = on_volume(path, scope, self.session.id)
                    found = self.session.volume.anchor.status(place)
                    link = self.session.home.status(path) is not None and self._is_linked(path, place)
                    if found or link:
                        kind = kind_of(found.st_mode) if found else Kind.FILE
                        return self.give_back(
                            Entry(path, kind, scope, "", "", place), lambda: self._forget(path)
                        )
        raise not_declared(path, known)

    def _is_linked(self, path: str, place: str) -> bool:
        seen = glance(self.session, Entry(path, Kind.FILE, Scope.OWNER, "", "", place))
        return seen.home is not None and seen.home.target == seen.link

    def _refuse_scope(self, entry: Entry) -> None:
        if self.scope not in (None, entry.scope) and not self.switch_off:
            raise other_scope(entry)


def _is_own(files: UserFiles, entry: Entry) -> bool:
    """Whether the user's declaration of a path is the one that applies: the first one does."""
    return any(entry.place.startswith(f"{file}:") for file in files.files.values())


def _parent(known: Declarations, path: str) -> Entry | None:
    return next((entry for entry in known.entries if is_below(path, entry.path)), None)
