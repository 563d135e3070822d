"""The state of one path, in a word, and its meaning. Pure."""

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
    REMOVED = "removed"
    OTHER_SCOPE = "other scope"
    NOT_DECLARED = "not declared"

    @property
    def fine(self) -> bool:
        """Whether nothing needs to be done about it."""
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
        State.REMOVED,
        State.OTHER_SCOPE,
        State.NOT_DECLARED,
    }
)
MEANING = {
    State.LINKED: "the link in the home leads to the content on the volume",
    State.UNWRITTEN: "no program has written the file yet",
    State.DELETED: "the file was deleted; home-persist attic restore PATH brings it back",
    State.NOT_LINKED: "the link is missing, or was deleted; home-persist resolve creates it",
    State.ASTRAY: "the link leads to another place on the volume; home-persist resolve corrects it",
    State.NO_TARGET: "the link leads to a directory that does not exist; home-persist resolve creates it",
    State.REPLACED: "a program replaced the link with new content, which is in this container only until"
    " the daemon or home-persist resolve moves it to the volume",
    State.ONLY_IN_HOME: "in this container only, so it is lost with it; home-persist resolve moves it"
    " to the volume",
    State.TWO_COPIES: "home and volume both have content; home-persist resolve merges them, and the replaced"
    " versions go to the attic",
    State.OTHER_TYPE: "declared as a file but found as a directory, or the reverse;"
    " home-persist resolve --dry-run says what would be done",
    State.INTERRUPTED: "a run was interrupted; nothing is lost, and home-persist resolve continues it",
    State.IN_THE_WAY: "a socket, FIFO or device is in place of the link; stop the program that made it, and"
    " remove it",
    State.MOUNTED: "something is mounted there or inside it, so it is left as it is; remove it from the"
    " declarations, or declare the other paths in it",
    State.BLOCKED: "a component of its path is a file, or a symlink on the volume; remove that",
    State.DIVERTED: "your own link is at the path or above it, so it is left as it is and is not"
    " persisted here; if you remove the link, home-persist resolve links the path again",
    State.UNREADABLE: "it cannot be read",
    State.OFF: "declared, but you switched it off; home-persist add switches it on again",
    State.UNKEPT: "inside a directory that is kept, but declared to be in this container only",
    State.SHARED: "declared to be each workspace's own inside a shared directory, but still shared;"
    " home-persist resolve says why",
    State.REMOVED: "another workspace removed it, so it is no longer kept; home-persist attic restore PATH"
    " copies it into this home, and home-persist add keeps it again",
    State.OTHER_SCOPE: "a copy on the volume from before the path's scope changed, which nothing here uses;"
    " home-persist remove --scope SCOPE PATH moves it to the attic",
    State.NOT_DECLARED: "on the volume, but not declared in this workspace (another one may declare it);"
    " home-persist add links it, home-persist remove moves it to the attic",
}


def state_of(entry: Entry, seen: Observation) -> State:
    """The state of a declared path. Pure.

    Args:
        entry: the declaration.
        seen: what there is; its pairs are not used.
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
