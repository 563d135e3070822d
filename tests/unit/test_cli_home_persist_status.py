"""`home-persist status`: every state as a row, and what the command shows of it."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.path_state import MEANING, State
from coder_ws_runtime.persist.reconcile.event import LINK_DELETED
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.status import status
from coder_ws_runtime.persist.store.lease import Lease
from tests.harness.tree import Tree, write
from tests.unit.conftest import Command

LINK = "->{volume}/"


@contextmanager
def watched(tree: Tree) -> Iterator[None]:
    """While the lease is held, as the daemon holds it."""
    with Session(tree.layout, tree.settings) as session:
        lease = Lease(session.volume, tree.settings.workspace.id)
        yield
        lease.close()


@dataclass(frozen=True)
class Case:
    """What is there of one declared path. `recorded`: this container made the link before."""

    declared: str
    state: State
    home: dict[str, str] = field(default_factory=dict)
    volume: dict[str, str] = field(default_factory=dict)
    recorded: str = ""
    """What the link says that this container made."""


TABLE = {
    "link, content": Case(".d/", State.LINKED, {".d": LINK + ".d"}, {".d/x": "1"}),
    "link, no file": Case("f", State.UNWRITTEN, {"f": LINK + "f"}),
    "link, no directory": Case(".d/", State.NO_TARGET, {".d": LINK + ".d"}),
    "link to a file whose directory is not there": Case("a/f", State.NO_TARGET, {"a/f": LINK + "a/f"}),
    "link, another type": Case(".d/", State.OTHER_TYPE, {".d": LINK + ".d"}, {".d": "file"}),
    "link of ours to another place": Case(
        "f", State.ASTRAY, {"f": LINK + "old"}, {"f": "1"}, recorded=LINK + "old"
    ),
    "the user's own link onto the volume": Case("f", State.DIVERTED, {"f": LINK + "old"}, {"f": "1"}),
    "nothing": Case(".d/", State.NOT_LINKED, {}, {".d/x": "1"}),
    "content, nothing on the volume": Case("f", State.ONLY_IN_HOME, {"f": "1"}),
    "the user's own link": Case("f", State.DIVERTED, {"f": "->elsewhere"}),
    "content, content": Case("f", State.TWO_COPIES, {"f": "1"}, {"f": "2"}),
    "content in the place of our link": Case(
        "f", State.REPLACED, {"f": "new"}, {"f": "old"}, recorded=LINK + "f"
    ),
    "content of another type": Case(".d/", State.OTHER_TYPE, {".d": "file"}),
    "content, another type on the volume": Case("f", State.OTHER_TYPE, {"f": "1"}, {"f/x": "1"}),
    "set aside by an interrupted run": Case(
        "f", State.INTERRUPTED, {"f": LINK + "f", ".f.home-persist": "1"}, {"f": "1"}
    ),
    "a file on the way": Case("a/f", State.BLOCKED, {"a": "file"}),
    "a link on the way": Case("a/f", State.DIVERTED, {"a": "->b", "b/x": "1"}),
}


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE.keys())
def test_state(tree: Tree, case: Case) -> None:
    tree.manifest(case.declared)
    if case.recorded:
        with Session(tree.layout, tree.settings) as session:
            recorded = case.recorded.removeprefix("->").replace("{volume}", str(tree.volume))
            session.ledger.record(case.declared, recorded)
    write(tree.home, {path: text.replace("{volume}", str(tree.volume)) for path, text in case.home.items()})
    write(tree.volume, case.volume)
    assert [item.state for item in status(tree.layout, tree.settings).paths] == [case.state]


def test_a_fifo_in_the_way(tree: Tree) -> None:
    tree.manifest("f")
    os.mkfifo(tree.home / "f")
    assert status(tree.layout, tree.settings).paths[0].state is State.IN_THE_WAY


def test_every_state_is_explained() -> None:
    assert set(MEANING) == set(State)


def test_what_nothing_declares(tree: Tree) -> None:
    tree.manifest(".cfg/a/", "f")
    write(
        tree.volume,
        {
            ".cfg/a/x": "1",
            ".cfg/b/x": "1",
            "f": "1",
            "g": "1",
            ".empty/": "",
            "lost+found/": "",
            ".jetbrains-dist/x": "1",
            ".workspaces/w1/h": "1",
            ".workspaces/other/h": "1",
        },
    )
    found = status(tree.layout, tree.settings).paths
    assert [
        (item.entry.on_volume, item.entry.path) for item in found if item.state is State.NOT_DECLARED
    ] == [
        (".cfg/b", ".cfg/b"),
        ("g", "g"),
        (".workspaces/w1/h", "h"),
    ]


def test_sizes_count_blocks_and_each_file_once(tree: Tree) -> None:
    tree.manifest(".d/")
    tree.resolve()
    one = tree.volume / ".d/one"
    one.write_bytes(b"x" * 100_000)
    (tree.volume / ".d/two").hardlink_to(one)
    with (tree.volume / ".d/sparse").open("wb") as file:
        file.truncate(1 << 30)
    usage = status(tree.layout, tree.settings).paths[0].usage
    assert usage is not None
    du = subprocess.run(
        ["du", "-s", "--block-size=1", tree.volume / ".d"], capture_output=True, text=True, check=True
    )
    assert (usage.size, usage.files, usage.complete) == (int(du.stdout.split()[0]), 2, True)


def test_the_table_and_its_legend(tree: Tree, run: Command) -> None:
    tree.manifest(".d/", "f", {"path": ".w/", "scope": "workspace"}, name="tool")
    tree.resolve()
    (tree.home / "f").unlink()
    (tree.home / "f").write_text("new")
    told = run("status")
    lines = [line.split() for line in told.out.splitlines()]
    assert lines[:4] == [
        ["PATH", "SOURCE", "SCOPE", "STATE", "SIZE"],
        ["~/.d/", "tool", "owner", "linked", "4.0", "KiB"],
        ["~/.w/", "tool", "workspace", "linked", "4.0", "KiB"],
        ["~/f", "tool", "owner", "replaced", "4.0", "KiB"],
    ]
    assert "replaced: a program replaced the link with new content" in told.out
    assert "linked:" not in told.out, "what is plain needs no word"
    assert "3 paths, 1 not as declared; " in told.out
    assert told.status == 1


def test_all_is_well(tree: Tree, run: Command) -> None:
    tree.manifest(".d/")
    tree.resolve()
    with watched(tree):
        told = run("status")
    assert (told.status, told.err) == (0, "")
    assert "1 path, all as declared; " in told.out


def test_nothing_is_declared(run: Command) -> None:
    assert run("status").out.startswith("0 paths, all as declared; ")


def test_json(tree: Tree, run: Command) -> None:
    tree.manifest("f", name="tool")
    (tree.layout.manifest_dir / "bad.json").write_text("{")
    told = run("status", "--json")
    document = json.loads(told.out)
    assert told.status == 1, "a manifest is refused"
    (path,) = document["paths"]
    assert (path["path"], path["state"], path["ok"], path["size_bytes"]) == ("f", "not-linked", False, None)
    assert path["declared_in"].endswith("tool.json:$.paths[0]")
    assert document["refused"][0]["code"] == "manifest.not-json"
    assert 0 < document["volume"]["free_bytes"] <= document["volume"]["size_bytes"]


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        pytest.param(".cfg/gh", ["~/.cfg/gh/"], id="a path"),
        pytest.param("~/.cfg", ["~/.cfg/gh/", "~/.cfg/git/"], id="what is below it"),
        pytest.param(".cfg/gh/hosts", ["~/.cfg/gh/"], id="what it lies in"),
    ],
)
def test_only_some(tree: Tree, run: Command, asked: str, shown: list[str]) -> None:
    tree.manifest(".cfg/gh/", ".cfg/git/", "f")
    tree.resolve()
    told = run("status", asked)
    assert [line.split()[0] for line in told.out.splitlines() if line.startswith("~/")] == shown


def test_an_unknown_path_names_the_nearest(tree: Tree, run: Command) -> None:
    tree.manifest(".claude/")
    told = run("status", "--json", ".cluade")
    (error,) = told.errors
    assert (told.status, error["code"], error["place"]) == (1, "path.not-declared", "~/.cluade")
    assert error["remedy"] == "did you mean ~/.claude?"


def test_no_volume(tree: Tree, run: Command) -> None:
    tree.volume.rmdir()
    told = run("status", "--json")
    assert (told.status, told.codes) == (3, ["volume.missing"])


def test_it_changes_nothing(tree: Tree, run: Command) -> None:
    tree.manifest(".d/", "f")
    write(tree.home, {".d/x": "1"})
    before = sorted(tree.layout.root.rglob("*"))
    run("status")
    after = sorted(path for path in tree.layout.root.rglob("*") if "validated" not in str(path))
    assert after == before


def test_a_deleted_file_is_told_from_one_that_was_never_written(tree: Tree, run: Command) -> None:
    tree.manifest("f", "g")
    write(tree.home, {"f": "1"})
    tree.resolve()
    with Session(tree.layout, tree.settings) as session:
        (tree.home / "f").unlink()
        for entry in load_declarations(tree.layout, tree.settings).entries:
            settle(session, entry, event=LINK_DELETED)
    told = run("status")
    assert [item.state for item in status(tree.layout, tree.settings).paths] == [
        State.DELETED,
        State.UNWRITTEN,
    ]
    assert told.status == 0
    assert run("attic", "restore", "~/f").status == 0
    assert (tree.home / "f").read_text() == "1"


def test_without_the_daemon_a_warning(tree: Tree, run: Command) -> None:
    tree.manifest("f")
    tree.resolve()
    assert run("status").err.startswith("warning: ")
    assert json.loads(run("status", "--json").out)["daemon_running"] is False
    with watched(tree):
        assert run("status").err == ""
        assert json.loads(run("status", "--json").out)["daemon_running"] is True


def test_hints_are_for_a_shell_and_errors_are_json_too(tree: Tree, run: Command) -> None:
    assert run("status", "no there").err.endswith("home-persist add ~/'no there'\n")
    told = run("status", "--json", "no there")
    assert (told.status, json.loads(told.out)["error"]["code"]) == (1, "path.not-declared")
    assert tree.home.exists()
