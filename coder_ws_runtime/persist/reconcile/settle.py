"""Make one path true: look, plan, carry out, until nothing is left to do."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.copying import ChangedError
from coder_ws_runtime.fs.writers import BusyError
from coder_ws_runtime.persist.failures import failure_of
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.manifest.paths import in_shell
from coder_ws_runtime.persist.monitor import amount
from coder_ws_runtime.persist.reconcile.event import NO_EVENT, LinkEvent
from coder_ws_runtime.persist.reconcile.observation import Observation
from coder_ws_runtime.persist.reconcile.plan import Decision, Operation, Plan, plan
from coder_ws_runtime.persist.session import Session

# How often a path is looked at again when it changes under our hands.
_ATTEMPTS = 12


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

    @property
    def code(self) -> str:
        """The stable code of what became of it: of the error, if there is one, else of the decision."""
        return self.error.code if self.error else self.decision.value


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
    acted: Plan | None = None
    now = Plan(Decision.FAILED)
    error: UserError | None = None
    before = session.attic.count
    for attempt in range(_ATTEMPTS):
        try:
            # Most paths need nothing; only what does is looked at as a whole, and locked.
            now = plan(entry, session.glance(entry), event=event)
            with _lock_path(session, entry) if now.actions and not dry_run else nullcontext():
                if now.actions:
                    seen = session.look(entry)
                    now = plan(entry, seen, event=event)
                if not now.actions:
                    error = _refusal(entry, now)
                    break
                acted = acted or now
                if dry_run:
                    break
                _apply(session, entry, seen, now, progress)
                event = NO_EVENT  # it is dealt with
        except (ChangedError, FileNotFoundError):
            time.sleep(min(0.001 * 2**attempt, 0.2))
        except BusyError as busy:
            error = _in_use(entry, busy)
            break
        except OSError as failure:
            now = acted or Plan(Decision.FAILED)
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
        told.decision,
        changed=acted is not None,
        problem="" if error else told.problem,
        hint="" if error else told.hint,
        error=error,
        attic=session.attic.since(before),
    )


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


def _apply(
    session: Session, entry: Entry, seen: Observation, now: Plan, progress: Callable[[int], None] | None
) -> None:
    # Loaded only when something is to be done: most runs find everything in place.
    from coder_ws_runtime.persist.reconcile import apply  # noqa: PLC0415

    tell = progress or session.monitor.advance
    context = apply.Context(session.home, session.volume, session.ledger, session.attic, tell)

    def total() -> int:
        sides = ((action.origin, path) for action in now.actions for path in action.paths)
        return amount((session.home, apply.in_home(entry, path, origin)) for origin, path in sides)

    with session.monitor.work(f"~/{entry.path}{entry.slash}", total):
        apply.apply(entry, seen, now.actions, context)


def save(session: Session, entry: Entry) -> None:
    """Copy what the home has to the volume, even what is being written, and leave the home as it is.

    For content that cannot be linked any more because the container is about to end.

    Raises:
        ChangedError, OSError: it was not saved.
    """
    from coder_ws_runtime.persist.reconcile import apply  # noqa: PLC0415 - as above

    seen = session.look(entry, refuse_writers=False)
    actions = [action for action in plan(entry, seen).actions if action.operation in _SAVING]
    context = apply.Context(session.home, session.volume, session.ledger, session.attic, refuse_writers=False)
    apply.apply(entry, seen, actions, context)


_SAVING = frozenset({Operation.COPY_IN, Operation.SUPERSEDE, Operation.TO_ATTIC})


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
    code = "path.mounted" if now.decision is Decision.MOUNTED else "path.special"
    return RefusedError(now.problem, code=code, place=f"~/{entry.path}", hint=now.hint)
