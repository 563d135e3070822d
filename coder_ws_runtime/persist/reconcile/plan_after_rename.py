"""Decide what to do when an event says that the managed symlink was renamed. Pure, as :mod:`.plan`."""

from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile.actions import Action, Decision, Operation, Plan
from coder_ws_runtime.persist.reconcile.event import Fate, LinkEvent
from coder_ws_runtime.persist.reconcile.observation import Observation


def plan_after_rename(entry: Entry, seen: Observation, event: LinkEvent) -> Plan | None:
    """A rename of the link is a rename of the file: what is at the new name gets the content.

    Returns:
        The actions; None if there is no link of ours to follow.
    """
    if event.fate is not Fate.MOVED or seen.volume is None or not _is_at_new_name(seen):
        return None
    if seen.ours and seen.diverted_at is None and seen.home != seen.new_name:
        return None  # an exchange was interrupted: both links are corrected
    if _is_exchanged(entry, seen, event):
        return Plan(Decision.MOVED, (Action(Operation.EXCHANGE_TARGETS, event=event),))
    behind_link = seen.diverted_at is not None and not (event.followed and seen.diverted_at == entry.path)
    if behind_link and not _is_link_back(entry, seen):
        return None
    if event.entry is not None:
        return Plan(Decision.MOVED, (Action(Operation.RENAME_TARGET, event=event),))
    # What is saved at the old name replaces the volume's copy; until then the copy stays, without a link.
    left = Action(Operation.NOTE_LEFT, fate=Fate.MOVED)
    return Plan(Decision.MOVED, (Action(Operation.COPY_OUT, event=event), left))


def _is_at_new_name(seen: Observation) -> bool:
    """Whether what an event reported as renamed is still our link."""
    return seen.new_name is not None and seen.new_name.target == seen.link


def _is_exchanged(entry: Entry, seen: Observation, event: LinkEvent) -> bool:
    """Whether the link of the new name's own path, or of the last one in turn, is in its place."""
    if not event.turn or seen.diverted_at != entry.path:
        return False
    return seen.diverted_to == f"{seen.volume_root}/{event.turn[-1].on_volume}"


def _is_link_back(entry: Entry, seen: Observation) -> bool:
    """Whether the user's link is in the place of the renamed one, as where a file moved to a repository.

    Behind a link on the way to the path, the renamed one is reached as before.
    """
    return seen.diverted_at == entry.path and not seen.diverted_to.startswith(f"{seen.volume_root}/")
