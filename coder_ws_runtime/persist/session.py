"""Home, volume and ledger of one workspace: look at a path, plan, carry out, until nothing is left to do."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Self

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.anchored import Anchor, Owner
from coder_ws_runtime.fs.copying import ChangedError
from coder_ws_runtime.fs.writers import BusyError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.failures import failure_of
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.manifest.paths import in_shell
from coder_ws_runtime.persist.monitor import Monitor, amount
from coder_ws_runtime.persist.reconcile.observation import Observation
from coder_ws_runtime.persist.reconcile.observe import glance, observe
from coder_ws_runtime.persist.reconcile.plan import Plan, Row, Verb, plan
from coder_ws_runtime.persist.store.attic import Attic
from coder_ws_runtime.persist.store.ledger import Ledger
from coder_ws_runtime.persist.store.volume import Volume
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.system.mounts import mounted_in

# How often a path is looked at again when it changes under our hands.
_ATTEMPTS = 12


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one path."""

    entry: Entry
    row: Row
    changed: bool = False
    """Whether anything was done, or would be done in a dry run."""
    problem: str = ""
    hint: str = ""
    error: UserError | None = None
    """Why the path is not as declared."""
    attic: str = ""
    """The batch of the attic that holds what lost; empty if nothing did."""


class Workspace:
    """Home, volume and ledger of one workspace, opened.

    Args:
        layout: where they are.
        settings: which workspace this is.
        monitor: told of work that may be long.
        writing: whether anything is to be changed on the volume; a read-only one can be looked at.

    Raises:
        NoVolumeError: there is no usable volume.
        RefusedError: there is no home, or no place for the ledger.
    """

    def __init__(
        self, layout: Layout, settings: Settings, monitor: Monitor | None = None, *, writing: bool = True
    ) -> None:
        self.monitor = monitor or Monitor()
        self.patient = True
        """Whether to wait for another process of this container that works on the same path."""
        try:
            self.home = Anchor(layout.home)
        except OSError as error:
            raise RefusedError(
                f"the home cannot be opened: {error.strerror}",
                code="home.missing",
                place=str(layout.home),
                hint="set HOME to the user's home directory",
            ) from error
        try:
            self.volume = Volume(layout.volume, Owner.of(self.home.fd), writing=writing)
        except UserError:
            self.home.close()
            raise
        self.ledger = Ledger(layout.ledger_dir)
        try:
            if writing:
                self.ledger.make()
        except UserError:
            self.volume.__exit__()
            self.home.close()
            raise
        self._proc = layout.proc
        workspace = settings.workspace
        self.id = workspace.id
        self.attic = Attic(self.volume, workspace.name or workspace.id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Close everything; what a file system said of the volume as a whole becomes a refusal."""
        self.ledger.close()
        self.volume.__exit__(kind, error, trace)
        self.home.close()
        if isinstance(error, OSError):
            raise failure_of(str(self.volume.path), error) from error

    def look(self, entry: Entry, *, refuse_writers: bool = True) -> Observation:
        """What is there of one path. Raises as :func:`coder_ws_runtime.persist.reconcile.observe.observe`."""
        seen = self.glance(entry)
        if seen.mounted is not None:  # it is not moved, so nobody needs to know what is in it
            return seen
        recorded = self.ledger.has(entry.path, f"{self.volume.path}/{entry.on_volume}")
        return observe(entry, self.home, self.volume.anchor, recorded=recorded, refuse_writers=refuse_writers)

    def glance(self, entry: Entry) -> Observation:
        """What is there of one path, without its content. Raises as `look`."""
        recorded = self.ledger.has(entry.path, f"{self.volume.path}/{entry.on_volume}")
        seen = glance(entry, self.home, self.volume.anchor, recorded=recorded)
        if seen.home is None or seen.home.kind is Kind.LINK:
            return seen
        return replace(seen, mounted=self.mounted_in(entry.path))

    def mounted_in(self, path: str) -> str | None:
        """A mount point at or below a path of the home, relative to that; None if there is none."""
        return mounted_in(self._proc, self.home.path / path)

    def settle(
        self,
        entry: Entry,
        *,
        running: bool = False,
        dry_run: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> Outcome:
        """Make one path true. Never raises for what files and file systems do: the outcome says it.

        Args:
            entry: what is declared.
            running: as for :func:`coder_ws_runtime.persist.reconcile.plan.plan`.
            dry_run: only say what would be done first.
            progress: told the number of bytes as they are copied, in the place of the monitor.
        """
        acted: Plan | None = None
        now = Plan(Row.FAILED)
        error: UserError | None = None
        before = self.attic.count
        for attempt in range(_ATTEMPTS):
            try:
                # Most paths need nothing; only what does is looked at as a whole, and locked.
                now = plan(entry, self.glance(entry), running=running)
                with self._alone(entry) if now.actions and not dry_run else nullcontext():
                    if now.actions:
                        seen = self.look(entry)
                        now = plan(entry, seen, running=running)
                    if not now.actions:
                        error = _refusal(entry, now)
                        break
                    acted = acted or now
                    if dry_run:
                        break
                    self._apply(entry, seen, now, progress)
            except (ChangedError, FileNotFoundError):
                time.sleep(min(0.001 * 2**attempt, 0.2))
            except BusyError as busy:
                error = _in_use(entry, busy)
                break
            except OSError as failure:
                now = acted or Plan(Row.FAILED)
                error = _failure(entry, failure)
                break
        else:
            error = RefusedError(
                "keeps changing while it is moved",
                code="path.busy",
                place=f"~/{entry.path}",
                hint="stop the program that writes it, then: home-persist resolve",
            )
        told = acted or now
        return Outcome(
            entry,
            told.row,
            changed=acted is not None,
            problem="" if error else told.problem,
            hint="" if error else told.hint,
            error=error,
            attic=self.attic.since(before),
        )

    @contextmanager
    def _alone(self, entry: Entry) -> Iterator[None]:
        """Keep other processes of this container from working on the path."""
        with ExitStack() as stack:
            try:
                stack.enter_context(self.ledger.lock(entry.path, wait=False))
            except BlockingIOError:
                if not self.patient:
                    raise
                with self.monitor.work(f"~/{entry.path}{entry.slash}", None):
                    stack.enter_context(self.ledger.lock(entry.path, wait=True))
            yield

    def _apply(
        self, entry: Entry, seen: Observation, now: Plan, progress: Callable[[int], None] | None
    ) -> None:
        # Loaded only when something is to be done: most runs find everything in place.
        from coder_ws_runtime.persist.reconcile import apply  # noqa: PLC0415

        tell = progress or self.monitor.advance
        context = apply.Context(self.home, self.volume, self.ledger, self.attic, tell)

        def total() -> int:
            sides = ((action.origin, path) for action in now.actions for path in action.paths)
            return amount((self.home, apply.in_home(entry, path, origin)) for origin, path in sides)

        with self.monitor.work(f"~/{entry.path}{entry.slash}", total):
            apply.apply(entry, seen, now.actions, context)

    def save(self, entry: Entry) -> None:
        """Copy what the home has to the volume, even what is being written, and leave the home as it is.

        For content that cannot be linked any more because the container is about to end.

        Raises:
            ChangedError, OSError: it was not saved.
        """
        from coder_ws_runtime.persist.reconcile import apply  # noqa: PLC0415 - as above

        seen = self.look(entry, refuse_writers=False)
        actions = [action for action in plan(entry, seen).actions if action.verb in _SAVING]
        context = apply.Context(self.home, self.volume, self.ledger, self.attic, refuse_writers=False)
        apply.apply(entry, seen, actions, context)


_SAVING = frozenset({Verb.COPY_IN, Verb.SUPERSEDE, Verb.TO_ATTIC})


def _in_use(entry: Entry, busy: BusyError) -> UserError:
    path = f"~/{entry.path}"
    inside = str(busy)
    what = f"a program is writing {inside!r} in it" if inside else "a program is writing it"
    return RefusedError(
        f"{what}; left as it was",
        code="path.in-use",
        place=path,
        hint=f"close the program (fuser -v {in_shell(entry.path)} names it), then: home-persist resolve",
    )


def _failure(entry: Entry, failure: OSError) -> UserError:
    if not isinstance(failure, BlockingIOError):
        return failure_of(f"~/{entry.path}", failure)
    return RefusedError(
        "another command works on it",
        code="path.busy",
        place=f"~/{entry.path}",
        hint="when that has ended: home-persist resolve",
    )


def _refusal(entry: Entry, now: Plan) -> UserError | None:
    """A settled plan that leaves the path other than declared, as an error."""
    if not now.refused:
        return None
    code = "path.mounted" if now.row is Row.MOUNTED else "path.special"
    return RefusedError(now.problem, code=code, place=f"~/{entry.path}", hint=now.hint)
