"""A real daemon on real file systems: homes on the disk, the owner's volume in memory."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.watched import Watched, new_volume

Make = Callable[..., Watched]


@pytest.fixture
def volume() -> Iterator[Path]:
    made = new_volume()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def make(tmp_path: Path, volume: Path) -> Iterator[Make]:
    """Makes workspaces of one owner: ``make("a", ".conf", ".dir/")``."""
    made: list[Watched] = []

    def new(name: str, *declared: object, through: Path | None = None) -> Watched:
        made.append(Watched(tmp_path / name, through or volume, list(declared)))
        return made[-1]

    yield new
    for workspace in made:
        workspace.kill()
