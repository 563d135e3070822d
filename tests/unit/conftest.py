from pathlib import Path

import pytest

from tests.harness.tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.at(tmp_path)
