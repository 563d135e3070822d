"""Look at a declared path of an opened workspace: quickly, or with all its content."""

from dataclasses import replace

from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.reconcile import observe as observation
from coder_ws_runtime.persist.reconcile.event import NO_EVENT, Fate, LinkEvent
from coder_ws_runtime.persist.reconcile.observation import Observation
from coder_ws_runtime.persist.session import Session


def look(
    session: Session, entry: Entry, event: LinkEvent = NO_EVENT, *, refuse_writers: bool = True
) -> Observation:
    """What is there of one path. Raises as :func:`coder_ws_runtime.persist.reconcile.observe.observe`."""
    seen = glance(session, entry, event)
    if seen.mounted is not None:  # it is not moved, so its content does not matter
        return seen
    looked = observation.observe(
        entry, session.home, session.volume.anchor, ledger=session.ledger, refuse_writers=refuse_writers
    )
    return replace(looked, watched=seen.watched, left=seen.left, new_name=seen.new_name)


def glance(session: Session, entry: Entry, event: LinkEvent = NO_EVENT) -> Observation:
    """What is there of one path, without its content. Raises as `look`."""
    seen = observation.glance(entry, session.home, session.volume.anchor, ledger=session.ledger)
    if session.relink:
        seen = replace(seen, left=Fate.NONE)
    if event.fate is Fate.MOVED:
        seen = replace(seen, new_name=observation.node_at(session.home, event.path))
    if seen.home is None or seen.home.kind is Kind.LINK:
        if seen.volume is None and entry.kind is Kind.FILE:
            return replace(seen, watched=session.watched)
        return seen
    return replace(seen, mounted=session.mounted_in(entry.path))
