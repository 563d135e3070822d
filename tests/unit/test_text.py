"""Numbers and names in words."""

import pytest

from coder_ws_runtime.text import find_nearest, plural, size, suggest


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1, "1 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (20 << 20, "20.0 MiB")],
)
def test_size(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("count", "noun", "many", "text"),
    [
        (0, "path", "", "0 paths"),
        (1, "path", "", "1 path"),
        (2, "path", "", "2 paths"),
        (1, "entry", "entries", "1 entry"),
        (2, "entry", "entries", "2 entries"),
    ],
)
def test_plural(count: int, noun: str, many: str, text: str) -> None:
    assert plural(count, noun, many) == text


def test_nearest() -> None:
    assert find_nearest("resolv", ["status", "resolve"]) == "resolve"
    assert find_nearest("xyz", ["status", "resolve"]) == ""


def test_suggest() -> None:
    assert suggest("resolv", ["status", "resolve"]) == "did you mean 'resolve'?"
    assert suggest("xyz", ["status", "resolve"]) == "known: status, resolve"
