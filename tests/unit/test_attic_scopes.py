"""Whose a copy in the attic is: one workspace's copies never count, restore or expire for another's."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coder_ws_runtime.fs import anchored, removing
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store import attic_items
from coder_ws_runtime.persist.store.attic import in_attic
from coder_ws_runtime.persist.store.attic_batch import Batch, batch_name, stamp
from coder_ws_runtime.persist.store.attic_bounds import Bounds
from coder_ws_runtime.persist.store.attic_items import items
from coder_ws_runtime.settings import Settings, Workspace
from tests.harness.tree import Tree, content, read, write
from tests.unit.conftest import Command

PATH = ".zsh_history"
Become = Callable[[str], None]


@pytest.fixture
def become(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Become:
    """Be another workspace of the owner: another container on the same volume."""
    tree.manifest({"path": PATH, "scope": "workspace"}, ".owners")

    def become(workspace_id: str) -> None:
        monkeypatch.setenv("CODER_WORKSPACE_ID", workspace_id)
        name = f"name-{workspace_id}"
        tree.settings = Settings(workspace=Workspace(id=workspace_id, name=name))
        tree.layout.settings_file.parent.mkdir(exist_ok=True)
        document = {"workspace": {"id": workspace_id, "name": name}}
        tree.layout.settings_file.write_text(json.dumps(document))
        tree.lose_container()
        tree.resolve()

    return become


def save(tree: Tree, text: str, path: str = PATH) -> None:
    """As programs save: a new file renamed over the link."""
    new = tree.home / f"{path}.new"
    new.write_text(text)
    new.replace(tree.home / path)
    tree.resolve()


def saved(tree: Tree) -> str:
    return (tree.volume / ".workspaces" / tree.settings.workspace.id / PATH).read_text()


def listed(run: Command, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("attic", "list", "--json", *words).out)["items"]
    return found


def test_a_record_for_each_item(tree: Tree, run: Command, become: Become) -> None:
    become("a")
    save(tree, "first")
    save(tree, "second")
    save(tree, "theirs", ".owners")
    save(tree, "the owner's", ".owners")
    found = {item["path"]: item for item in listed(run)}
    own, owners = found[PATH], found[".owners"]
    assert (own["scope"], own["workspace"], own["reason"], own["workspace_name"]) == (
        "workspace",
        "a",
        "superseded",
        "name-a",
    )
    assert own["replaced_by"]["side"] == "home"
    assert own["replaced_by"]["size_bytes"] == len("second")
    assert abs(own["replaced_by"]["modified"] - time.time()) < 60
    assert (owners["scope"], owners["workspace"], owners["reason"]) == ("owner", None, "superseded")


def test_many_saves_of_another_workspace_evict_nothing(tree: Tree, run: Command, become: Become) -> None:
    become("a")
    save(tree, "a's only copy")
    save(tree, "a's newer")
    become("b")
    for number in range(Bounds().versions + 5):
        save(tree, f"b {number}")
    become("a")
    assert [item["size_bytes"] > 0 for item in listed(run, PATH)] == [True]
    assert run("attic", "restore", "--force", PATH).status == 0
    assert saved(tree) == "a's only copy"


def test_one_workspace_does_not_get_the_others(tree: Tree, run: Command, become: Become) -> None:
    become("a")
    save(tree, "older")
    save(tree, "newer")
    become("b")
    assert listed(run) == []
    told = run("attic", "restore", "--json", PATH)
    assert (told.status, told.codes) == (1, ["attic.unknown"])
    (batch,) = {item["batch"] for item in listed(run, "--all")}
    told = run("attic", "restore", "--json", "--batch", batch, PATH)
    (error,) = told.errors
    assert (told.status, error["code"]) == (1, "attic.other-workspace")
    assert f"--workspace a --batch {batch}" in error["remedy"]
    assert run("attic", "restore", "--workspace", "a", PATH).status == 0, "said so, it is given"
    assert saved(tree) == "older"


def test_the_daemon_takes_no_other_workspaces_copy_for_its_own(tree: Tree, become: Become) -> None:
    become("a")
    save(tree, "bytes")
    save(tree, "newer")
    with Session(tree.layout, tree.settings) as session:
        volume = session.volume.anchor
        assert in_attic(volume, f".workspaces/a/{PATH}")
        assert not in_attic(volume, f".workspaces/b/{PATH}")
        assert not in_attic(volume, PATH)


ESCAPES = [
    "../../.workspaces/b",
    "..",
    ".",
    "/etc",
    "20260101T000000.000Z-x/../../../.workspaces/b",
    "20260101T000000.000Z-..@owner/..",
    "20261301T000000.000Z-x",
    "20260101T000000.000Z-x@ws-zz",
    "",
]


@pytest.mark.parametrize("batch", ESCAPES)
@pytest.mark.parametrize("force", [[], ["--force"]], ids=["", "force"])
def test_a_batch_is_a_name(tree: Tree, run: Command, become: Become, batch: str, force: list[str]) -> None:
    become("b")
    save(tree, "b's live file")
    become("a")
    save(tree, "a's")
    before = content(tree.volume)
    told = run("attic", "restore", "--json", *force, "--batch", batch, PATH)
    assert (told.status, told.codes) == (2, ["attic.batch-invalid"])
    assert content(tree.volume) == before


# Format 1 ------------------------------------------------------------------------------------------


@pytest.fixture
def old(tree: Tree, become: Become) -> dict[str, str]:
    """The attic as a version before scopes left it."""
    become("a")
    batches = {
        "a": stamp(time.time() - 3 * 86400, "name-a"),
        "b": stamp(time.time() - 2 * 86400, "name-b"),
        "a by id": stamp(time.time() - 4 * 86400, "a"),
    }
    write(
        tree.layout.state / "attic",
        {
            f"{batches['a']}/{PATH}": "a's history",
            f"{batches['b']}/{PATH}": "b's history",
            f"{batches['b']}/.owners": "the owner's",
            f"{batches['a by id']}/.d/x": "a directory's",
        },
    )
    return batches


def test_the_old_layout_is_listed(old: dict[str, str], run: Command) -> None:
    found = {(item["batch"], item["path"]): item for item in listed(run)}
    assert set(found) == {(old["a"], PATH), (old["b"], ".owners"), (old["a by id"], ".d/x")}
    assert {item["scope"] for item in found.values()} == {None}
    assert {item["reason"] for item in found.values()} == {"unknown"}
    assert len(listed(run, "--all")) == 4
    assert {item["path"] for item in listed(run, "--workspace", "name-b")} == {PATH, ".owners"}


def test_the_old_layout_is_restored(tree: Tree, old: dict[str, str], run: Command) -> None:
    assert run("attic", "restore", PATH).status == 0
    assert saved(tree) == "a's history"
    assert run("attic", "restore", ".owners").status == 0
    assert (tree.volume / ".owners").read_text() == "the owner's"
    assert run("attic", "restore", "--batch", old["a by id"], ".d/x").status == 0
    assert (tree.home / ".d/x").read_text() == "a directory's"


# Names ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workspace", ["dev", "a b/c", "..", "@owner", "ünïcode", "x" * 300, ""])
@pytest.mark.parametrize("copies_of", ["", "w1", "owner"])
def test_a_name_tells_what_it_was_made_of(workspace: str, copies_of: str) -> None:
    now = time.time()
    name = batch_name(now, workspace, copies_of)
    assert re.fullmatch(r"[A-Za-z0-9@._-]{1,200}", name)
    batch = Batch.parse(name)
    assert batch is not None
    assert abs(batch.time - now) < 0.01
    assert batch.scope == ("workspace" if copies_of else "owner")
    assert batch.has_copies_of(copies_of)
    assert not batch.has_copies_of("another")
    assert batch.has_copies_of("") == (not copies_of)


# What cannot be read -------------------------------------------------------------------------------


@pytest.fixture
def broken(tree: Tree, become: Become, monkeypatch: pytest.MonkeyPatch) -> str:
    """An item that cannot be read, between others. Modes do not stop root, so opening it fails here."""
    become("a")
    batch = batch_name(time.time() - 86400, "dev", "")
    write(tree.layout.state / "attic", {f"{batch}/a": "1", f"{batch}/bad/x": "2", f"{batch}/z": "3"})
    real = anchored.open_directory

    def refuse(name: str, fd: int, **kwargs: bool) -> int:
        if name == "bad":
            raise PermissionError(13, "Permission denied", "bad")
        return real(name, fd, **kwargs)

    for module in (attic_items, removing):
        monkeypatch.setattr(module, "open_directory", refuse)
    return batch


def test_an_item_that_cannot_be_read_is_reported_and_passed_over(
    tree: Tree, run: Command, broken: str
) -> None:
    told = run("attic", "list", "--json")
    document = json.loads(told.out)
    assert told.status == 1
    assert [item["path"] for item in document["items"]] == ["a", "bad/", "z"]
    (error,) = document["errors"]
    assert error["code"] == "attic.unreadable"
    assert error["place"] == f"{tree.layout.state}/attic/{broken}/bad"
    told = run("attic", "list")
    (said,) = (line for line in told.err.splitlines() if line.startswith("error: ") and broken in line)
    assert f"hint: check owner and mode: find {tree.layout.state}/attic/{broken}/bad " in told.err, said
    assert "Traceback" not in told.err
    assert run("attic", "restore", "z").status == 0
    assert run("attic", "prune").status == 1
    told = run("attic", "prune", "--json", "--yes", "--older-than", "0")
    assert (told.status, told.codes) == (1, ["attic.not-removable"])
    assert read(tree.layout.state / "attic") == {f"{broken}/bad/x": "2"}
    assert run("gc", "--yes").status == 1
    save(tree, "saved")
    save(tree, "saved again")
    assert saved(tree) == "saved again"


@pytest.mark.parametrize("text", ["", "{", '{"path": 1}', '{"path": "f", "why": "new"}', "\0", "[]\n{}"])
def test_a_record_that_cannot_be_understood_hides_no_item(tree: Tree, run: Command, text: str) -> None:
    """A newer version has reasons that we do not know."""
    batch = batch_name(time.time(), "dev", "")
    write(tree.layout.state, {f"attic/{batch}/f": "1", f"attic-records/{batch}.jsonl": text})
    (item,) = listed(run)
    assert (item["path"], item["scope"], item["reason"]) == ("f", "owner", "unknown")


def test_what_is_no_batch_is_left_alone(tree: Tree, run: Command) -> None:
    write(tree.layout.state / "attic", {"notes.txt": "mine", "20260101T000000.000Z-f": "a file"})
    assert listed(run) == []
    run("attic", "prune", "--yes", "--older-than", "0")
    assert read(tree.layout.state / "attic") == {"notes.txt": "mine", "20260101T000000.000Z-f": "a file"}


# Bounds --------------------------------------------------------------------------------------------


def test_settled_paths_keep_the_attic_within_its_bounds(tree: Tree, become: Become) -> None:
    """Checked when something is added, not only by the daemon's sweep."""
    become("a")
    (entry,) = [one for one in load_declarations(tree.layout, tree.settings).entries if one.path == PATH]
    ancient = batch_name(time.time() - 40 * 86400, "name-a", "a")
    write(tree.layout.state / "attic", {f"{ancient}/{PATH}": "expired"})
    tree.confirm_time()
    (tree.home / PATH).unlink()
    (tree.home / PATH).write_text("1")
    tree.resolve()
    (tree.home / PATH).unlink()
    (tree.home / PATH).write_text("2")
    with Session(tree.layout, tree.settings) as session:
        assert settle(session, entry).error is None
        assert [item.size > 0 for item in items(session.volume)] == [True]
    assert tree.attic() == {PATH: "1"}
    assert not Path(tree.layout.state / "attic" / ancient).exists()
