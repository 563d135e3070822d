"""Counting what was really tried; tests/conftest.py prints the sums at the end."""

from collections.abc import Callable

import pytest

Tried = Callable[[str, int], None]


@pytest.fixture
def tried(record_property: Callable[[str, object], None]) -> Tried:
    """Count, e.g. ``tried("kill points tried", 44)``; parallel workers are added up."""
    return lambda name, count: record_property("tried", [name, count])


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> bool:
    """Whether all of it is to be tried, or a bounded share."""
    return bool(request.config.getoption("--whole"))
