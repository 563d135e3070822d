"""When the daemon looks at a path: a table of what happened, and what is due when."""

import pytest

from coder_ws_runtime.persist.watch.change import Sign
from coder_ws_runtime.persist.watch.schedule import Schedule

# What happened at which second; when the path is due.
CASES: dict[str, tuple[list[tuple[float, Sign]], float]] = {
    "one save": ([(0, Sign.SAVED)], 0.05),
    "two saves": ([(0, Sign.SAVED), (0.03, Sign.SAVED)], 0.08),
    "saves without end": ([(0.04 * number, Sign.SAVED) for number in range(25)], 1.0),
    "a file that is being written": ([(0, Sign.CREATED)], 1.0),
    "a file that was written": ([(0, Sign.CREATED), (0.5, Sign.SAVED)], 0.55),
    "a directory that is being filled": ([(0, Sign.FILLING)], 2.0),
    "a deletion": ([(0, Sign.DELETED)], 10.0),
    "a deletion, then a save": ([(0, Sign.DELETED), (5, Sign.SAVED)], 5.05),
    "a deletion, then a user's link": ([(0, Sign.DELETED), (5, Sign.CREATED)], 6.0),
    "a save, then a deletion": ([(0, Sign.SAVED), (0.01, Sign.DELETED)], 10.01),
    "a rename": ([(0, Sign.MOVED)], 0.2),
    "a backup and a save": ([(0, Sign.MOVED), (0, Sign.SAVED)], 0.05),
    "a directory above": ([(0, Sign.ABOVE)], 2.0),
    "a directory above, while a save waits": ([(0, Sign.SAVED), (0.01, Sign.ABOVE)], 0.05),
}


@pytest.mark.parametrize(("happened", "due"), CASES.values(), ids=CASES)
def test_due(happened: list[tuple[float, Sign]], due: float) -> None:
    schedule = Schedule()
    for now, sign in happened:
        schedule.note("f", sign, now)
    assert schedule.next(100) == pytest.approx(due)
    assert schedule.ready(due - 0.001) == []
    assert schedule.ready(due + 0.001) == ["f"]


def test_what_was_due_first_comes_first() -> None:
    schedule = Schedule()
    schedule.note("later", Sign.CREATED, 0)
    schedule.note("first", Sign.SAVED, 0)
    schedule.look_now("now")
    assert schedule.ready(2) == ["now", "first", "later"]
    assert schedule.take("first")
    assert not schedule.take("first")
    assert schedule.ready(2) == ["now", "later"]


def test_pauses_between_failures_grow_and_end_with_them() -> None:
    schedule = Schedule()
    pauses = []
    now = 0.0
    for _ in range(14):
        schedule.retry("f", now, 0)
        pauses.append(schedule.next(1e9) - now)
        now = schedule.next(1e9)
        schedule.take("f")
    assert pauses[:4] == [0.25, 0.5, 1, 2]
    assert pauses[-1] == 300
    schedule.settled("f", now, changed=True)
    schedule.retry("f", now, 0)
    assert schedule.next(1e9) - now == 0.25


def test_a_failure_that_took_long_is_not_repeated_soon_whatever_events_say() -> None:
    """A directory of 300 MB with an open log: reading it takes a second, and that once in twenty."""
    schedule = Schedule()
    schedule.retry("big", 0, 3)
    schedule.note("big", Sign.SAVED, 1)
    assert schedule.next(1e9) == 60


def test_an_event_ends_the_wait_for_what_failed_quickly() -> None:
    schedule = Schedule()
    for _ in range(10):
        schedule.retry("f", 0, 0)
        schedule.take("f")
    schedule.retry("f", 0, 0)
    schedule.note("f", Sign.SAVED, 1)
    assert schedule.next(1e9) == 1.05


def test_heals_without_end_come_once_a_second() -> None:
    """A path that is saved all the time floods neither the attic nor the log."""
    schedule = Schedule()
    heals, now = 0, 0.0
    while now < 300:
        schedule.note("f", Sign.SAVED, now)
        now = schedule.next(1e9)
        schedule.take("f")
        schedule.settled("f", now, changed=True)
        heals += 1
    assert 300 < heals < 400


def test_what_is_no_longer_declared_is_forgotten() -> None:
    schedule = Schedule()
    schedule.note("f", Sign.SAVED, 0)
    schedule.retry("f", 0, 10)
    schedule.forget("f")
    assert schedule.next(7) == 7
    assert not schedule.is_due("f")
