"""Decide what to do with a declared path. Pure: every decision is made here, and nothing else.

One rule applies to every decision: nothing is removed unless the same bytes exist somewhere else.
"""

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.persist.manifest.entry import USER, Entry, Kind
from coder_ws_runtime.persist.manifest.paths import in_shell
from coder_ws_runtime.persist.reconcile.actions import (
    DROP_ASIDE,
    DROP_LINK,
    FORGET,
    MAKE_LINK,
    MAKE_TARGET,
    MAKE_TARGET_PARENT,
    PUT_BACK,
    RECORD,
    REPLACE_CONTENT,
    REPLACE_LINK,
    VOLUME_TO_ATTIC,
    Action,
    Decision,
    Operation,
    Plan,
)
from coder_ws_runtime.persist.reconcile.copy_plan import CopyPlan
from coder_ws_runtime.persist.reconcile.event import NO_EVENT, Fate, LinkEvent
from coder_ws_runtime.persist.reconcile.observation import Difference, Node, Observation, Origin, Pair
from coder_ws_runtime.persist.reconcile.plan_after_rename import plan_after_rename
from coder_ws_runtime.text import visible


def plan(entry: Entry, seen: Observation, *, event: LinkEvent = NO_EVENT) -> Plan:
    """The next step for one path, by the table in docs/persistence.md.

    Args:
        entry: the declaration.
        seen: what there is.
        event: what the kernel reported about the link. Without an event, a missing link is not a deletion.
    """
    followed = plan_after_rename(entry, seen, event)
    if seen.diverted_at is not None:
        return followed or _diverted(entry, seen)
    if seen.aside is not None:
        return _recover(seen)
    if followed is not None:
        return followed
    home = seen.home
    if home is None:
        return _nothing(entry, seen, event)
    if seen.ours:
        return _our_link(entry, seen, home)
    if event.fate in (Fate.MOVED, Fate.DEPARTED):
        seen = replace(seen, renamed_away=True)
    return _content(entry, seen, home)


def _diverted(entry: Entry, seen: Observation) -> Plan:
    """The user's own link is a decision: nothing is moved, replaced or changed on the volume for it."""
    where = (
        "is your own link"
        if seen.diverted_at == entry.path
        else f"is behind your own link ~/{seen.diverted_at}"
    )
    waits = "; the volume's copy waits" if seen.volume is not None else ""
    return Plan(
        Decision.DIVERTED,
        problem=f"{where} to {visible(seen.diverted_to)}, so it is not persisted here{waits}",
        hint=f"to persist it: remove the link ~/{seen.diverted_at}, then: home-persist resolve",
    )


_SPECIAL_HINT = "stop the program that made it, remove it, then: home-persist resolve"


def _immovable(entry: Entry, seen: Observation) -> Plan:
    if seen.mounted is not None:
        what, hint = mounted(seen.mounted)
        hint = f"{hint}; to stop keeping it: {removal_of(entry)}"
        return Plan(Decision.MOUNTED, problem=what, hint=hint, refused=True)
    what = "a socket, FIFO or device is in place of the link"
    return Plan(Decision.SPECIAL, problem=what, hint=_SPECIAL_HINT, refused=True)


def mounted(inside: str) -> tuple[str, str]:
    """The problem and the remedy if content is a mount point, or has one inside.

    What is mounted is kept by itself, or was mounted to be there for a while. A link cannot replace it, and
    moving would empty somebody's file system.
    """
    if not inside:
        return (
            "something is mounted there, which is not moved",
            "leave it out: what is mounted need not be kept",
        )
    return f"{inside!r} in it is a mount point, which is not moved", "declare its other contents one by one"


def removal_of(entry: Entry) -> str:
    """The command that stops keeping a path. What the image or the template declares needs an option."""
    option = "" if entry.source == USER else "--switch-off "
    return f"home-persist remove {option}{in_shell(entry.path)}"


def points_into(target: str, volume_root: str) -> bool:
    """Whether a link's text is an absolute path below the volume."""
    return target.startswith(volume_root + "/")


