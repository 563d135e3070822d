"""What is to be done with a declared path. Pure: every decision is here, and nothing else.

One rule holds in every decision: nothing is removed that is not, byte for byte, somewhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.reconcile.event import NO_EVENT, Fate, LinkEvent
from coder_ws_runtime.persist.reconcile.observation import Difference, Node, Observation, Origin, Pair


class Decision(Enum):
    """The rows of the table in docs/persistence.md; the value is the stable code."""

    LINKED = "path.linked"
    CREATE = "path.created"
    LINK = "path.link-made"
    RELINK = "path.link-corrected"
    SEED = "path.seeded"
    MERGE = "path.merged"
    VOLUME_WINS = "path.volume-wins"
    HOME_WINS = "path.home-wins"
    TYPE_CONFLICT = "path.other-type"
    WAIT = "path.not-written-yet"
    DIVERTED = "path.diverted"
    DELETED = "path.deleted"
    MOVED = "path.moved"
    DEPARTED = "path.moved-away"
    RECOVER = "path.recovered"
    SPECIAL = "path.special"
    MOUNTED = "path.mounted"
    FAILED = "path.failed"

    @property
    def text(self) -> str:
        """The word in reports."""
        return _TEXT[self]


_TEXT = {
    Decision.LINKED: "linked",
    Decision.CREATE: "created",
    Decision.LINK: "link made",
    Decision.RELINK: "link corrected",
    Decision.SEED: "seeded",
    Decision.MERGE: "merged",
    Decision.VOLUME_WINS: "volume wins",
    Decision.HOME_WINS: "home wins",
    Decision.TYPE_CONFLICT: "type conflict",
    Decision.WAIT: "not written yet",
    Decision.DIVERTED: "diverted",
    Decision.DELETED: "deleted",
    Decision.MOVED: "moved",
    Decision.DEPARTED: "moved away",
    Decision.RECOVER: "recovered",
    Decision.SPECIAL: "not linked",
    Decision.MOUNTED: "mounted",
    Decision.FAILED: "failed",
}


class Operation(Enum):
    """What one action of a plan does. Each is one mutation, so that a crash falls between two."""

    MAKE_TARGET = "create the directory on the volume"
    MAKE_TARGET_PARENT = "create the directory that is to hold the file on the volume"
    SET_MODE = "give the target its declared mode"
    COPY_IN = "copy what the volume lacks to it"
    SUPERSEDE = "put the home's copies in the place of the volume's, which go to the attic"
    TO_ATTIC = "copy the home's copies to the attic"
    VOLUME_TO_ATTIC = "move the volume's copy to the attic"
    MAKE_LINK = "make the link where there is nothing"
    REPLACE_LINK = "put the right link in the place of a wrong one of ours"
    REPLACE_CONTENT = "put the link in the place of content that is safe elsewhere"
    DROP_ASIDE = "remove what was set aside: a link, or content that is safe elsewhere"
    RECORD = "note in the ledger that this container has made the link"
    FORGET = "note in the ledger that there is no link"
    NOTE_LEFT = "note in the ledger that the link was deleted or renamed"
    DROP_LINK = "remove our link, which leads nowhere"


@dataclass(frozen=True, slots=True)
class Action:
    """One step for one path."""

    operation: Operation
    origin: Origin = Origin.HOME
    """Which content of the home side is copied."""
    paths: tuple[str, ...] = ()
    """What is copied, relative to the entry."""
    mode: int | None = None
    """For SET_MODE."""
    fate: Fate = Fate.NONE
    """For NOTE_LEFT."""


MAKE_TARGET = Action(Operation.MAKE_TARGET)
MAKE_TARGET_PARENT = Action(Operation.MAKE_TARGET_PARENT)
VOLUME_TO_ATTIC = Action(Operation.VOLUME_TO_ATTIC)
MAKE_LINK = Action(Operation.MAKE_LINK)
REPLACE_LINK = Action(Operation.REPLACE_LINK)
REPLACE_CONTENT = Action(Operation.REPLACE_CONTENT)
DROP_ASIDE = Action(Operation.DROP_ASIDE)
RECORD = Action(Operation.RECORD)
FORGET = Action(Operation.FORGET)
DROP_LINK = Action(Operation.DROP_LINK)


@dataclass(frozen=True, slots=True)
class Plan:
    """The next actions for one path; it is settled when there are none.

    `problem` says what a person should know or do, empty if nothing; `refused` whether the path is
    not as declared because of it.
    """

    decision: Decision
    actions: tuple[Action, ...] = ()
    problem: str = ""
    hint: str = ""
    refused: bool = False


def plan(entry: Entry, seen: Observation, *, event: LinkEvent = NO_EVENT) -> Plan:
    """The next step for one path, by the table in docs/persistence.md.

    Args:
        entry: what is declared.
        seen: what is there.
        event: what the kernel said of the link. Without an event a missing link is not a deletion.
    """
    if seen.diverted_at is not None:
        return _diverted(entry, seen)
    if seen.aside is not None:
        return _recover(seen)
    home = seen.home
    if home is None:
        return _nothing(entry, seen, event)
    if seen.ours:
        return _our_link(entry, seen, home)
    if seen.mounted is not None or home.kind is Kind.SPECIAL:
        return _immovable(seen)
    return _conflict(entry, seen) if _type_conflict(entry, home, seen.volume) else _content(seen, home)


def _diverted(entry: Entry, seen: Observation) -> Plan:
    """The user's own link is a decision: nothing is moved, replaced or changed on the volume for it."""
    where = (
        "is your own link"
        if seen.diverted_at == entry.path
        else f"lies behind your own link ~/{seen.diverted_at}"
    )
    waits = "; the volume's copy waits" if seen.volume is not None else ""
    return Plan(
        Decision.DIVERTED,
        problem=f"{where} to {seen.diverted_to}, so it is not persisted here{waits}",
        hint=f"to persist it: remove the link ~/{seen.diverted_at}, then: home-persist resolve",
    )


