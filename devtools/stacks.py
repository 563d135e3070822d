"""The stacks, from one table, which the template and the publish workflow have to match."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from devtools.shell import ROOT

TABLE = ROOT / "images/stacks.toml"
ENGINE = "-engine"
"""Suffix of the tag of a stack's image with a Docker engine."""
_ENGINE_MIB = 250
"""How much the engine may add to the size of its stack."""


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
        engine: whether there is a second image of it, with a Docker engine of its own.
    """

    name: str
    title: str
    description: str
    icon: str
    budget_mib: int
    parent: str | None = None
    engine: bool = False


@dataclass(frozen=True)
class Image:
    """An image that is built.

    Args:
        name: its tag.
        dockerfile: what it is built by.
        budget_mib: what it may measure with its parents, in MiB.
        parent: the tag of the image that it is built from; None for the root.
    """

    name: str
    dockerfile: Path
    budget_mib: int
    parent: str | None = None


def stacks() -> dict[str, Stack]:
    """All stacks by name, in the table's order: a parent comes before its children."""
    return {name: Stack(name, **row) for name, row in tomllib.loads(TABLE.read_text()).items()}


def images() -> dict[str, Image]:
    """All images by tag: each stack's, then those with an engine. A parent comes before its children."""
    plain = [Image(one.name, _dockerfile(one.name), one.budget_mib, one.parent) for one in stacks().values()]
    engines = [
        Image(f"{one.name}{ENGINE}", _dockerfile("engine"), one.budget_mib + _ENGINE_MIB, one.name)
        for one in stacks().values()
        if one.engine
    ]
    return {image.name: image for image in (*plain, *engines)}


def _dockerfile(directory: str) -> Path:
    return ROOT / "images" / directory / "Dockerfile"


def lineage(name: str) -> list[str]:
    """An image with its parents, the root first; empty if there is no such image."""
    known = images()
    found: list[str] = []
    while name in known:
        found.insert(0, name)
        name = known[name].parent or ""
    return found