def _nothing(entry: Entry, seen: Observation, event: LinkEvent) -> Plan:
    """There is nothing at the path. Only an event can say why."""
    if seen.replaced and seen.volume is not None:
        if event.fate is Fate.DELETED and seen.parent:
            return _deleted(entry)
        if event.fate in (Fate.MOVED, Fate.DEPARTED):
            return _left(entry, event.fate, note=True)
        if seen.left is not Fate.NONE:
            return _left(entry, seen.left, note=False)
    if seen.volume is None and entry.kind is not Kind.DIRECTORY and seen.watched:
        return Plan(Decision.WAIT)
    decision = Decision.CREATE if seen.volume is None else Decision.LINK
    return _linked(decision, (*_target(entry, seen), RECORD, MAKE_LINK), entry, seen)


def _deleted(entry: Entry) -> Plan:
    """A program that deletes the link to a file means the file; if to a directory, it may mean the link."""
    if entry.kind is Kind.DIRECTORY:
        return _left(entry, Fate.DELETED, note=True)
    return Plan(Decision.DELETED, (VOLUME_TO_ATTIC, FORGET))


_LEFT = {Fate.DELETED: "deleted", Fate.MOVED: "renamed", Fate.DEPARTED: "moved, or perhaps deleted"}


def _left(entry: Entry, fate: Fate, *, note: bool) -> Plan:
    """The link was deleted or renamed: the volume's copy stays, without a link until the next resolve."""
    return Plan(
        Decision.DELETED if fate is Fate.DELETED else Decision.DEPARTED,
        (Action(Operation.NOTE_LEFT, fate=fate),) if note else (),
        problem=f"the link was {_LEFT[fate]}; its content is kept on the volume",
        hint=f"to link it again: home-persist resolve; to stop persisting it: {removal_of(entry)}",
    )


def _our_link(entry: Entry, seen: Observation, home: Node) -> Plan:
    right = home.target == seen.link
    if right and seen.volume is None and entry.kind is not Kind.DIRECTORY and seen.watched:
        # It leads nowhere. Programs test, lock and replace such a link; without a link they simply write.
        return Plan(Decision.WAIT, (DROP_LINK,))
    actions: tuple[Action, ...] = _target(entry, seen)
    decision = Decision.CREATE if actions and seen.volume is None else Decision.LINKED
    if not right:
        # Recorded last: until then, the wrong one is known as ours by what is recorded.
        actions = (*actions, REPLACE_LINK, RECORD)
        if seen.astray:
            return Plan(
                Decision.RELINK,
                actions,
                problem="its place on the volume has changed; "
                f"its former content stays at {visible(home.target)}",
                hint="home-persist status shows both; move or copy what you need from there",
                code="path.other-place-left",
            )
        decision = Decision.RELINK
    elif not seen.replaced:
        actions = (*actions, RECORD)
    return _linked(decision, actions, entry, seen)


def _target(entry: Entry, seen: Observation) -> tuple[Action, ...]:
    """What the volume lacks for a link to lead somewhere."""
    if seen.volume is None:
        if entry.kind is Kind.DIRECTORY:
            return (MAKE_TARGET,)
        return () if seen.volume_parent else (MAKE_TARGET_PARENT,)
    if entry.mode is not None and seen.volume.mode != entry.mode and seen.volume.kind is not Kind.LINK:
        return (Action(Operation.SET_MODE, mode=entry.mode),)
    return ()


def _linked(decision: Decision, actions: tuple[Action, ...], entry: Entry, seen: Observation) -> Plan:
    """A plan that ends with a link, with a note if the volume has another type than declared."""
    if seen.volume is None or not other_type(entry.kind, seen.volume.kind):
        return Plan(decision, actions)
    fix = f"{entry.path}/" if seen.volume.kind is Kind.DIRECTORY else entry.path
    return Plan(
        decision,
        actions,
        problem=f"declared as a {entry.kind.value}, but the volume has a {seen.volume.kind.value}",
        hint=f"declare it as {fix!r}, or move it away on the volume",
    )


def other_type(declared: Kind, found: Kind) -> bool:
    """A link to a file is as good as a file; a directory has to be a directory."""
    return (declared is Kind.DIRECTORY) != (found is Kind.DIRECTORY) or found is Kind.SPECIAL


