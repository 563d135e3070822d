"""Settle one path: observe, plan, apply, until nothing is left to do."""

import errno
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.fs.errors import BusyError, ChangedError
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.monitor import amount
from coder_ws_runtime.persist.reconcile.actions import Action, Decision, Operation, Plan
from coder_ws_runtime.persist.reconcile.event import NO_EVENT, LinkEvent
from coder_ws_runtime.persist.reconcile.observation import Observation
from coder_ws_runtime.persist.reconcile.observe import glance, look
from coder_ws_runtime.persist.reconcile.outward_links import links_that_die
from coder_ws_runtime.persist.reconcile.plan import plan
from coder_ws_runtime.persist.reconcile.refusals import (
    changing_error,
    failure_error,
    in_use_error,
    refusal_of,
    unforeseen_error,
)
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.text import visible

ATTEMPTS = 12
"""How often to start again if a path changes while we work on it."""
_STALE_ATTEMPTS = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one path."""

    entry: Entry
    decision: Decision
    changed: bool = False
    """Whether anything was done, or would be in a dry run."""
    problem: str = ""
    hint: str = ""
    error: UserError | None = None
    """Why the path is not as declared."""
    attic: str = ""
    """The attic's batch with the replaced version; empty if there is none."""
    problem_code: str = ""
    """The stable code of the problem, if it is not the decision's."""

    @property
    def code(self) -> str:
        """The stable code of the result: of the error, if there is one, otherwise of the decision."""
        return self.error.code if self.error else self.problem_code or self.decision.value


def settle(
    session: Session,
    entry: Entry,
    *,
    event: LinkEvent = NO_EVENT,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Outcome:
    """Settle one path. Never raises for files and file systems: the outcome reports errors.

    Args:
        session: home and volume, opened.
        entry: what is declared.
        event: what the kernel reported about the link; without one, nothing counts as deleted or renamed.
        dry_run: only report what would be done first.
        progress: called with the number of bytes as they are copied, instead of the monitor.
    """
    run = _Settling(session, entry, event, dry_run=dry_run, progress=progress)
    before = session.displaced
    try:
        run.run()
    except BusyError as busy:
        run.error = in_use_error(entry, busy)
    except OSError as failure:
        run.now = run.acted or Plan(Decision.FAILED)
        run.error = failure_error(session, entry, failure)
    except UserError as error:
        run.error = error
    except Exception as error:  # noqa: BLE001 - a bug ends this path, and not the others
        run.now = run.acted or Plan(Decision.FAILED)
        run.error = unforeseen_error(entry, error)
    if run.error and not dry_run:
        from coder_ws_runtime.persist.reconcile.brought import note_brought  # noqa: PLC0415 - it is rare

        note_brought(session, entry)
    if session.displaced > before:
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
        attic=session.displaced_since(before),
        problem_code=code,
    )


def pause(attempt: int) -> None:
    """Wait before a path that has changed is looked at again; `attempt` counts from 0."""
    time.sleep(min(0.001 * 2**attempt, 0.2))


