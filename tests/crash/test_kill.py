"""SIGKILL before every call that changes something: nothing is lost, and the next run mends it."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from coder_ws_runtime.persist.store.names import LEFT_SUFFIX
from tests.conftest import Tried
from tests.crash.contents import (
    HEALED,
    MADE_ROOM,
    MIGRATED,
    RENAMED,
    RESTORED,
    ROTATED_ONCE,
    SCOPE_CHANGED_BACK,
    SWAPPED,
    VIEW,
)
from tests.crash.points import CALLS, HARMLESS, Point, clean, share
from tests.crash.world import LossError, World

pytestmark = pytest.mark.programs("strace")

SEED = 20261124
CHUNKS = 4


@dataclass(frozen=True)
class Verb:
    """What is struck, in which state, and what the user sees at the end."""

    verb: str
    prepare: Callable[[World], None]
    views: tuple[dict[str, str], ...]
    mend: str
    """The verb that a person runs afterwards."""
    faults: tuple[str, ...] = ()
    """Words for strace: what every run has to live with."""
    share: int = 12
    """Points of a chunk that are tried when not all are."""
    left: tuple[str, ...] = ()
    """What a killed run may leave in the home, by what its name has."""


def moved(path: str) -> dict[str, str]:
    """What the user sees when what was at a path is at its new name only."""
    there = {f"{RENAMED[path]}{inner[len(path) :]}": inner for inner in VIEW if _at(inner, path)}
    rest = {inner: text for inner, text in VIEW.items() if not _at(inner, path)}
    return {**rest, **{new: VIEW[inner] for new, inner in there.items()}}


def both_names(path: str) -> dict[str, str]:
    """What the user sees when it is at both names."""
    return {**VIEW, **moved(path)}


def _at(inner: str, path: str) -> bool:
    return inner == path or inner.startswith(f"{path}/")


# As NFS and many a FUSE file system: rename, and no flags for it.
NO_FLAGS = ("-e", "trace=renameat2", "-e", "inject=renameat2:error=EINVAL")


TO_A_DECLARED_PATH = (
    both_names("newer"),
    {**VIEW, RENAMED["newer"]: "dangling"},  # as if it had not been renamed
    {**moved("newer"), "newer": "dangling"},
)


# Where two names cannot be exchanged in one step, one of the contents is in the attic meanwhile, and where a
# rename needs two steps, the other one has both names.
EXCHANGED_BY_THE_ATTIC = (
    VIEW,
    SWAPPED,
    {**VIEW, "file": "dangling"},
    {**VIEW, "file": VIEW["newer"]},
    {**VIEW, "file": VIEW["newer"], "newer": "dangling"},
)


VERBS = {
    "resolve": Verb("resolve", lambda world: None, (VIEW,), "resolve"),
    "heal": Verb("heal", World.save_over_links, (HEALED,), "heal"),
    # Killed, it has happened or not; both are whole.
    "restore": Verb("restore", World.resolved, (VIEW, RESTORED), "resolve"),
    # The user sees the same before and after; only a person's second try ends it.
    "remove": Verb("remove", World.add_own, (VIEW,), "remove"),
    "migrate": Verb("migrate", World.new_manifest, (MIGRATED,), "migrate"),
    "scope": Verb("scope", World.scope_changed_back, (SCOPE_CHANGED_BACK,), "scope"),
    # The next run knows of no event: where this one was killed early, both names lead to the content.
    "renamed": Verb("renamed", lambda world: world.renamed("file"), (both_names("file"),), "resolve"),
    "renamed to a declared path": Verb(
        "renamed", lambda world: world.renamed("newer"), TO_A_DECLARED_PATH, "resolve"
    ),
    "renamed with a link back": Verb(
        "renamed",
        lambda world: world.renamed(".seed", link_back=True),
        (both_names(".seed"),),
        "resolve",
    ),
    # Killed, it has happened or not.
    "exchanged": Verb("exchanged", World.exchanged, (VIEW, SWAPPED), "resolve"),
    "rotated": Verb("resolve", World.rotated, (ROTATED_ONCE,), "resolve"),
    "rotated, rename without flags": Verb("resolve", World.rotated, (ROTATED_ONCE,), "resolve", NO_FLAGS, 3),
    "another directory": Verb(
        "resolve", lambda world: world.makes_room(".seed"), (moved(".seed") | MADE_ROOM,), "resolve"
    ),
    "resolve, rename without flags": Verb("resolve", lambda world: None, (VIEW,), "resolve", NO_FLAGS, 3),
    "scope, rename without flags": Verb(
        "scope", World.scope_changed_back, (SCOPE_CHANGED_BACK,), "scope", NO_FLAGS, 3
    ),
    "another directory, rename without flags": Verb(
        "resolve",
        lambda world: world.makes_room(".seed"),
        (moved(".seed") | MADE_ROOM,),
        "resolve",
        NO_FLAGS,
        3,
    ),
    # What a killed removal left is recovered without a second one.
    "remove, then resolve": Verb("remove", World.add_own, (VIEW,), "resolve"),
    "renamed, rename without flags": Verb(
        "renamed", lambda world: world.renamed("file"), (both_names("file"),), "resolve", NO_FLAGS, 3
    ),
    "renamed to a declared path, rename without flags": Verb(
        "renamed", lambda world: world.renamed("newer"), TO_A_DECLARED_PATH, "resolve", NO_FLAGS, 3
    ),
    "exchanged, rename without flags": Verb(
        "exchanged", World.exchanged, EXCHANGED_BY_THE_ATTIC, "resolve", NO_FLAGS, 3
    ),
    "remove, rename without flags": Verb("remove", World.add_own, (VIEW,), "remove", NO_FLAGS, 3),
    "heal, rename without flags": Verb("heal", World.save_over_links, (HEALED,), "heal", NO_FLAGS, 3),
}


def strike(call: str, when: str, how: str) -> list[str]:
    """Words for strace: do something before the given call."""
    return ["-o", "/dev/null", "-e", f"trace={','.join(CALLS)}", "-e", f"inject={call}:{how}:when={when}"]


def killed(world: World, verb: str, point: Point) -> bool:
    """Run a verb and kill it at a point; whether it came that far."""
    return world.run(verb, *strike(point.call, str(point.number), "signal=KILL")).returncode == -9


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World.make(tmp_path / "world")
    yield made
    made.remove()


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("name", VERBS)
def test_killed_at_every_call(
    name: str, chunk: int, world: World, tmp_path: Path, tried: Tried, *, whole: bool
) -> None:
    """Killed, and once more while the next run mends; then run in peace."""
    case = VERBS[name]
    case.prepare(world)
    world.faults = case.faults
    trial = world.copy(tmp_path / "clean")
    points = clean(trial, case.verb, tmp_path / "trace")
    trial.remove()
    mine = share(points, case.share * CHUNKS, whole=whole, seed=SEED)[chunk::CHUNKS]
    assert mine
    draw = random.Random(SEED + chunk)
    losses: list[str] = []
    kills = 0
    for point in mine:
        trial = world.copy(tmp_path / "trial")
        kills += killed(trial, case.verb, point)
        again = draw.choice(points)
        try:
            trial.nothing_is_lost()
            kills += killed(trial, case.mend, again)
            trial.nothing_is_lost()
            trial.converges(case.mend, *case.views, left=case.left)
        except LossError as loss:
            losses.append(f"{name} killed at {point}, then at {again}: {loss}")
        trial.remove()
    world.remove()
    tried("kill points tried", kills)
    tried("losses", len(losses))
    assert not losses, "\n".join(losses)
    assert kills >= len(mine), "a point that is not reached strikes nothing"


@pytest.mark.parametrize("name", VERBS)
def test_no_other_call_changes_anything(name: str, world: World, tmp_path: Path) -> None:
    """What is struck is all that there is to strike."""
    case = VERBS[name]
    case.prepare(world)
    world.faults = case.faults
    done = world.run(case.verb, "-e", "trace=%file,%desc", "-o", str(tmp_path / "trace"))
    assert done.returncode == 0
    # Without the end of the call in which strace found the process.
    lines = [line for line in (tmp_path / "trace").read_text().splitlines() if line[0] != "<"]
    calls = {line.partition("(")[0] for line in lines} - {"restart_syscall"}
    assert calls - HARMLESS - set(CALLS) == set()


# With these a removal leaves what it set aside where it is, out of the way.
NOT_OURS = {"EACCES": (LEFT_SUFFIX,), "EROFS": (LEFT_SUFFIX,)}
ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES", "EXDEV")


@pytest.mark.parametrize("persistently", [False, True], ids=["once", "persistently"])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("name", [name for name in VERBS if not VERBS[name].faults])
def test_failed_at_every_call(
    name: str, error: str, world: World, tmp_path: Path, tried: Tried, *, persistently: bool, whole: bool
) -> None:
    """A call fails: no traceback, nothing is lost, and when the fault is gone the next run mends it."""
    case = VERBS[name]
    case.prepare(world)
    trial = world.copy(tmp_path / "clean")
    points = clean(trial, case.verb, tmp_path / "trace")
    trial.remove()
    mine = share(points, 3, whole=whole, seed=SEED + len(error) + persistently)[: len(points) if whole else 3]
    losses: list[str] = []
    for point in mine:
        trial = world.copy(tmp_path / "trial")
        when = f"{point.number}+" if persistently else str(point.number)
        done = trial.run(case.verb, *strike(point.call, when, f"error={error}"))
        try:
            if "Traceback" in done.stderr:
                raise LossError(f"a traceback:\n{done.stderr}")
            trial.nothing_is_lost()
            trial.converges(case.mend, *case.views, left=(*case.left, *NOT_OURS.get(error, ())))
        except LossError as loss:
            losses.append(f"{name}, {error} at {point} ({point.text[:60]}): {loss}")
        trial.remove()
    world.remove()
    tried("faults injected", len(mine))
    tried("losses", len(losses))
    assert not losses, "\n".join(losses)
