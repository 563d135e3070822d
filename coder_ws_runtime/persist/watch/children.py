"""Settle a path together with the directories inside it that are this workspace's own."""

from collections.abc import Iterable

from coder_ws_runtime.persist.manifest.entry import Child, Entry
from coder_ws_runtime.persist.reconcile.event import LinkEvent
from coder_ws_runtime.persist.reconcile.settle import Outcome, settle
from coder_ws_runtime.persist.session import Session


def settle_with_children(
    session: Session, entry: Entry, children: Iterable[Child], event: LinkEvent
) -> Outcome:
    """Settle one path, as `settle`.

    Args:
        session: home and volume, opened.
        entry: what is declared.
        children: all that are declared.
        event: what the kernel reported about the link.
    """
    inside = [child for child in children if child.parent.path == entry.path]
    if not inside:
        return settle(session, entry, event=event)
    from coder_ws_runtime.persist.child_content import settle_parent  # noqa: PLC0415 - not every image has any

    return settle_parent(session, entry, inside, event)
