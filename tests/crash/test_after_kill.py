"""A run is killed at each of its points. What happens next does not count on what it had only begun."""

import itertools
from collections.abc import Callable

import pytest

from tests.conftest import Tried
from tests.crash.test_states import Homes

POINTS = range(10, 45)
"""The run makes its own directories before, and has ended after these."""
IMAGES = (".dir/one",), (".dir/one", "file")
VOLUMES = (), ("file",), (".dir/one",), ("file", ".dir/one")


def fifo(homes: Homes) -> None:
    """From now on the directory stays in the home, and is copied."""
    homes.make_or_remove_a_fifo(number=0)


def other(homes: Homes) -> None:
    """Another workspace links the same paths, and saves."""
    homes.resolve(number=1)
    for file in range(len(homes.files)):
        homes.save_atomically(number=1, file=file)
    homes.resolve(number=1)


STEPS = (), (other,), (fifo,), (fifo, other), (other, fifo)


@pytest.mark.parametrize("steps", STEPS, ids=["the end", "other", "fifo", "fifo, other", "other, fifo"])
def test_after_a_kill(steps: tuple[Callable[[Homes], None], ...], tried: Tried, *, whole: bool) -> None:
    """The container is lost later, after a clean stop."""
    for image, volume in itertools.product(IMAGES, VOLUMES):
        for at in POINTS if whole else POINTS[::3]:
            homes = Homes()
            try:
                homes.begin(declared=["file", ".dir/"], volume=list(volume), images=(list(image), []))
                homes.crash(at=at, number=0, running=False)
                for step in steps:
                    step(homes)
                homes.lose_container(number=0)
                homes.nothing_is_lost()
            finally:
                homes.teardown()
            tried("kill points tried", 1)
