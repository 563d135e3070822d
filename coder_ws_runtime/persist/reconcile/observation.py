"""What was seen of a declared path, as plain values: the input of the plan."""

from dataclasses import dataclass
from enum import Enum

from coder_ws_runtime.fs.copying import Identity
from coder_ws_runtime.persist.manifest.entry import Kind


@dataclass(frozen=True, slots=True)
class Node:
    """One file, directory or link."""

    kind: Kind
    mode: int = 0
    """Permission bits."""
    target: str = ""
    """What a link says."""


class Origin(Enum):
    """Which content of the home side."""

    HOME = "home"
    """What lies at the path itself."""
    ASIDE = "aside"
    """What was set aside beside it, and not yet cleared: a run was interrupted."""


class Difference(Enum):
    """How one file of the home side compares with the volume."""

    MISSING = "missing"
    """The volume has nothing there."""
    SAME = "same"
    DIFFERS = "differs"
    SPECIAL = "special"
    """The home side has a socket, a FIFO or a device, which is not moved."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One path of the home side's tree, compared with the volume's."""

    path: str
    """Relative to the entry; empty for the entry itself."""
    difference: Difference
    identity: Identity | None = None
    """Of the home side, where its content exists elsewhere already: what may be removed. What differs
    has one if the attic has it."""
    newer: bool = False
    """Whether the home side's file was written after the volume's."""


@dataclass(frozen=True, slots=True)
class Observation:
    """All that the plan needs to know of one path."""

    link: str
    """What our link has to say: the absolute path on the volume."""
    volume_root: str
    """The absolute path of the volume."""
    home: Node | None
    volume: Node | None
    aside: Node | None = None
    recorded: bool = False
    """Whether the ledger says that this container made the link."""
    parent: bool = True
    """Whether the directory that holds the path is there in the home."""
    volume_parent: bool = True
    """Whether the directory that holds the target is there on the volume."""
    mounted: str | None = None
    """A mount point in the home's content, relative to the entry: empty for the path itself."""
    pairs: tuple[Pair, ...] = ()
    """The content of one origin (set aside, else home), compared with the volume."""