_SPECIAL_HINT = "stop the program that made it, remove it, then: home-persist resolve"


def _immovable(seen: Observation) -> Plan:
    if seen.mounted is not None:
        what, hint = mounted(seen.mounted)
        hint = f"{hint}; to take it out: home-persist remove"
        return Plan(Decision.MOUNTED, problem=what, hint=hint, refused=True)
    what = "a socket, FIFO or device lies in the place of the link"
    return Plan(Decision.SPECIAL, problem=what, hint=_SPECIAL_HINT, refused=True)


def mounted(inside: str) -> tuple[str, str]:
    """What is to be said of content that is a mount point, or has one in it, and how to mend it.

    What is mounted lasts by itself, or was mounted to be there for a while. A link cannot take its place, and
    what a move empties is somebody's file system.
    """
    if not inside:
        return (
            "something is mounted there, which is not moved",
            "leave it out: what is mounted need not be kept",
        )
    return f"{inside!r} in it is a mount point, which is not moved", "declare what else is in it one by one"


def points_into(target: str, volume_root: str) -> bool:
    """Whether a link's text is an absolute path below the volume."""
    return target.startswith(volume_root + "/")


def _nothing(entry: Entry, seen: Observation, event: LinkEvent) -> Plan:
    """There is nothing at the path. Only an event says why."""
    if seen.replaced and seen.volume is not None:
        if event.fate is Fate.DELETED and seen.parent:
            return _deleted(entry)
        if event.fate in (Fate.MOVED, Fate.DEPARTED):
            return _left(event.fate, note=True)
        if seen.left is not Fate.NONE:
            return _left(seen.left, note=False)
    if seen.volume is None and entry.kind is not Kind.DIRECTORY and seen.watched:
        return Plan(Decision.WAIT)
    decision = Decision.CREATE if seen.volume is None else Decision.LINK
    return _linked(decision, (*_target(entry, seen), MAKE_LINK, RECORD), entry, seen)


def _deleted(entry: Entry) -> Plan:
    """A program that deletes the link to a file means the file; one of a directory may mean the link."""
    if entry.kind is Kind.DIRECTORY:
        return _left(Fate.DELETED, note=True)
    return Plan(Decision.DELETED, (VOLUME_TO_ATTIC, FORGET))


def _left(fate: Fate, *, note: bool) -> Plan:
    """The link was deleted or renamed: the volume's copy stays, without a link until the next resolve."""
    deleted = fate is Fate.DELETED
    return Plan(
        Decision.DELETED if deleted else Decision.DEPARTED,
        (Action(Operation.NOTE_LEFT, fate=fate),) if note else (),
        problem=f"the link was {'deleted' if deleted else 'renamed'}; its content is kept on the volume",
        hint="to link it again: home-persist resolve; to stop persisting it: home-persist remove",
    )


def _our_link(entry: Entry, seen: Observation, home: Node) -> Plan:
    right = home.target == seen.link
    if right and seen.volume is None and entry.kind is not Kind.DIRECTORY and seen.watched:
        # It leads nowhere. Programs test, lock and replace such a link; without it they simply write.
        return Plan(Decision.WAIT, (DROP_LINK,))
    actions: tuple[Action, ...] = _target(entry, seen)
    decision = Decision.CREATE if actions and seen.volume is None else Decision.LINKED
    if not right:
        decision = Decision.RELINK
        actions = (*actions, REPLACE_LINK)
    if not right or not seen.replaced:
        actions = (*actions, RECORD)
    return _linked(decision, actions, entry, seen)


def _target(entry: Entry, seen: Observation) -> tuple[Action, ...]:
    """What is missing on the volume for a link to lead somewhere."""
    if seen.volume is None:
        if entry.kind is Kind.DIRECTORY:
            return (MAKE_TARGET,)
        return () if seen.volume_parent else (MAKE_TARGET_PARENT,)
    if entry.mode is not None and seen.volume.mode != entry.mode and seen.volume.kind is not Kind.LINK:
        return (Action(Operation.SET_MODE, mode=entry.mode),)
    return ()


