"""What is to be done for a migration. Pure: every decision is here, and nothing else.

A migration moves content on the volume by renames alone, so that it is quick however much there is.
Where both places have something, the target wins, as the volume does when a path is linked: it is
what the program uses by now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from coder_ws_runtime.persist.manifest.entry import Step
from coder_ws_runtime.persist.reconcile.observation import Difference, Pair


class Decision(Enum):
    """What becomes of a step; the value is the stable code."""

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
    Decision.NOTHING: "nothing there",
    Decision.REMOVED: "moved to the attic",
    Decision.MOVED: "moved",
    Decision.MERGED: "merged",
    Decision.TARGET_WINS: "target wins",
    Decision.WAITS: "waits",
    Decision.FAILED: "failed",
}


class Operation(Enum):
    """What one action of a plan does."""

    MOVE = "rename what the target lacks to it"
    TO_ATTIC = "rename to the attic"
    DROP = "remove what the target has byte for byte"
    DROP_LINK = "remove our link in the home, which now leads nowhere"


@dataclass(frozen=True, slots=True)
class Action:
    """One mutation; `paths` are relative to the source, which is the empty path."""

    operation: Operation
    paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """All that the plan needs to know."""

    there: bool
    """Whether the volume has the source."""
    pairs: tuple[Pair, ...] = ()
    """The source compared with the target."""
    link: bool = False
    """Whether the home has our link to the source, and nothing declares it any more."""
    used_by: Sequence[str] = ()
    """The owner's other workspaces that are running."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The actions after which the step is done, and is noted as done; unless the decision is WAITS."""

    decision: Decision
    actions: tuple[Action, ...] = ()
    problem: str = ""
    """For what it waits."""


_WHOLE = ("",)


def plan(step: Step, seen: Seen, *, force: bool = False) -> Plan:
    """The next step.

    Args:
        step: what the manifest says.
        seen: what is there.
        force: do not wait for other workspaces.
    """
    ending = (Action(Operation.DROP_LINK),) if seen.link else ()
    if not seen.there:
        return Plan(Decision.NOTHING, ending)
    if step.verb == "remove":
        # A path that is renamed is needed by this workspace at once; one that is removed can wait.
        if seen.used_by and not step.workspace and not force:
            return Plan(Decision.WAITS, problem=_waits(seen.used_by))
        return Plan(Decision.REMOVED, (Action(Operation.TO_ATTIC, _WHOLE), *ending))
    return _move(seen.pairs, ending)


def _waits(used_by: Sequence[str]) -> str:
    others = "another workspace is" if len(used_by) == 1 else f"{len(used_by)} other workspaces are"
    return f"{others} running and may use it ({', '.join(used_by)})"


def _move(pairs: tuple[Pair, ...], ending: tuple[Action, ...]) -> Plan:
    missing = [pair.path for pair in pairs if pair.difference is Difference.MISSING]
    if missing == [""]:
        return Plan(Decision.MOVED, (Action(Operation.MOVE, _WHOLE), *ending))
    # A socket in a directory that is moved whole goes with it.
    inside = tuple(f"{path}/" for path in missing)
    lost = tuple(
        pair.path
        for pair in pairs
        if pair.difference in (Difference.DIFFERS, Difference.SPECIAL) and not pair.path.startswith(inside)
    )
    same = tuple(pair.path for pair in pairs if pair.safe)
    actions = [
        Action(verb, paths)
        for verb, paths in (
            (Operation.MOVE, tuple(missing)),
            (Operation.TO_ATTIC, lost),
            (Operation.DROP, same),
        )
        if paths
    ]
    decision = Decision.TARGET_WINS if lost == _WHOLE else Decision.MERGED
    return Plan(decision, (*actions, *ending))
