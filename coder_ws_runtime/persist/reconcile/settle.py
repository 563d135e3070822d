"""Make one path true: look, plan, carry out, until nothing is left to do."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.anchored import MountPointError
from coder_ws_runtime.fs.copying import ChangedError
from coder_ws_runtime.fs.writers import BusyError
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.manifest.paths import in_shell
from coder_ws_runtime.persist.monitor import amount
from coder_ws_runtime.persist.reconcile.event import NO_EVENT, LinkEvent
from coder_ws_runtime.persist.reconcile.look import glance, look
from coder_ws_runtime.persist.reconcile.observation import Observation
from coder_ws_runtime.persist.reconcile.outward_links import links_that_die
from coder_ws_runtime.persist.reconcile.plan import Action, Decision, Operation, Plan, mounted, plan
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.failures import failure_of

# How often a path is looked at again when it changes under our hands.
_ATTEMPTS = 12
_STALE_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one path."""

    entry: Entry
    decision: Decision
    changed: bool = False
    """Whether anything was done, or would be done in a dry run."""
    problem: str = ""
    hint: str = ""
    error: UserError | None = None
    """Why the path is not as declared."""
    attic: str = ""
    """The batch of the attic that holds what lost; empty if nothing did."""
    problem_code: str = ""
    """The stable code of the problem, where it is not the decision's."""

    @property
    def code(self) -> str:
        """The stable code of what became of it: of the error, if there is one, else of the decision."""
        return self.error.code if self.error else self.problem_code or self.decision.value


