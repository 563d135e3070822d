"""How many system calls a declared path costs. Each is done for every path, at every start of a workspace."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from devtools.shell import ROOT
from tests.conftest import missing
from tests.harness.tree import Tree

FEW, MANY = 20, 120

NEW_DIRECTORY = 6
"""As below; then a directory, a link and its mark. The lock and the ledger's lines are for all together."""
NEW_LINK = 5
"""The volume has it: as above, without the directory."""
IN_PLACE = 3
"""A look at the home, at the volume, and at what an interrupted run may have left."""


@pytest.fixture
def calls(tree: Tree, tmp_path: Path) -> Callable[[], int]:
    """Counts the system calls of one resolve."""
    if shutil.which("strace") is None:
        missing("strace is not there")
    program = (
        "import sys; from pathlib import Path\n"
        "from coder_ws_runtime.layout import Layout\n"
        "from coder_ws_runtime.persist.resolve import resolve\n"
        "from coder_ws_runtime.settings import Settings, Workspace\n"
        "resolve(Layout.of(Path(sys.argv[1])), Settings(workspace=Workspace(id='w')))\n"
    )

    def count() -> int:
        trace = tmp_path / "trace"
        words = [
            "strace",
            "-f",
            "-qqq",
            "-o",
            str(trace),
            sys.executable,
            "-c",
            program,
            str(tree.layout.root),
        ]
        subprocess.run(words, check=True, cwd=ROOT)
        return len(trace.read_text().splitlines())

    return count


def _declare(tree: Tree, paths: list[str]) -> None:
    (tree.layout.manifest_dir / "many.json").write_text(json.dumps({"source": "many", "paths": paths}))


def test_a_path_costs_little(tree: Tree, calls: Callable[[], int]) -> None:
    """The first resolve, the first in another container, and one that finds all in place."""
    counted: dict[str, dict[int, int]] = {"new": {}, "linked": {}, "in place": {}}
    for number in (FEW, MANY):
        _declare(tree, [f".{number}/p{index}/" for index in range(number)])
        calls()  # the directory above them, and bytecode
        for path in tree.home.glob(".*/p*"):
            path.unlink()
        for path in tree.volume.glob(f".{number}/p*"):
            path.rmdir()
        shutil.rmtree(tree.layout.ledger_dir)
        tree.layout.ledger_dir.mkdir()
        counted["new"][number] = calls()
        counted["in place"][number] = calls()
        for path in tree.home.glob(".*/p*"):
            path.unlink()
        shutil.rmtree(tree.layout.ledger_dir)
        tree.layout.ledger_dir.mkdir()
        counted["linked"][number] = calls()
        assert len(list(tree.home.glob(f".{number}/p*/"))) == number
    each = {what: (found[MANY] - found[FEW]) / (MANY - FEW) for what, found in counted.items()}
    print(each)
    assert each["new"] < NEW_DIRECTORY + 0.5
    assert each["linked"] < NEW_LINK + 0.5
    assert each["in place"] < IN_PLACE + 0.5
