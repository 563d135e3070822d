"""Save what the home has without making a link, before the container ends."""

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.fs.errors import ChangedError
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.reconcile.actions import Action, Decision, Operation
from coder_ws_runtime.persist.reconcile.apply import apply
from coder_ws_runtime.persist.reconcile.observe import look
from coder_ws_runtime.persist.reconcile.path_work import Context
from coder_ws_runtime.persist.reconcile.plan import plan
from coder_ws_runtime.persist.reconcile.settle import ATTEMPTS, Outcome, pause
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.journals import journals

_IN_USE = frozenset({"path.in-use", "path.busy", "path.database-open"})
_SAVING = frozenset(
    {
        Operation.NOTE_COPIES,
        Operation.COPY_IN,
        Operation.SUPERSEDE,
        Operation.COPY_METADATA,
        Operation.TO_ATTIC,
    }
)


def save(session: Session, entry: Entry) -> None:
    """Copy what the home has to the volume, even files that are being written; do not change the home.

    For content that can no longer be linked because the container is about to end.

    Raises:
        ChangedError, OSError: it was not saved.
    """
    seen = look(session, entry, refuse_writers=False)
    actions = [action for action in plan(entry, seen).actions if action.operation in _SAVING]
    context = Context(session.home, session.volume, session.ledger, session.attic)
    apply(entry, seen, actions, context)
    if seen.home is None or seen.home.kind is not Kind.FILE:
        return
    lost = any(action.operation is Operation.TO_ATTIC for action in actions)
    with session.home.parent(entry.path) as mine:
        found = journals(*mine)
    for suffix in found:  # they go where their database has gone
        its = replace(entry, path=f"{entry.path}{suffix}", on_volume=f"{entry.on_volume}{suffix}")
        seen = look(session, its, refuse_writers=False)
        if not any(pair.safe for pair in seen.pairs):
            operation = Operation.COPY_IN if seen.volume is None else Operation.SUPERSEDE
            whole = Action(Operation.TO_ATTIC if lost else operation, paths=("",))
            apply(its, seen, (whole,), context)


def save_open(session: Session, outcome: Outcome) -> Outcome:
    """Save a path that could not be linked because a program writes it; returns what to report about it."""
    if outcome.error is None or outcome.error.code not in _IN_USE:
        return outcome
    reason = "it keeps changing"
    for attempt in range(ATTEMPTS):
        try:
            save(session, outcome.entry)
        except (ChangedError, FileNotFoundError):
            pause(attempt)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this path and not the others
            reason = str(error)
            break
        else:
            return outcome
    failure = RefusedError(f"not saved: {reason}", code="path.not-saved", place=f"~/{outcome.entry.path}")
    return Outcome(outcome.entry, Decision.FAILED, error=failure)