def settle(
    session: Session,
    entry: Entry,
    *,
    event: LinkEvent = NO_EVENT,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Make one path true. Never raises for what files and file systems do: the outcome says it.

    Args:
        session: home and volume, opened.
        entry: what is declared.
        event: what the kernel said of the link; without one nothing is taken for a deletion or a rename.
        dry_run: only say what would be done first.
        progress: told the number of bytes as they are copied, in the place of the monitor.
    """
    run = _Settling(session, entry, dry_run=dry_run, progress=progress)
    before = session.attic.count
    try:
        run.run(event)
    except BusyError as busy:
        run.error = _in_use(entry, busy)
    except OSError as failure:
        run.now = run.acted or Plan(Decision.FAILED)
        run.error = _failure(session, entry, failure)
    except UserError as error:
        run.error = error
    except Exception as error:  # noqa: BLE001 - a bug ends this path, and not the others
        run.now = run.acted or Plan(Decision.FAILED)
        run.error = _unforeseen(entry, error)
    if session.attic.count > before:
        session.attic.keep_bounds()
    told = run.acted or run.now
    problem, hint, code = ("", "", "") if run.error else run.remark(told)
    return Outcome(
        entry,
        told.decision,
        changed=run.acted is not None,
        problem=problem,
        hint=hint,
        error=run.error,
        attic=session.attic.since(before),
        problem_code=code,
    )


class _Settling:
    """One path, until nothing is left to do."""

    def __init__(
        self,
        session: Session,
        entry: Entry,
        *,
        dry_run: bool,
        progress: Callable[[int], None] | None,
    ) -> None:
        self.session = session
        self.entry = entry
        self.dry_run = dry_run
        self.progress = progress
        self.acted: Plan | None = None
        """The first plan that was carried out: what became of the path."""
        self.now = Plan(Decision.FAILED)
        self.error: UserError | None = None
        self.left_over: list[str] = []
        self.links: dict[str, str] = {}

    def run(self, event: LinkEvent) -> None:
        """Look, plan and carry out. Raises what files and file systems raise."""
        done: tuple[Action, ...] = ()
        for attempt in range(_ATTEMPTS):
            try:
                # Most paths need nothing; only what does is looked at as a whole, and locked.
                self.now = plan(self.entry, glance(self.session, self.entry, event), event=event)
                locked = _lock_path(self.session, self.entry)
                with locked if self.now.actions and not self.dry_run else nullcontext():
                    seen: Observation | None = None
                    if self.now.actions:
                        seen = look(self.session, self.entry, event)
                        self.now = plan(self.entry, seen, event=event)
                    if seen is None or not self.now.actions or self.now.actions == done:
                        self.error = _refusal(self.session, self.entry, self.now)
                        return
                    self.acted = self.acted or self.now
                    if self.dry_run:
                        return
                    self._apply(seen)
                    event = NO_EVENT  # it is dealt with
                    # A mode that a file system does not take is not set again.
                    done = self.now.actions if _is_mode_only(self.now) else ()
            except (ChangedError, FileNotFoundError):
                time.sleep(min(0.001 * 2**attempt, 0.2))
            except OSError as failure:
                # The server dropped what we had open, e.g. our staging directory; it is opened again.
                if failure.errno != errno.ESTALE or attempt >= _STALE_ATTEMPTS:
                    raise
        self.error = RefusedError(
            "keeps changing while it is moved",
            code="path.busy",
            place=f"~/{self.entry.path}",
            hint="stop the program that writes it, then: home-persist resolve",
        )

    def _apply(self, seen: Observation) -> None:
        # Loaded only when something is to be done: most runs find everything in place.
        from coder_ws_runtime.persist.reconcile import apply  # noqa: PLC0415

        session, entry, now = self.session, self.entry, self.now
        tell = self.progress or session.monitor.advance
        context = apply.Context(session.home, session.volume, session.ledger, session.attic, tell)

        def total() -> int:
            copying = (one for one in now.actions if one.operation is not Operation.NOTE_COPIES)
            sides = ((action.origin, path) for action in copying for path in action.paths)
            return amount((session.home, apply.in_home(entry, path, origin)) for origin, path in sides)

        try:
            with session.monitor.work(f"~/{entry.path}{entry.slash}", total):
                apply.apply(entry, seen, now.actions, context)
        finally:
            self.left_over += context.left_over
            self.links.update(context.links)

    def remark(self, told: Plan) -> tuple[str, str, str]:
        """What a person should know: problem, hint and code."""
        if self.left_over:
            return (
                f"what the link replaced could not be removed, and is at {', '.join(self.left_over)}",
                "all of it is on the volume, too: look at its owner (ls -l), and remove it as root",
                "path.left-over",
            )
        problem, hint, code = told.problem, told.hint, told.code
        if not problem and self.links:
            lost = links_that_die(self.session.home, self.entry.path, self.links)
            if lost:
                first = next(iter(lost))
                more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
                problem = (
                    f"the link {first!r} in it leads to {lost[first]}{more}, which ends with this container"
                )
                hint = "declare what it leads to as well"
                code = "path.link-into-container"
        return problem, hint, code


@contextmanager
def _lock_path(session: Session, entry: Entry) -> Iterator[None]:
    """Keep other processes of this container from working on the path."""
    with ExitStack() as stack:
        try:
            stack.enter_context(session.ledger.lock(entry.path, wait=False))
        except BlockingIOError:
            if not session.wait_for_locks:
                raise
            with session.monitor.work(f"~/{entry.path}{entry.slash}", None):
                stack.enter_context(session.ledger.lock(entry.path, wait=True))
        yield


def save(session: Session, entry: Entry) -> None:
    """Copy what the home has to the volume, even what is being written, and leave the home as it is.

    For content that cannot be linked any more because the container is about to end.

    Raises:
        ChangedError, OSError: it was not saved.
    """
    from coder_ws_runtime.persist.reconcile import apply  # noqa: PLC0415 - as above

    seen = look(session, entry, refuse_writers=False)
    actions = [action for action in plan(entry, seen).actions if action.operation in _SAVING]
    context = apply.Context(session.home, session.volume, session.ledger, session.attic)
    apply.apply(entry, seen, actions, context)


_SAVING = frozenset(
    {
        Operation.NOTE_COPIES,
        Operation.COPY_IN,
        Operation.SUPERSEDE,
        Operation.COPY_METADATA,
        Operation.TO_ATTIC,
    }
)


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


def _is_mode_only(done: Plan) -> bool:
    return all(action.operation is Operation.SET_MODE for action in done.actions)


def _unforeseen(entry: Entry, error: Exception) -> UserError:
    """A bug, as the error of its path."""
    import traceback  # noqa: PLC0415 - seldom needed

    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(frame.filename)}:{frame.lineno}"
    return RefusedError(
        f"{type(error).__name__}: {error} ({where}); left as it was",
        code="path.unforeseen",
        place=f"~/{entry.path}",
        hint="this is a bug: report it with the output of ws-doctor bundle",
    )


def _failure(session: Session, entry: Entry, failure: OSError) -> UserError:
    if isinstance(failure, MountPointError):
        return _mounted(entry, failure.filename)
    if not isinstance(failure, BlockingIOError):
        return failure_of(f"~/{entry.path}", failure, within=session.within(entry))
    return RefusedError(
        "another command works on it",
        code="path.busy",
        place=f"~/{entry.path}",
        hint="when that has ended: home-persist resolve",
    )


def _mounted(entry: Entry, inside: str) -> UserError:
    """What was mounted while we worked, or is not told by the kernel's list."""
    what, hint = mounted("" if inside == entry.path.rpartition("/")[2] else inside)
    hint = f"{hint}; to take it out: home-persist remove"
    return RefusedError(what, code=Decision.MOUNTED.value, place=f"~/{entry.path}", hint=hint)


def _refusal(session: Session, entry: Entry, now: Plan) -> UserError | None:
    """A settled plan that leaves the path other than declared, as an error."""
    if not now.refused:
        return None
    hint = now.hint
    if now.decision is Decision.PERHAPS_WRITTEN:
        from coder_ws_runtime.persist.store.ownership import find_foreign  # noqa: PLC0415 - rarely needed

        foreign = find_foreign(session.home, entry.path, session.volume.owner)
        if foreign:
            hint = f"{foreign.remedy(session.volume.owner)}, then: home-persist resolve"
    return RefusedError(now.problem, code=now.code or now.decision.value, place=f"~/{entry.path}", hint=hint)