class _Settling:
    """Work on one path until nothing is left to do."""

    def __init__(
        self,
        session: Session,
        entry: Entry,
        event: LinkEvent,
        *,
        dry_run: bool,
        progress: Callable[[int], None] | None,
    ) -> None:
        self.session = session
        self.entry = entry
        self.event = event
        self.dry_run = dry_run
        self.progress = progress
        self.acted: Plan | None = None
        """The first plan that was applied: it says what happened to the path."""
        self.now = Plan(Decision.FAILED)
        self.done: tuple[Action, ...] = ()
        """The last plan's actions, if they only set a mode."""
        self.error: UserError | None = None
        self.left_over: list[str] = []
        self.links: dict[str, str] = {}

    def run(self) -> None:
        """Observe, plan and apply. Raises errors of files and file systems."""
        for attempt in range(ATTEMPTS):
            try:
                # Most paths need nothing; only one that does is locked and observed completely.
                glanced = glance(self.session, self.entry, self.event)
                self.now = plan(self.entry, glanced, event=self.event)
                locked = _lock_path(self.session, self.entry)
                with locked if self.now.actions and not self.dry_run else nullcontext():
                    if self._do_next(glanced):
                        return
            except (ChangedError, FileNotFoundError):
                pause(attempt)
            except OSError as failure:
                # The server dropped an open file of ours, e.g. the staging directory; open it again.
                if failure.errno != errno.ESTALE or attempt >= _STALE_ATTEMPTS:
                    raise
        self.error = changing_error(self.entry.path)

    def _do_next(self, glanced: Observation) -> bool:
        """Carry out the plan, made again with all content. Returns whether nothing is left to do."""
        if self.now.only_creates and not (self.dry_run or self.session.ledger.refresh()):
            if self._has_news():
                return True
            self.acted = self.acted or self.now
            self._apply(glanced)
            return True
        seen: Observation | None = None
        if self.now.actions:
            seen = look(self.session, self.entry, self.event)
            self.now = plan(self.entry, seen, event=self.event)
        if self._is_known() and not (self.now.actions or self.dry_run):
            # What arrives in the home from now on is a save, not part of the image.
            self.session.ledger.note_awaited(self.entry.path)
        if self._has_news():
            return True
        if seen is None or not self.now.actions or self.now.actions == self.done:
            self.error = refusal_of(self.session, self.entry, self.now)
            return True
        self.acted = self.acted or self.now
        if self.dry_run:
            return True
        self._apply(seen)
        if self.now.decision is not Decision.RECOVER:
            self.event = NO_EVENT  # it has been handled
        # A mode that a file system does not accept is not set again.
        self.done = self.now.actions if _is_mode_only(self.now) else ()
        return False

    def _is_known(self) -> bool:
        """Whether the home has nothing there, or a directory without a link of which all is recorded."""
        if self.now.decision is Decision.WAIT:
            return True
        stays = self.now.decision in (Decision.SPECIAL, Decision.PERHAPS_WRITTEN)
        return stays and not self.session.ledger.link(self.entry.path)

    def _has_news(self) -> bool:
        """Whether the last look may show what an event that was not read yet explains. Then it ends here."""
        in_place = self.now == Plan(Decision.LINKED)
        if in_place or self.dry_run or not self.session.has_news(self.entry.path):
            return False
        if not self.acted:
            self.error = changing_error(self.entry.path)
        return True

    def _apply(self, seen: Observation) -> None:
        # Imported only if something has to be done: most runs find everything in place.
        from coder_ws_runtime.persist.reconcile.apply import apply  # noqa: PLC0415
        from coder_ws_runtime.persist.reconcile.path_work import Context, in_home  # noqa: PLC0415

        session, entry, now = self.session, self.entry, self.now
        tell = self.progress or session.monitor.advance
        context = Context(session.home, session.volume, session.ledger, session.attic, tell)
        context.follow_link = session.follow_link

        copied = [
            (action.origin, path)
            for action in now.actions
            if action.operation is not Operation.NOTE_COPIES
            for path in action.paths
        ]

        def total() -> int:
            return amount((session.home, in_home(entry, path, origin)) for origin, path in copied)

        try:
            with session.monitor.work(f"~/{entry.path}{entry.slash}", total) if copied else nullcontext():
                apply(entry, seen, now.actions, context)
                session.ledger.note_marks(context.marks)
        finally:
            self.left_over += context.left_over
            self.links.update(context.links)

    def remark(self, told: Plan) -> tuple[str, str, str]:
        """What the user should know: problem, hint and code."""
        if self.left_over:
            return (
                f"what the link replaced could not be removed, and is at {', '.join(self.left_over)}",
                "the volume has all of it too: check its owner (ls -l), and remove it as root",
                "path.left-over",
            )
        problem, hint, code = told.problem, told.hint, told.code
        if not problem and self.links:
            lost = links_that_die(self.session.home, self.entry.path, self.links)
            if lost:
                first = next(iter(lost))
                more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
                problem = f"the link {first!r} in it leads to {visible(lost[first])}{more}, which is not kept"
                hint = "declare the link's target too"
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


def _is_mode_only(done: Plan) -> bool:
    return all(action.operation is Operation.SET_MODE for action in done.actions)
