import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from coder_ws_runtime.cli import commands
from coder_ws_runtime.cli.home_persist.main import home_persist
from tests.harness.documents import check_document
from tests.harness.tree import Tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.at(tmp_path)


@dataclass(frozen=True)
class Told:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str

    @property
    def errors(self) -> list[dict[str, Any]]:
        """The errors of the document that a command printed with --json, in their order."""
        return list(_errors(json.loads(self.out)))

    @property
    def codes(self) -> list[str]:
        """The codes of those errors."""
        return [error["code"] for error in self.errors]


def _errors(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if value.keys() == {"code", "message", "place", "remedy"}:
            yield value
        else:
            for inner in value.values():
                yield from _errors(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _errors(inner)


Command = Callable[..., Told]


@pytest.fixture
def run(tree: Tree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """`home-persist` on the tree: ``run("status", "--json")``."""
    monkeypatch.setenv("CODER_WORKSPACE_ID", tree.settings.workspace.id)
    monkeypatch.setenv("TERM", "dumb")

    def run(*words: str, root: bool = True) -> Told:
        capsys.readouterr()
        at = ["--root", str(tree.layout.root)] if root else []
        status = commands.run(home_persist, [*words, *at])
        told = capsys.readouterr()
        if "--json" in words and told.out:
            check_document(told.out)
        return Told(status, told.out, told.err)

    return run
