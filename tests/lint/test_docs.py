"""What the documentation has from the code is what the code says now; `./dev docs` writes it."""

import pytest

from devtools import docs
from devtools.shell import ROOT


@pytest.mark.parametrize("name", docs.generated())
def test_the_file_is_generated_from_this_code(name: str) -> None:
    file = ROOT / name
    assert file.exists(), "run ./dev docs"
    assert file.read_text() == docs.generated()[name], "run ./dev docs"


def test_nothing_stale_is_kept() -> None:
    assert docs.stale() == []
