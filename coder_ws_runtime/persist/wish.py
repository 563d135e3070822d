"""What a user wants kept, and what became of that, as plain values."""

from dataclasses import dataclass

from coder_ws_runtime.errors import UserError
from coder_ws_runtime.persist.manifest.entry import Entry, Scope
from coder_ws_runtime.persist.reconcile.settle import Outcome


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user wants kept."""

    path: str
    """Relative to the home, normalised."""
    slash: bool
    """Whether it was written with a trailing ``/``."""
    scope: Scope | None = None
    """None: any will do if it is kept already, else `owner`."""
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a wish."""

    wish: Wish
    entry: Entry | None = None
    """What declares the path now; its path is above the wished one if it is covered."""
    new: bool = False
    """Whether this run declared it."""
    note: str = ""
    """What the user may not expect."""
    within: tuple[str, ...] = ()
    """Paths in it that were declared by themselves before, and are kept as its parts from now on."""
    outcome: Outcome | None = None
    """What was done to make a new one true."""
    error: UserError | None = None
