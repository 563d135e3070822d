"""What is to be done with a declared path. Pure: every decision is here, and nothing else.

One rule holds in every row: nothing is removed that is not, byte for byte, somewhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.reconcile.observation import Difference, Node, Observation, Origin, Pair


class Row(Enum):
    """The rows of the table in docs/persistence.md; the value is the word in reports."""

    LINKED = "linked"
    CREATE = "created"
    LINK = "link made"
    RELINK = "link corrected"
    SEED = "seeded"
    MERGE = "merged"
    VOLUME_WINS = "volume wins"
    HOME_WINS = "home wins"
    TYPE_CONFLICT = "type conflict"
    DELETED = "deleted"
    RECOVER = "recovered"
    SPECIAL = "not linked"
    MOUNTED = "mounted"
    FAILED = "failed"


class Verb(Enum):
    """The steps that a plan is made of. Each is one mutation, so that a crash falls between two."""

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


@dataclass(frozen=True, slots=True)
class Action:
    """One step for one path."""

    verb: Verb
    origin: Origin = Origin.HOME
    """Which content of the home side is copied."""
    paths: tuple[str, ...] = ()
    """What is copied, relative to the entry."""
    mode: int | None = None
    """For SET_MODE."""


MAKE_TARGET = Action(Verb.MAKE_TARGET)
MAKE_TARGET_PARENT = Action(Verb.MAKE_TARGET_PARENT)
VOLUME_TO_ATTIC = Action(Verb.VOLUME_TO_ATTIC)
MAKE_LINK = Action(Verb.MAKE_LINK)
REPLACE_LINK = Action(Verb.REPLACE_LINK)
REPLACE_CONTENT = Action(Verb.REPLACE_CONTENT)
DROP_ASIDE = Action(Verb.DROP_ASIDE)
RECORD = Action(Verb.RECORD)


@dataclass(frozen=True, slots=True)
class Plan:
    """The next actions for one path; it is settled when there are none.

    `problem` says what a person should know or do, empty if nothing; `refused` whether the path is
    not as declared because of it.
    """

    row: Row
    actions: tuple[Action, ...] = ()
    problem: str = ""
    hint: str = ""
    refused: bool = False


def plan(entry: Entry, seen: Observation, *, running: bool = False) -> Plan:
    """The next step for one path, by the table in docs/persistence.md.

    Args:
        entry: what is declared.
        seen: what is there.
        running: programs run (the daemon asks): a link that is gone was deleted by one of them.
    """
    if seen.aside is not None:
        return _recover(seen)
    home = seen.home
    if home is None:
        return _nothing(entry, seen, running=running)
    if home.kind is Kind.LINK and points_into(home.target, seen.volume_root):
        return _our_link(entry, seen, home)
    if seen.mounted is not None or home.kind is Kind.SPECIAL:
        return _immovable(seen)
    if _type_conflict(entry, home, seen.volume):
        return _conflict(entry, seen)
    return _content(seen, home)


_SPECIAL_HINT = "stop the program that made it, remove it, then: home-persist resolve"


def _immovable(seen: Observation) -> Plan:
    if seen.mounted is not None:
        what, hint = mounted(seen.mounted)
        hint = f"{hint}; to take it out: home-persist remove"
        return Plan(Row.MOUNTED, problem=what, hint=hint, refused=True)
    what = "a socket, FIFO or device lies in the place of the link"
    return Plan(Row.SPECIAL, problem=what, hint=_SPECIAL_HINT, refused=True)


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


def _nothing(entry: Entry, seen: Observation, *, running: bool) -> Plan:
    if running and seen.recorded and seen.volume is not None:
        if entry.kind is Kind.DIRECTORY:
            return Plan(
                Row.DELETED,
                problem="the link was deleted; its content is kept on the volume",
                hint="to link it again: home-persist resolve; to stop persisting it: home-persist remove",
            )
        if seen.parent:
            return Plan(Row.DELETED, (VOLUME_TO_ATTIC, MAKE_LINK, RECORD))
    row = Row.CREATE if seen.volume is None else Row.LINK
    return _linked(row, (*_target(entry, seen), MAKE_LINK, RECORD), entry, seen)


def _our_link(entry: Entry, seen: Observation, home: Node) -> Plan:
    right = home.target == seen.link
    actions: tuple[Action, ...] = _target(entry, seen)
    row = Row.CREATE if actions and seen.volume is None else Row.LINKED
    if not right:
        row = Row.RELINK
        actions = (*actions, REPLACE_LINK)
    if not right or not seen.recorded:
        actions = (*actions, RECORD)
    return _linked(row, actions, entry, seen)


def _target(entry: Entry, seen: Observation) -> tuple[Action, ...]:
    """What is missing on the volume for a link to lead somewhere."""
    if seen.volume is None:
        if entry.kind is Kind.DIRECTORY:
            return (MAKE_TARGET,)
        return () if seen.volume_parent else (MAKE_TARGET_PARENT,)
    if entry.mode is not None and seen.volume.mode != entry.mode and seen.volume.kind is not Kind.LINK:
        return (Action(Verb.SET_MODE, mode=entry.mode),)
    return ()


def _linked(row: Row, actions: tuple[Action, ...], entry: Entry, seen: Observation) -> Plan:
    """A plan that ends in a link, with a remark if the volume has another type than declared."""
    if seen.volume is None or not other_type(entry.kind, seen.volume.kind):
        return Plan(row, actions)
    fix = f"{entry.path}/" if seen.volume.kind is Kind.DIRECTORY else entry.path
    return Plan(
        row,
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
        Row.TYPE_CONFLICT,
        (Action(Verb.TO_ATTIC, paths=("",)), *_target(entry, seen), REPLACE_CONTENT, RECORD),
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
            home_wins=lambda pair: seen.recorded or (pair.newer and pair.identity is None),
        )
        return _left_in_place(special, (*saved, *lost))
    saved, lost = _saved(Origin.HOME, seen.pairs, home_wins=lambda _: seen.recorded)
    actions = (*saved, *lost, REPLACE_CONTENT, RECORD)
    if seen.volume is None:
        return Plan(Row.SEED, actions)
    if not any(pair.difference is Difference.DIFFERS for pair in seen.pairs):
        return Plan(Row.MERGE, actions)
    if seen.recorded:
        return Plan(Row.HOME_WINS, actions)
    row = Row.MERGE if home.kind is Kind.DIRECTORY else Row.VOLUME_WINS
    return Plan(row, actions)


def _recover(seen: Observation) -> Plan:
    """Content that an interrupted run had set aside: the later save wins, the other goes to the attic."""
    if seen.aside is not None and seen.aside.kind is Kind.LINK and seen.aside.target == seen.link:
        return Plan(Row.RECOVER, (DROP_ASIDE,))
    special = _special(seen.pairs)
    # What is in the attic has lost already. What is not, and was written after the volume's, is a save
    # that came while the link took its place.
    saved, lost = _saved(
        Origin.ASIDE, seen.pairs, home_wins=lambda pair: pair.newer and pair.identity is None
    )
    if special:
        return _left_in_place(special, (*saved, *lost))
    # It was swapped with our link, and we may have died before that was noted.
    return Plan(Row.RECOVER, (*saved, *lost, RECORD, DROP_ASIDE))


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
        saved.append(Action(Verb.COPY_IN, origin, missing))
    if winners:
        saved.append(Action(Verb.SUPERSEDE, origin, winners))
    return tuple(saved), ((Action(Verb.TO_ATTIC, origin, losers),) if losers else ())


def _special(pairs: tuple[Pair, ...]) -> list[str]:
    return [pair.path for pair in pairs if pair.difference is Difference.SPECIAL]


def _left_in_place(special: list[str], saved: tuple[Action, ...] = ()) -> Plan:
    """A directory with a socket in it: the volume is brought up to date, and it stays where it is."""
    return Plan(
        Row.SPECIAL,
        saved,
        problem=f"{special[0]!r} in it is a socket, FIFO or device: it is left in the home and not linked",
        hint=_SPECIAL_HINT,
        refused=True,
    )
