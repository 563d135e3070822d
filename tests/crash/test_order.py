"""The order of a move, read off the trace: durable copy, publish, durable name, and only then removal."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.points import Point, clean
from tests.crash.world import World

pytestmark = pytest.mark.programs("strace")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.make(tmp_path / "world")
    yield made
    made.remove()


@pytest.fixture
def trace(world: World, tmp_path: Path) -> list[Point]:
    return clean(world, "resolve", tmp_path / "trace")


@pytest.fixture
def migration(world: World, tmp_path: Path) -> list[Point]:
    world.new_manifest()
    return clean(world, "migrate", tmp_path / "trace")


def index(trace: list[Point], call: str, pattern: str, after: int = -1) -> int:
    """Where the first call after a place is that matches."""
    for number, point in enumerate(trace):
        if number > after and point.call == call and re.search(pattern, point.text):
            return number
    pytest.fail(f"no {call} {pattern} after call {after}")


@pytest.mark.parametrize(
    "name",
    ["file", ".seed"],
    ids=["a file", "a directory"],
)
def test_a_seed(trace: list[Point], name: str) -> None:
    home = r"home>"
    published = index(
        trace, "renameat2", rf'staging/[0-9a-f]+>, "\d+", .*"{re.escape(name)}", RENAME_NOREPLACE'
    )
    staged = re.search(r'staging/[0-9a-f]+>, "(\d+)"', trace[published].text)
    assert staged
    copied = index(trace, "fsync", rf"staging/[0-9a-f]+/{staged[1]}>")
    named = index(trace, "fsync", r"cws-crash-\w+>", after=published)
    swapped = index(trace, "renameat2", rf'{home}, "\.{re.escape(name)}\.home-persist".*RENAME_EXCHANGE')
    removed = index(trace, "unlinkat", rf"home(/\.{re.escape(name)}\.home-persist)?>", after=swapped)
    assert copied < published < named < swapped < removed


def test_a_superseded_copy_is_in_the_attic_before_its_place_is_taken(trace: list[Point]) -> None:
    staged = index(trace, "renameat2", r'staging.*attic/.*"newer", RENAME_NOREPLACE')
    swapped = index(trace, "renameat2", r'attic/.*"newer", .*"newer", RENAME_EXCHANGE')
    durable = index(trace, "fsync", r"attic/", after=swapped)
    replaced = index(trace, "renameat2", r'"\.newer\.home-persist".*RENAME_EXCHANGE')
    assert staged < swapped < durable < replaced


def test_what_lost_is_in_the_attic_before_it_is_removed(trace: list[Point]) -> None:
    kept = index(trace, "renameat2", r'staging.*attic/.*"image", RENAME_NOREPLACE')
    durable = index(trace, "fsync", r"attic/", after=kept)
    removed = index(trace, "unlinkat", r'home>, "\.image\.home-persist"')
    assert kept < durable < removed


def test_a_migration_is_noted_after_all_of_it_is_durable(migration: list[Point]) -> None:
    moved = index(migration, "renameat2", r'"single", .*/sub>, "single", RENAME_NOREPLACE')
    durable = index(migration, "fsync", r"\.conf/sub>", after=moved)
    gone = index(migration, "fsync", r"cws-crash-\w+>", after=durable)
    noted = index(migration, "renameat", r'staging/.*migrations>, "move.json"', after=gone)
    index(migration, "fsync", r"/migrations>", after=noted)


def test_what_a_migration_removes_is_on_the_disk_elsewhere(migration: list[Point]) -> None:
    lost = index(migration, "renameat2", r'"both", .*attic/.*"both", RENAME_NOREPLACE')
    index(migration, "fsync", r"attic/", after=lost)
    synced = index(migration, "syncfs", r"", after=lost)
    removed = index(migration, "unlinkat", r'\.from>, "same"')
    assert synced < removed
