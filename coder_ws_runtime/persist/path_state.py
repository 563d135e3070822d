"""The state of one path, in a word, and what that word means. Pure."""

from enum import Enum

from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.reconcile.observation import Node, Observation
from coder_ws_runtime.persist.reconcile.plan import other_type


class State(Enum):
    """The state of a path; the value is the word in the table."""

    LINKED = "linked"
    UNWRITTEN = "unwritten"
    DELETED = "deleted"
    NOT_LINKED = "not linked"
    ASTRAY = "wrong link"
    NO_TARGET = "no target"
    REPLACED = "replaced"
    ONLY_IN_HOME = "only in home"
    TWO_COPIES = "two copies"
    OTHER_TYPE = "other type"
    INTERRUPTED = "interrupted"
    IN_THE_WAY = "in the way"
    MOUNTED = "mounted"
    BLOCKED = "blocked"
    DIVERTED = "diverted"
    UNREADABLE = "unreadable"
    OFF = "switched off"
    UNKEPT = "not kept"
    SHARED = "shared"
    OTHER_SCOPE = "other scope"
    NOT_DECLARED = "not declared"

    @property
    def fine(self) -> bool:
        """Whether there is nothing to be done about it."""
        return self in _FINE


_FINE = frozenset(
    {
        State.LINKED,
        State.UNWRITTEN,
        State.DELETED,
        State.DIVERTED,
        State.OFF,
        State.UNKEPT,
        State.SHARED,
        State.OTHER_SCOPE,
        State.NOT_DECLARED,
    }
)
MEANING = {
    State.LINKED: "the link in the home leads to the content on the volume",
    State.UNWRITTEN: "no program has written the file yet",
    State.DELETED: "linked; the file was deleted, and a copy of it is in the attic;"
    " home-persist attic restore PATH brings it back",
    State.NOT_LINKED: "there is no link, or it was deleted; home-persist resolve makes it",
    State.ASTRAY: "the link leads to another place on the volume; home-persist resolve corrects it",
    State.NO_TARGET: "the link leads to a directory that is not there; home-persist resolve makes it",
    State.REPLACED: "a program put new content in the place of the link; it is in this container only until"
    " the daemon or home-persist resolve moves it to the volume",
    State.ONLY_IN_HOME: "in this container only, so it would be gone with it; home-persist resolve moves it"
    " to the volume",
    State.TWO_COPIES: "home and volume both have content; home-persist resolve merges them, and what loses"
    " goes to the attic",
    State.OTHER_TYPE: "declared as a file and found as a directory, or the other way round;"
    " home-persist resolve --dry-run says what would be done",
    State.INTERRUPTED: "a run was interrupted halfway and nothing is lost; home-persist resolve goes on",
    State.IN_THE_WAY: "a socket, FIFO or device has the place of the link; stop the program that made it, and"
    " remove it",
    State.MOUNTED: "something is mounted there or in it, so it is left as it is; take it out of the"
    " declarations, or declare what else is in it",
    State.BLOCKED: "a file is on the way to it, or a symlink on the volume; remove it",
    State.DIVERTED: "your own link is in its place or on the way to it, so it is left as you made it and not"
    " persisted here; without the link home-persist resolve links it again",
    State.UNREADABLE: "it cannot be looked at",
    State.OFF: "declared, and switched off by you; home-persist add switches it on again",
    State.UNKEPT: "below a directory that is kept, and itself in this container only, as declared",
    State.SHARED: "to be each workspace's own below a shared directory, and not yet; home-persist resolve"
    " says why",
    State.OTHER_SCOPE: "a copy on the volume from before the path's scope changed, which nothing here uses;"
    " home-persist remove --scope SCOPE PATH puts it into the attic",
    State.NOT_DECLARED: "on the volume, and nothing in this workspace declares it, though another may;"
    " home-persist add links it, home-persist remove puts it into the attic",
}


def state_of(entry: Entry, seen: Observation) -> State:
    """The state of a declared path. Pure.

    Args:
        entry: what is declared.
        seen: what is there; its pairs are not asked.
    """
    home = seen.home
    if seen.diverted_at is not None:
        return State.DIVERTED
    if seen.aside is not None:
        return State.INTERRUPTED
    if home is None:
        waits = entry.kind is not Kind.DIRECTORY and seen.volume is None and seen.watched
        return State.UNWRITTEN if waits else State.NOT_LINKED
    if seen.ours:
        return _of_link(entry, seen) if home.target == seen.link else State.ASTRAY
    return _of_content(entry, seen, home)


def _of_link(entry: Entry, seen: Observation) -> State:
    if seen.volume is None:
        dangles = entry.kind is Kind.DIRECTORY or not seen.volume_parent
        return State.NO_TARGET if dangles else State.UNWRITTEN
    return State.OTHER_TYPE if other_type(entry.kind, seen.volume.kind) else State.LINKED


def _of_content(entry: Entry, seen: Observation, home: Node) -> State:
    if seen.mounted is not None:
        return State.MOUNTED
    if home.kind is Kind.SPECIAL:
        return State.IN_THE_WAY
    if other_type(entry.kind, home.kind) or (seen.volume is not None and seen.volume.kind is not home.kind):
        return State.OTHER_TYPE
    if seen.replaced:
        return State.REPLACED
    return State.ONLY_IN_HOME if seen.volume is None else State.TWO_COPIES
