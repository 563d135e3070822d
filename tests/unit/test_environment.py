"""The environment variables that scripts written for the shell resolver set, a row each."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from coder_ws_runtime.layout import Layout
from tests.harness.tree import Tree, content, read, write
from tests.unit.conftest import Command


@dataclass(frozen=True)
class Row:
    """A variable, and what it moves: as an attribute of the layout, below `/` and below another root."""

    variable: str
    attribute: str
    default: str
    inside: str


ROWS = [
    Row("HOME", "home", "/home/coder", "/home/coder"),
    Row("HOME_PERSIST_STATE", "volume", "/mnt/home-persist", "/else/where"),
    Row("HOME_PERSIST_MANIFEST_DIR", "manifest_dir", "/etc/home-persist.d", "/else/where"),
    Row("HOME_PERSIST_LEDGER_DIR", "ledger_dir", "/var/lib/home-persist", "/else/where"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.variable)
def test_it_names_a_place(row: Row) -> None:
    def place(root: str, env: dict[str, str]) -> str:
        return str(getattr(Layout.of(Path(root), env), row.attribute))

    assert place("/", {}) == row.default
    assert place("/", {row.variable: ""}) == row.default
    assert place("/", {row.variable: "/else/where"}) == "/else/where"
    assert place("/tree", {row.variable: "/else/where"}) == f"/tree{row.inside}"


def test_they_are_heeded(tree: Tree, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE", "MANIFEST_DIR", "LEDGER_DIR"):
        monkeypatch.setenv(f"HOME_PERSIST_{name}", f"/my/{name}")
    monkeypatch.setenv("CODER_WORKSPACE_ID", "mine")
    root = tree.layout.root
    write(root, {"my/STATE/": "", "my/MANIFEST_DIR/x.json": '{"source": "x", "paths": [".x/"]}'})
    write(root, {"my/MANIFEST_DIR/y.json": '{"source": "y", "scope": "workspace", "paths": [".y"]}'})
    write(tree.home, {".x/a": "1", ".y": "2"})
    assert run("resolve").status == 0
    assert content(root / "my/STATE") == {".x/a": "1", ".workspaces/mine/.y": "2"}
    assert "links" in os.listdir(root / "my/LEDGER_DIR")


@pytest.mark.parametrize("value", ["../x", "a/b", ".", "a b", "x" * 65, "ä", "a\n"])
def test_an_id_that_is_none(tree: Tree, run: Command, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    tree.manifest({"path": ".x/", "scope": "workspace"})
    monkeypatch.setenv("CODER_WORKSPACE_ID", value)
    for words in (["resolve"], ["status"], ["gc"], ["add", ".y/"]):
        told = run(*words)
        assert told.status == 2
        assert told.err == (
            f"error: CODER_WORKSPACE_ID is {value!r}, which is not a valid workspace ID\n"
            "hint: unset it, and the ID in the settings document applies\n"
        )
    assert read(tree.volume) == {}


def test_no_place_for_the_ledger(tree: Tree, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.manifest(".x/", ".y/")
    write(tree.home, {".x/a": "1"})
    write(tree.layout.root, {"file": ""})
    monkeypatch.setenv("HOME_PERSIST_LEDGER_DIR", "/file/ledger")
    told = run("resolve")
    assert (told.status, told.err.splitlines()) == (
        1,
        [
            f"error: {tree.layout.root}/file/ledger: the ledger's directory cannot be used: Not a directory",
            "hint: make it a directory of the user, or name another one in HOME_PERSIST_LEDGER_DIR",
        ],
    )
    assert read(tree.home) == {".x/a": "1"}
    assert run("status").status == 1, "what only looks needs no ledger"