def _linked(decision: Decision, actions: tuple[Action, ...], entry: Entry, seen: Observation) -> Plan:
    """A plan that ends in a link, with a remark if the volume has another type than declared."""
    if seen.volume is None or not other_type(entry.kind, seen.volume.kind):
        return Plan(decision, actions)
    fix = f"{entry.path}/" if seen.volume.kind is Kind.DIRECTORY else entry.path
    return Plan(
        decision,
        actions,
        problem=f"declared as a {entry.kind.value}, and the volume has a {seen.volume.kind.value}",
        hint=f"declare it as {fix!r}, or move it away on the volume",
    )


def other_type(declared: Kind, found: Kind) -> bool:
    """A file may be a link to one; a directory is a directory."""
    return (declared is Kind.DIRECTORY) != (found is Kind.DIRECTORY) or found is Kind.SPECIAL


def _type_conflict(entry: Entry, home: Node, volume: Node | None) -> bool:
    if other_type(entry.kind, home.kind):
        return True
    return volume is not None and volume.kind is not home.kind


def _conflict(entry: Entry, seen: Observation) -> Plan:
    """Another type than declared or than the volume has: the volume wins, nothing is destroyed."""
    special = _special(seen.pairs)
    if special:
        return _left_in_place(special)
    home = seen.home.kind.value if seen.home else "nothing"
    where = (
        f"the volume has a {seen.volume.kind.value}" if seen.volume else f"a {entry.kind.value} is declared"
    )
    return Plan(
        Decision.TYPE_CONFLICT,
        (Action(Operation.TO_ATTIC, paths=("",)), *_target(entry, seen), REPLACE_CONTENT, RECORD),
        problem=f"the home had a {home} where {where}; it is in the attic",
        hint="home-persist attic list",
    )


def _content(seen: Observation, home: Node) -> Plan:
    """Content in the home, of the type that is declared and that the volume has, if it has any."""
    special = _special(seen.pairs)
    if special:
        # It goes on being written where it is, so the later copy wins.
        saved, lost = _saved(
            Origin.HOME,
            seen.pairs,
            home_wins=lambda pair: seen.replaced or (pair.newer and pair.identity is None),
        )
        return _left_in_place(special, (*saved, *lost))
    saved, lost = _saved(Origin.HOME, seen.pairs, home_wins=lambda _: seen.replaced)
    actions = (*saved, *lost, REPLACE_CONTENT, RECORD)
    if seen.volume is None:
        return Plan(Decision.SEED, actions)
    if not any(pair.difference is Difference.DIFFERS for pair in seen.pairs):
        return Plan(Decision.MERGE, actions)
    if seen.replaced:
        return Plan(Decision.HOME_WINS, actions)
    decision = Decision.MERGE if home.kind is Kind.DIRECTORY else Decision.VOLUME_WINS
    return Plan(decision, actions)


def _recover(seen: Observation) -> Plan:
    """Content that an interrupted run had set aside: the later save wins, the other goes to the attic."""
    if seen.aside is not None and seen.aside.kind is Kind.LINK and seen.aside.target == seen.link:
        return Plan(Decision.RECOVER, (DROP_ASIDE,))
    special = _special(seen.pairs)
    # What is in the attic has lost already. What is not, and was written after the volume's, is a save
    # that came while the link took its place.
    saved, lost = _saved(
        Origin.ASIDE, seen.pairs, home_wins=lambda pair: pair.newer and pair.identity is None
    )
    if special:
        return _left_in_place(special, (*saved, *lost))
    # It was swapped with our link, and we may have died before that was noted.
    return Plan(Decision.RECOVER, (*saved, *lost, RECORD, DROP_ASIDE))


def _saved(
    origin: Origin, pairs: tuple[Pair, ...], *, home_wins: Callable[[Pair], bool]
) -> tuple[tuple[Action, ...], tuple[Action, ...]]:
    """The copies after which nothing of the home side exists there alone.

    Returns:
        What brings the volume up to date, and what keeps the home's losing copies in the attic.
    """
    missing = tuple(pair.path for pair in pairs if pair.difference is Difference.MISSING)
    differ = [pair for pair in pairs if pair.difference is Difference.DIFFERS]
    winners = tuple(pair.path for pair in differ if home_wins(pair))
    losers = tuple(pair.path for pair in differ if not home_wins(pair) and pair.identity is None)
    saved: list[Action] = []
    if missing:
        saved.append(Action(Operation.COPY_IN, origin, missing))
    if winners:
        saved.append(Action(Operation.SUPERSEDE, origin, winners))
    return tuple(saved), ((Action(Operation.TO_ATTIC, origin, losers),) if losers else ())


def _special(pairs: tuple[Pair, ...]) -> list[str]:
    return [pair.path for pair in pairs if pair.difference is Difference.SPECIAL]


def _left_in_place(special: list[str], saved: tuple[Action, ...] = ()) -> Plan:
    """A directory with a socket in it: the volume is brought up to date, and it stays where it is."""
    return Plan(
        Decision.SPECIAL,
        saved,
        problem=f"{special[0]!r} in it is a socket, FIFO or device: it is left in the home and not linked",
        hint=_SPECIAL_HINT,
        refused=True,
    )
