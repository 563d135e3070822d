"""What a user wants to keep, and the result, as plain values."""

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.persist.manifest.entry import Entry, Scope
from coder_ws_runtime.persist.reconcile.settle import Outcome


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants to keep."""

    path: str
    """Relative to the home, normalised."""
    slash: bool
    """Whether it was written with a trailing ``/``."""
    scope: Scope | None = None
    """None: if the path is already kept, any scope; otherwise `owner`."""
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """The result for a wish."""

    wish: Wish
    entry: Entry | None = None
    """What declares the path now; its path is above the requested one if that is covered."""
    new: bool = False
    """Whether this run declared it."""
    note: str = ""
    """Something that the user may not expect."""
    within: tuple[str, ...] = ()
    """Paths in it that were declared by themselves before, and are part of it from now on."""
    outcome: Outcome | None = None
    """What was done to link a new path."""
    error: UserError | None = None