def _content(entry: Entry, seen: Observation, home: Node) -> Plan:
    """Content in the home."""
    if seen.mounted is not None or home.kind is Kind.SPECIAL:
        return _immovable(entry, seen)
    held = _held(seen.pairs)
    if seen.renamed_away and _are_directories(home, seen.volume) and not _came_back(seen):
        # Who renames a directory and makes another one wants no file of the former in it.
        whole = (Action(Operation.SUPERSEDE, paths=("",)), RECORD)
        return _left_in_place(held, whole) if held else Plan(Decision.HOME_WINS, (*whole, REPLACE_CONTENT))
    copies = CopyPlan(seen, Origin.HOME, stays=held is not None)
    if held is not None:
        # Programs continue to write it where it is; the volume is updated.
        return _left_in_place(held, copies.actions())
    actions = (*copies.actions(), REPLACE_CONTENT)
    if seen.volume is None:
        return _as_found(Plan(Decision.SEED, actions), entry, home)
    if seen.volume.kind is not home.kind:
        problem = _conflict(home, seen.volume, home_wins=bool(copies.winners))
        return Plan(Decision.TYPE_CONFLICT, actions, problem=problem, hint="home-persist attic list")
    return Plan(_decision(home, copies), actions)


def _came_back(seen: Observation) -> bool:
    """Whether the directory is the very one that was copied from the volume's when it went away.

    One that an interrupted run was about to publish is recorded with another directory of the volume.
    """
    record = seen.records.get("")
    return record is not None and any(
        pair.path == "" and (pair.home, pair.volume) == (record.home, record.volume) for pair in seen.pairs
    )


def _are_directories(*nodes: Node | None) -> bool:
    return all(one is not None and one.kind is Kind.DIRECTORY for one in nodes)


def _decision(home: Node, copies: CopyPlan) -> Decision:
    """Home and volume have the same type."""
    if copies.winners:
        return Decision.HOME_WINS
    return Decision.VOLUME_WINS if home.kind is Kind.FILE and copies.losers else Decision.MERGE


def _as_found(seeded: Plan, entry: Entry, home: Node) -> Plan:
    """The same plan, with a note if the home has another type than declared: it is kept as what it is."""
    if not other_type(entry.kind, home.kind):
        return seeded
    right = f"{entry.path}/" if home.kind is Kind.DIRECTORY else entry.path
    return replace(
        seeded,
        problem=f"declared as a {entry.kind.value}, but the home has a {home.kind.value}: it is kept as that",
        hint=f"declare it as {right!r}",
        code=Decision.TYPE_CONFLICT.value,
    )


def _conflict(home: Node, volume: Node, *, home_wins: bool) -> str:
    mine, its = home.kind.value, volume.kind.value
    if home_wins:
        return f"the volume had a {its} where a program saved a {mine}; it is in the attic"
    return f"the home had a {mine} where the volume has a {its}; it is in the attic"


def _recover(seen: Observation) -> Plan:
    """For what an interrupted run set aside: the later save wins, the other goes to the attic."""
    aside = seen.aside
    if aside is not None and aside.kind is Kind.LINK:
        if aside.target in (seen.link, seen.recorded):
            return Plan(Decision.RECOVER, (DROP_ASIDE,))
        if seen.home is None or seen.ours:
            return Plan(Decision.RECOVER, (PUT_BACK,))
    held = _held(seen.pairs)
    copies = CopyPlan(seen, Origin.ASIDE, stays=held is not None)
    if held is not None:
        return _left_in_place(held, copies.actions())
    # It was swapped with our link; the run may have been killed before that was recorded.
    return Plan(Decision.RECOVER, (*copies.actions(), RECORD, DROP_ASIDE))


def _held(pairs: tuple[Pair, ...]) -> Pair | None:
    """What prevents a tree from being moved; None if nothing does."""
    holding = (Difference.SPECIAL, Difference.PERHAPS_WRITTEN)
    return next((pair for pair in pairs if pair.difference in holding), None)


def _left_in_place(held: Pair, saved: tuple[Action, ...]) -> Plan:
    """Something in it cannot be moved: the volume is updated, and it stays where it is."""
    where = f"{held.path!r} in it" if held.path else "it"
    if held.difference is Difference.SPECIAL:
        problem = f"{where} is a socket, FIFO or device: it is left in the home and not linked"
        return Plan(Decision.SPECIAL, saved, problem=problem, hint=_SPECIAL_HINT, refused=True)
    return Plan(
        Decision.PERHAPS_WRITTEN,
        saved,
        problem=f"{where} belongs to another user, one of whose programs may be writing it:"
        " it is left in the home, copied but not linked",
        hint="make it yours (sudo chown), then: home-persist resolve",
        refused=True,
    )
