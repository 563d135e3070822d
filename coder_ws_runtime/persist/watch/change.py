"""What events mean for declared paths."""

from enum import Enum

from coder_ws_runtime.dataclass import dataclass, field


class Sign(Enum):
    """What the latest event says about a path."""

    SAVED = "saved"
    """Something was renamed to it, or written to the end."""
    CREATED = "created"
    """A new file, which is still being written, or a new link."""
    FILLING = "filling"
    """A new directory, which is still being filled."""
    DELETED = "deleted"
    MOVED = "moved"
    """It was renamed to something else."""
    ABOVE = "above"
    """Something happened to a directory above it."""


@dataclass(slots=True)
class Change:
    """What a batch of events means."""

    signs: dict[str, Sign] = field(default_factory=dict)
    """By declared path."""
    renamed: dict[str, str] = field(default_factory=dict)
    """The new paths of what was at a declared path, relative to the home, if a watched directory has it."""
    moved: set[str] = field(default_factory=set)
    """The declared paths that others renamed to something else, whatever came to their place since."""
    above: set[str] = field(default_factory=set)
    """The declared paths for which something happened to a directory above them."""
    stale: set[str] = field(default_factory=set)
    """The directories that appeared, disappeared or moved: what is below them has to be watched again."""
    manifests: bool = False
    """Declarations changed."""
    arrived: set[str] = field(default_factory=set)
    """The awaited paths that the volume may have now."""
    overflow: bool = False
    """Events were lost: check everything."""
