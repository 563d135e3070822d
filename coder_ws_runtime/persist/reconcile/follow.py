"""Follow the rename of a managed symlink whose path is not declared any longer, or was declared otherwise."""

from coder_ws_runtime.errors import UserError
from coder_ws_runtime.fs.errors import BusyError, ChangedError
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile.apply import apply
from coder_ws_runtime.persist.reconcile.event import LinkEvent
from coder_ws_runtime.persist.reconcile.observe import glance
from coder_ws_runtime.persist.reconcile.path_work import Context
from coder_ws_runtime.persist.reconcile.plan_after_rename import plan_after_rename
from coder_ws_runtime.persist.session import Session


def follow(session: Session, entry: Entry, event: LinkEvent) -> bool:
    """Do what the rename of a link asks for, and nothing else: what is at the path is not moved or linked.

    Args:
        session: home and volume, opened.
        entry: the path as it was declared when the link was made.
        event: where the link is now.

    Returns:
        Whether it was done; if not, the next run tries it again.
    """
    context = Context(session.home, session.volume, session.ledger, session.attic)
    try:
        with session.ledger.lock(entry.path, wait=session.wait_for_locks):
            session.ledger.refresh()
            seen = glance(session, entry, event)  # content at the path does not matter
            planned = plan_after_rename(entry, seen, event)
            if planned is None:
                return False
            apply(entry, seen, planned.actions, context)
            session.ledger.note_marks(context.marks)
    except (OSError, BusyError, ChangedError, UserError):
        return False
    return True
