"""Decide what to do for a migration. Pure: every decision is made here, and nothing else.

A migration moves content on the volume by renames only, so it is fast whatever the size. If both paths have
content, the target wins, as the volume does when a path is linked: it is what programs already use. Unless
the source began as a copy of the target, and the target has not changed since.
"""

import stat
from collections.abc import Sequence
from enum import Enum

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.identity import Identity
from coder_ws_runtime.persist.manifest.entry import Step
from coder_ws_runtime.persist.reconcile.observation import Difference, Pair


class Decision(Enum):
    """The result of a step; the value is the stable code."""

    NOTHING = "migration.nothing-there"
    REMOVED = "migration.removed"
    MOVED = "migration.moved"
    MERGED = "migration.merged"
    TARGET_WINS = "migration.target-wins"
    WAITS = "migration.waits"
    FAILED = "migration.failed"

    @property
    def text(self) -> str:
        """The word in reports."""
        return _TEXT[self]


_TEXT = {
    Decision.NOTHING: "nothing to do",
    Decision.REMOVED: "moved to the attic",
    Decision.MOVED: "moved",
    Decision.MERGED: "merged",
    Decision.TARGET_WINS: "target wins",
    Decision.WAITS: "waits",
    Decision.FAILED: "failed",
}


class Operation(Enum):
    """What one action of a plan does."""

    SUPERSEDE = "replace what the target has, which is older and goes to the attic"
    MOVE = "rename to the target what the target lacks"
    TO_ATTIC = "rename to the attic"
    DROP = "remove what is byte for byte the same in the target"
    DROP_LINK = "remove our link in the home, which now leads nowhere, and forget it"


@dataclass(frozen=True, slots=True)
class Action:
    """One change; `paths` are relative to the source, whose own path is empty."""

    operation: Operation
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that the plan needs."""

    there: bool
    """Whether the volume has the source."""
    pairs: tuple[Pair, ...] = ()
    """The source compared with the target."""
    link: bool = False
    """Whether this container made a link to the source, and nothing declares it any longer."""
    used_by: Sequence[str] = ()
    """The owner's other workspaces that are running."""
    copied_at: int = 0
    """When the source was copied from the target, in nanoseconds by the clock of their file times; 0: it was
    not, or that is unknown."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The actions after which the step is done and is recorded as done, unless the decision is WAITS."""

    decision: Decision
    actions: tuple[Action, ...] = ()
    problem: str = ""
    """What it waits for."""


_WHOLE = ("",)


def plan(step: Step, seen: Seen, *, force: bool = False) -> Plan:
    """The next step.

    Args:
        step: from the manifest.
        seen: what there is.
        force: do not wait for other workspaces.
    """
    ending = (Action(Operation.DROP_LINK),) if seen.link else ()
    if not seen.there:
        return Plan(Decision.NOTHING, ending)
    if step.verb == "remove":
        # This workspace needs a renamed path at once; a removal can wait.
        if seen.used_by and not step.workspace and not force:
            return Plan(Decision.WAITS, problem=_waits(seen.used_by))
        return Plan(Decision.REMOVED, (Action(Operation.TO_ATTIC, _WHOLE), *ending))
    return _move(seen, ending)


def _waits(used_by: Sequence[str]) -> str:
    others = "another workspace is" if len(used_by) == 1 else f"{len(used_by)} other workspaces are"
    return f"{others} running, or may be, and may use it ({', '.join(used_by)})"


def _is_older(target: Identity | None, copied_at: int) -> bool:
    """Whether the target's file has not changed since the source was copied from it."""
    return target is not None and not stat.S_ISDIR(target.kind) and target.ctime < copied_at


def _conflicts(seen: Seen) -> tuple[list[str], list[str]]:
    """What differs: the source's that are older than the target's, and those that are newer.

    The last changes of a database go with it: in another one they would destroy it.
    """
    differing = [pair for pair in seen.pairs if pair.difference is Difference.DIFFERS]
    newer = {pair.path for pair in differing if _is_older(pair.volume, seen.copied_at)}
    older = {pair.path for pair in differing} - newer
    for pair in seen.pairs:
        if pair.database in older:
            newer.discard(pair.path)
            older.add(pair.path)
        elif pair.database in newer and pair.path in older:
            older.remove(pair.path)
            newer.add(pair.path)
    return sorted(older), sorted(newer)


def _move(seen: Seen, ending: tuple[Action, ...]) -> Plan:
    pairs = seen.pairs
    older, newer = _conflicts(seen)
    missing = [
        pair.path for pair in pairs if pair.difference is Difference.MISSING and pair.path not in older
    ]
    if missing == [""]:
        return Plan(Decision.MOVED, (Action(Operation.MOVE, _WHOLE), *ending))
    # A socket in a directory is moved with the whole directory.
    inside = tuple(f"{path}/" for path in missing)
    lost = tuple(
        pair.path
        for pair in pairs
        if pair.path in older or (pair.difference is Difference.SPECIAL and not pair.path.startswith(inside))
    )
    same = tuple(pair.path for pair in pairs if pair.safe)
    actions = [
        Action(verb, paths)
        for verb, paths in (
            (Operation.SUPERSEDE, tuple(newer)),
            (Operation.MOVE, tuple(missing)),
            (Operation.TO_ATTIC, lost),
            (Operation.DROP, same),
        )
        if paths
    ]
    decision = Decision.TARGET_WINS if lost == _WHOLE else Decision.MERGED
    return Plan(decision, (*actions, *ending))
