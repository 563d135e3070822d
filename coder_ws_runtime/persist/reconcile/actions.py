"""The parts of a plan, as plain values: the decision on a path, and the actions that follow from it."""

from enum import Enum

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.persist.reconcile.event import NO_EVENT, Fate, LinkEvent
from coder_ws_runtime.persist.reconcile.observation import Origin


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
    PERHAPS_WRITTEN = "path.perhaps-written"
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
    Decision.PERHAPS_WRITTEN: "not linked",
    Decision.MOUNTED: "mounted",
    Decision.FAILED: "failed",
}


class Operation(Enum):
    """What one action of a plan does. Each is one change, so that a crash can only be between two."""

    MAKE_TARGET = "create the directory on the volume"
    MAKE_TARGET_PARENT = "create the directory on the volume that will contain the file"
    SET_MODE = "give the target its declared mode"
    NOTE_COPIES = "note in the ledger what home and volume both have"
    COPY_IN = "copy what the volume lacks to it"
    SUPERSEDE = "replace the volume's copies with the home's; the volume's go to the attic"
    COPY_METADATA = "give directories of the volume the mode, owner and attributes of the home's"
    TO_ATTIC = "copy the home's copies to the attic"
    VOLUME_TO_ATTIC = "move the volume's copy to the attic"
    MAKE_LINK = "create the link"
    REPLACE_LINK = "replace a wrong link of ours with the right one"
    REPLACE_CONTENT = "replace content that is safe elsewhere with the link"
    DROP_LINK = "remove our link, which leads nowhere"
    DROP_ASIDE = "remove what was set aside: a link, or content that is safe elsewhere"
    PUT_BACK = "put back a link of the user's that was set aside"
    COPY_OUT = "put a copy of the volume's content where our link was renamed to"
    RENAME_TARGET = "rename the content on the volume as its link was renamed in the home"
    EXCHANGE_TARGETS = "exchange contents on the volume as their links have changed places in the home"
    RECORD = "note in the ledger that this container makes the link"
    FORGET = "note in the ledger that there is no link"
    NOTE_LEFT = "note in the ledger that the link was deleted or renamed"


@dataclass(frozen=True, slots=True)
class Action:
    """One step for one path."""

    operation: Operation
    origin: Origin = Origin.HOME
    """Which content of the home side is copied."""
    paths: tuple[str, ...] = ()
    """What is copied, or recorded as copied, relative to the entry."""
    mode: int | None = None
    """For SET_MODE."""
    fate: Fate = Fate.NONE
    """For NOTE_LEFT."""
    event: LinkEvent = NO_EVENT
    """For COPY_OUT, RENAME_TARGET and EXCHANGE_TARGETS."""


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
PUT_BACK = Action(Operation.PUT_BACK)

_CREATING = frozenset(
    {Operation.MAKE_TARGET, Operation.MAKE_TARGET_PARENT, Operation.RECORD, Operation.MAKE_LINK}
)


@dataclass(frozen=True, slots=True)
class Plan:
    """The next actions for one path; if there are none, the path is settled.

    `problem` says what the user should know or do, empty if nothing; `refused`: whether the path is
    not as declared because of it.
    """

    decision: Decision
    actions: tuple[Action, ...] = ()
    problem: str = ""
    hint: str = ""
    refused: bool = False
    code: str = ""
    """The stable code of the problem, if it is not the decision's."""

    @property
    def only_creates(self) -> bool:
        """Whether it only makes what neither side has, by steps that fail if something is there now.

        It needs no look at content, and none afterwards.
        """
        return bool(self.actions) and all(one.operation in _CREATING for one in self.actions)
