"""What the attic keeps, as rows: age, number, share of the volume, room."""

from dataclasses import dataclass, field

import pytest

from coder_ws_runtime.persist.store.attic_batch import batch_name
from coder_ws_runtime.persist.store.attic_bounds import Bounds, Need, Space, headroom, to_prune
from coder_ws_runtime.persist.store.attic_items import Item
from coder_ws_runtime.persist.store.attic_records import Reason, Record

NOW = 2e9
DAY = 86400.0
MIB = 1 << 20
LARGE = Space(1000 * MIB, 500 * MIB, 1000, 500)
"""A volume with room: a share of 10 % is 100 MiB, and 5 % of it is 50 MiB."""


def item(path: str, days: float, size: int = MIB, whose: str = "", why: Reason = Reason.SUPERSEDED) -> Item:
    batch = batch_name(NOW - days * DAY, "dev", whose)
    return Item(batch, path, size, Record(why, None, whose))


@dataclass(frozen=True)
class Case:
    """Items, the newest first; which go, in their order, and because of what."""

    found: list[Item]
    gone: list[tuple[int, str]] = field(default_factory=list)
    space: Space = LARGE
    need: Need = Need()  # noqa: RUF009 - a value
    bounds: Bounds = Bounds()  # noqa: RUF009 - a value
    confirmed: float | None = None


