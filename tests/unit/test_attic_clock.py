"""The attic's clock: what several readings confirm, as rows; and what a wrong clock does to the attic."""

import json
import os
import time

import pytest

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store import attic_clock
from coder_ws_runtime.persist.store.attic import batches
from coder_ws_runtime.persist.store.attic_batch import batch_name
from coder_ws_runtime.persist.store.attic_clock import AtticClock, Reading, advance
from tests.harness.tree import Tree, write

DAY = 86400.0
HOUR = 3600.0
T = 2e9
"""The right time at the first reading."""


@dataclass(frozen=True)
class Row:
    """Readings (hours since the first, host, how far its clock is ahead in days); what is confirmed then."""

    readings: list[tuple[float, str, float]]
    confirmed: float | None
    """Hours since the first reading; None: nothing."""


ROWS = {
    "the first reading confirms nothing": Row([(0, "a", 0)], None),
    "nor does half a day": Row([(0, "a", 0), (12, "a", 0)], None),
    "a day confirms the first": Row([(0, "a", 0), (12, "a", 0), (24, "a", 0)], 0),
    "and each further day the next": Row([(0, "a", 0), (24, "a", 0), (30, "a", 0), (48, "a", 0)], 24),
    "a clock that is ahead for hours": Row(
        [(0, "a", 0), (1, "a", 60), (13, "a", 60), (14, "a", 0), (24, "a", 0)], 0
    ),
    "also when it is ahead as the day ends": Row(
        [(0, "a", 0), (23, "a", 60), (24, "a", 60), (40, "a", 60), (41, "a", 0), (60, "a", 0)], 0
    ),
    "a clock that is ahead at first": Row([(0, "a", 60), (23, "a", 60), (24, "a", 0), (47, "a", 0)], None),
    "and a day later": Row([(0, "a", 60), (23, "a", 60), (24, "a", 0), (48, "a", 0)], 24),
    "a clock that was ahead for longer, and is corrected": Row(
        [(0, "a", 60), (24, "a", 60), (25, "a", 0), (26, "a", 0)], None
    ),
    "a clock that starts long ago": Row([(0, "a", 0), (24, "a", 0), (25, "a", -9000), (26, "a", 0)], None),
    "two hosts that disagree: it is not known which is right": Row(
        [(hours, "ab"[hours % 2], hours % 2 * 60) for hours in range(100)], None
    ),
    "two hosts in turn, each a few minutes": Row(
        [(minutes / 60, "ab"[minutes // 5 % 2], 0) for minutes in range(0, 26 * 60, 5)], 0
    ),
    "two hosts do not count a day twice": Row(
        [(minutes / 60, "ab"[minutes // 5 % 2], 0) for minutes in range(0, 23 * 60, 5)], None
    ),
    "a host that boots each day": Row([(hours, str(hours // 24), 0) for hours in range(40)], 0),
    "time in which nothing runs is not counted": Row([(0, "a", 0), (999, "b", 0), (1010, "b", 0)], None),
    "a boot that is not known counts nothing": Row([(0, "", 0), (24, "", 0), (48, "", 0)], None),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_row(row: Row) -> None:
    known: AtticClock | None = None
    began: dict[str, float] = {}
    for hours, boot, ahead in row.readings:
        uptime = (hours - began.setdefault(boot, hours)) * HOUR
        known = advance(known, Reading(T + hours * HOUR + ahead * DAY, boot, uptime))
    assert known is not None
    found = (known.confirmed - T) / HOUR if known.confirmed else None
    assert found == (pytest.approx(row.confirmed) if row.confirmed is not None else None)


@pytest.fixture
def shift(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """How far clocks have moved: the wall clock, and the time since boot; in seconds."""
    moved = {"wall": 0.0, "boot": 0.0}
    real, since = time.time, time.clock_gettime
    monkeypatch.setattr(time, "time", lambda: real() + moved["wall"])
    monkeypatch.setattr(time, "clock_gettime", lambda clock: since(clock) + moved["boot"])
    return moved


def sweep(tree: Tree) -> dict[str, str]:
    """What a sweep of the daemon leaves in the attic."""
    with Session(tree.layout, tree.settings) as session:
        assert session.attic.keep_bounds(always=True) == []
    return tree.attic()


def test_a_clock_that_jumps_ahead_and_back_expires_nothing(tree: Tree, shift: dict[str, float]) -> None:
    write(tree.layout.state / "attic", {f"{batch_name(time.time() - DAY, 'dev', '')}/f": "1"})
    sweep(tree)
    for wall in (60 * DAY, 60 * DAY + HOUR, 0.0, 4000 * DAY, -60 * DAY, 0.0):
        shift["wall"] = wall
        shift["boot"] += HOUR
        assert sweep(tree) == {"f": "1"}
        assert tree.resolve().errors == []


def test_what_is_too_old_goes_a_day_later(tree: Tree, shift: dict[str, float]) -> None:
    batch = batch_name(time.time() - 31 * DAY, "dev", "")
    write(tree.layout.state / "attic", {f"{batch}/f": "1"})
    assert sweep(tree) == {"f": "1"}
    for hours in (2, 23):
        shift.update(wall=hours * HOUR, boot=hours * HOUR)
        assert sweep(tree) == {"f": "1"}
    shift.update(wall=24 * HOUR, boot=24 * HOUR)
    assert sweep(tree) == {}


@pytest.mark.parametrize("text", ["", "[]", "null", '{"claimed": "x"}', '{"claimed": NaN}', "\xff"])
def test_a_record_that_is_not_ours_begins_again(tree: Tree, text: str) -> None:
    file = tree.layout.state / "attic-clock.json"
    write(tree.layout.state, {"attic-clock.json": text})
    sweep(tree)
    assert json.loads(file.read_text())["confirmed"] == 0


def test_a_reading_is_not_written_each_time(tree: Tree, shift: dict[str, float]) -> None:
    """The daemon's sweep would write to the disk every five minutes."""
    sweep(tree)
    file = tree.layout.state / "attic-clock.json"
    written = set()
    for minutes in range(5, 125, 5):
        shift.update(wall=minutes * 60, boot=minutes * 60)
        sweep(tree)
        written.add(file.stat().st_ino)
    assert len(written) <= 3


def test_the_newest_version_is_the_last_one_whatever_the_clock_says(
    tree: Tree, shift: dict[str, float]
) -> None:
    """Otherwise versions from a clock that was ahead would crowd out all later ones."""
    for number, wall in enumerate((0.0, 60 * DAY, 0.0, -60 * DAY, 1.0)):
        shift["wall"] = wall
        with (
            Session(tree.layout, tree.settings) as session,
            session.attic.place("f") as (fd, name),
            open(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=fd), "w") as file,
        ):
            file.write(str(number))
    with Session(tree.layout, tree.settings) as session:
        found = [
            (tree.layout.state / "attic" / batch.name / "f").read_text()
            for batch in batches(session.volume.anchor)
        ]
    assert found == ["4", "3", "2", "1", "0"]


def test_a_batch_of_the_last_year_does_not_count(tree: Tree) -> None:
    """The name of a later one could not be read."""
    write(tree.layout.state / "attic", {"99991231T235959.999Z-dev@owner/f": "1"})
    with Session(tree.layout, tree.settings) as session, session.attic.place("f") as (fd, name):
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        assert len(batches(session.volume.anchor)) == 2


def test_the_time_since_boot_is_one_that_no_correction_changes() -> None:
    reading = Reading.take()
    assert reading.boot
    assert reading.uptime == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=5)
    assert attic_clock.CONFIRMED_AFTER == DAY
