"""The lock file of the tools, renewed from a mirror of what the publishers tell."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools import mirror
from devtools.shell import ROOT
from devtools.tools_lock import STEPS, renew
from downloads import Downloads, ToolError

TOLD = {
    "registry.npmjs.org/@anthropic-ai/claude-code/latest": {"version": "9.0.1"},
    "api.github.com/repos/Kitware/CMake/releases/latest": {"tag_name": "v9.1.2"},
    "api.github.com/repos/nvm-sh/nvm/releases/latest": {"tag_name": "v9.40.0"},
    "nodejs.org/dist/index.json": [
        {"version": "v99.1.0", "lts": False},
        {"version": "v98.7.0", "lts": "Zinc"},
        {"version": "v96.0.0", "lts": "Yttrium"},
    ],
}
LOCK = {
    "claude-code": {"version": "2.0.0"},
    "cmake": {"version": "9.1.2"},
    "llvm": {"version": "22", "key": "ABCD"},
    "node": {"version": "96.0.0"},
    "nvm": {"version": "0.40.6", "sha256": {"nvm.sh": "0" * 64}},
}


@pytest.fixture
def downloads(tmp_path: Path) -> Iterator[Downloads]:
    tree = tmp_path / "mirror"
    for name, value in TOLD.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(json.dumps(value))
    (tree / "raw.githubusercontent.com/nvm-sh/nvm/v9.40.0").mkdir(parents=True)
    (tree / "raw.githubusercontent.com/nvm-sh/nvm/v9.40.0/nvm.sh").write_text("nvm\n")
    with mirror.serve(tree, port=0) as address:
        yield Downloads(mirror=address, attempts=1)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "tools.lock"
    file.write_text(json.dumps(LOCK))
    return file


def test_the_newest_versions_are_written(lock: Path, downloads: Downloads) -> None:
    assert renew(lock, downloads) == [
        "claude-code: 2.0.0 → 9.0.1",
        "node: 96.0.0 → 98.7.0",
        "nvm: 0.40.6 → 9.40.0",
    ]
    found = json.loads(lock.read_text())
    assert found["nvm"]["sha256"] == {"nvm.sh": hashlib.sha256(b"nvm\n").hexdigest()}
    assert found["llvm"] == LOCK["llvm"]
    assert renew(lock, downloads) == []


def test_a_publisher_that_does_not_answer_leaves_the_file(
    lock: Path, downloads: Downloads, tmp_path: Path
) -> None:
    before = lock.read_text()
    (tmp_path / "mirror/nodejs.org/dist/index.json").unlink()
    with pytest.raises(ToolError, match=r"index\.json"):
        renew(lock, downloads)
    assert lock.read_text() == before


def test_a_tool_that_nobody_knows(lock: Path, downloads: Downloads) -> None:
    with pytest.raises(ToolError, match="rust: no source of its newest"):
        renew(lock, downloads, ["rust"])


def test_every_tool_of_the_lock_can_be_renewed() -> None:
    assert set(json.loads((ROOT / "images/tools.lock").read_text())) <= set(STEPS)