CASES = {
    "nothing": Case([]),
    "within all bounds": Case([item("a", 1), item("a", 2), item("b", 29)]),
    "too old": Case([item("a", 1), item("a", 31), item("b", 40)], [(1, "age"), (2, "age")]),
    "too many versions": Case(
        [item("a", days) for days in (1, 2, 3, 4)],
        [(2, "versions"), (3, "versions")],
        bounds=Bounds(versions=2),
    ),
    "versions of two workspaces count apart": Case(
        [item("a", 1, whose="w1"), item("a", 2, whose="w2"), item("a", 3, whose="w1"), item("a", 4)],
        [(2, "versions")],
        bounds=Bounds(versions=1),
    ),
    "beyond the share the oldest goes first": Case(
        [item("a", days, 40 * MIB) for days in (0, 1.5, 2, 3, 4)], [(4, "share"), (3, "share")]
    ),
    "what has a newer version goes before what has none": Case(
        [item("a", 2, 60 * MIB), item("a", 3, 60 * MIB), item("b", 20, 60 * MIB)],
        [(1, "share"), (2, "share")],
    ),
    "a newest version that is a day old does not go for the share": Case(
        [item("a", 0.5, 900 * MIB), item("b", 0.6, 900 * MIB)]
    ),
    "and crowds nothing else out": Case([item("a", 0.5, 900 * MIB), item("b", 20, 60 * MIB)]),
    "what a gone workspace had goes first": Case(
        [item("a", 5, 60 * MIB), item("x", 6, 60 * MIB, "w9", Reason.WORKSPACE_GONE), item("b", 20, 1)],
        [(1, "share")],
    ),
    "but not on its first day": Case(
        [item("x", 0.5, 900 * MIB, "w9", Reason.WORKSPACE_GONE), item("a", 5, 60 * MIB)]
    ),
    "a volume that is nearly full: what has a newer version goes": Case(
        [item("a", 1.5, 20 * MIB), item("a", 2, 20 * MIB), item("a", 3, 20 * MIB), item("b", 20, 20 * MIB)],
        [(2, "room"), (1, "room")],
        Space(1000 * MIB, 20 * MIB),
    ),
    "and no more of it than is needed": Case(
        [item("a", 1.5, 20 * MIB), item("a", 2, 20 * MIB), item("a", 3, 20 * MIB)],
        [(2, "room")],
        Space(1000 * MIB, 35 * MIB),
    ),
    "a disk that others have filled: a hundredth is the attic's own": Case(
        [item("a", 1.5, 4 * MIB), item("a", 2, 4 * MIB), item("a", 3, 4 * MIB), item("a", 4, 4 * MIB)],
        [(3, "room")],
        Space(1000 * MIB, MIB),
    ),
    "but for a save that does not fit": Case(
        [item("a", 1.5, 4 * MIB), item("a", 2, 4 * MIB), item("b", 3, 4 * MIB)],
        [(1, "room"), (2, "room")],
        Space(1000 * MIB, MIB),
        Need(9 * MIB),
    ),
    "no inodes": Case(
        [item("a", 1.5), item("a", 2), item("a", 3), item("a", 4)],
        [(3, "room"), (2, "room")],
        Space(1000 * MIB, 900 * MIB, 100, 2),
    ),
    "inodes that others have taken": Case(
        [item("a", 1.5), item("a", 2), item("a", 3)], [], Space(1000 * MIB, 900 * MIB, 1000, 2)
    ),
    "inodes that are not counted": Case([item("a", 2), item("a", 3)], [], Space(1000 * MIB, 900 * MIB, 0, 0)),
    "a save that does not fit: newest versions go, too": Case(
        [item("a", 2, 10 * MIB), item("b", 20, 10 * MIB)],
        [(1, "room"), (0, "room")],
        Space(1000 * MIB, 60 * MIB),
        Need(75 * MIB),
    ),
    "but not those of today": Case(
        [item("a", 0.5, 10 * MIB)], [], Space(1000 * MIB, 60 * MIB), Need(65 * MIB)
    ),
    "no more of them than the save takes": Case(
        [item("a", 2, 10 * MIB), item("b", 20, 10 * MIB)],
        [(1, "room")],
        Space(1000 * MIB, 60 * MIB),
        Need(65 * MIB),
    ),
    "a save of many files": Case(
        [item("a", 2), item("b", 20)],
        [(1, "room")],
        Space(1000 * MIB, 900 * MIB, 1000, 60),
        Need(MIB, 61),
    ),
    "what is too old counts as free already": Case(
        [item("a", 2, 10 * MIB), item("b", 31, 10 * MIB)],
        [(1, "age")],
        Space(1000 * MIB, 60 * MIB),
        Need(65 * MIB),
    ),
    "a time that is not confirmed does not count for the age": Case(
        [item("a", 31), item("a", 62)], [(1, "age")], confirmed=NOW - 31 * DAY
    ),
    "no confirmed time": Case([item("a", 31), item("a", 9000)], confirmed=0),
    "a clock was ahead: a newest version that is not known to be of today makes room": Case(
        [item("a", -60, 10 * MIB), item("b", -0.5, 10 * MIB)],
        [(0, "room")],
        Space(1000 * MIB, 60 * MIB),
        Need(65 * MIB),
    ),
    "a volume of the size of a disk: 4 GiB at the most": Case(
        [item("a", days, 3 << 30) for days in (2, 3, 4)],
        [(2, "share"), (1, "share")],
        Space(1 << 50, 1 << 49),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_row(case: Case) -> None:
    gone = to_prune(case.found, NOW, case.bounds, case.space, case.need, confirmed=case.confirmed)
    assert [(case.found.index(one.item), one.cause.value) for one in gone] == case.gone


@pytest.mark.parametrize(
    ("free", "found", "expected"),
    [
        (500, [item("a", 0.5)], 100),
        (80, [item("a", 1.5), item("a", 2)], 30),
        (1, [item("a", 1.5), item("a", 2, 4 * MIB)], 6),
        (1, [item("a", 1.5, 40 * MIB)], 10),
        (1, [item("a", 1.5), item("a", 2, 14 * MIB)], -4),
    ],
    ids=["share", "free", "own", "newest versions do not take its own", "too much"],
)
def test_what_may_be_added_before_the_attic_is_listed_again(
    free: int, found: list[Item], expected: int
) -> None:
    """Each save would list it on a disk that others have filled."""
    assert headroom(found, NOW, Bounds(), Space(1000 * MIB, free * MIB)) == expected * MIB
