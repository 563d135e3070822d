"""The stacks, from the one table that the template and the publish workflow are equal to."""

import tomllib
from dataclasses import dataclass

from devtools.shell import ROOT

TABLE = ROOT / "images/stacks.toml"


@dataclass(frozen=True)
class Stack:
    """One row of images/stacks.toml.

    Args:
        name: the tag of its image, and its directory below images.
        title: what a user of the template chooses.
        description: one sentence for that user.
        icon: the path of one of Coder's own icons.
        budget_mib: what the image may measure with its parents, in MiB.
        parent: the stack that it is built from; None for the root.
    """

    name: str
    title: str
    description: str
    icon: str
    budget_mib: int
    parent: str | None = None


def stacks() -> dict[str, Stack]:
    """All stacks by name, in the table's order: a parent comes before its children."""
    return {name: Stack(name, **row) for name, row in tomllib.loads(TABLE.read_text()).items()}


def lineage(name: str) -> list[str]:
    """A stack with its parents, the root first; empty if there is no such stack."""
    known = stacks()
    found: list[str] = []
    while name in known:
        found.insert(0, name)
        name = known[name].parent or ""
    return found
