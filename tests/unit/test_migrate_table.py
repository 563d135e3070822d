"""Migrations: one row, one case, on real files; and that each runs once."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from coder_ws_runtime.persist.migrations.plan import Decision
from coder_ws_runtime.persist.migrations.run import Migrated, migrate
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_records import Reason
from coder_ws_runtime.persist.store.lease import Lease
from tests.harness.tree import Tree, content, read, write
from tests.unit.conftest import Command

REMOVE = {"id": "m", "remove": ".old/"}
RENAME = {"id": "m", "rename": [".old", ".new"]}
TO_WORKSPACE = {"id": "m", "rescope": {"path": ".old/", "to": "workspace"}}
TO_OWNER = {"id": "m", "rescope": {"path": ".old/", "to": "owner"}}
OWN = ".workspaces/w1"


@dataclass(frozen=True)
class Case:
    """`row`: of the owner's copy, and of this workspace's own copy if it has one."""

    step: Mapping[str, object]
    rows: list[Decision]
    volume: dict[str, str] = field(default_factory=dict)
    then: dict[str, str] = field(default_factory=dict)
    attic: dict[str, str] = field(default_factory=dict)


TABLE = {
    "remove: nothing there": Case(REMOVE, [Decision.NOTHING, Decision.NOTHING]),
    "remove: a directory goes to the attic": Case(
        REMOVE,
        [Decision.REMOVED, Decision.NOTHING],
        volume={".old/x": "1", ".old/s/y": "2", "other": "3"},
        then={"other": "3"},
        attic={".old/x": "1", ".old/s/y": "2"},
    ),
    "remove: this workspace's own copy too": Case(
        REMOVE,
        [Decision.REMOVED, Decision.REMOVED],
        volume={".old/x": "1", f"{OWN}/.old/x": "2", ".workspaces/w2/.old/x": "3"},
        then={f"{OWN}/": "", ".workspaces/w2/.old/x": "3"},
        attic={".old/x": "1 2"},
    ),
    "remove: what a symlink leads to is not ours": Case(
        {"id": "m", "remove": "link/x"},
        [Decision.NOTHING, Decision.NOTHING],
        volume={"link": "->.keep", ".keep/x": "1"},
        then={"link": "->.keep", ".keep/x": "1"},
    ),
    "rename: nothing there": Case(
        RENAME, [Decision.NOTHING, Decision.NOTHING], volume={".new": "n"}, then={".new": "n"}
    ),
    "rename: the new place is free": Case(
        RENAME, [Decision.MOVED, Decision.NOTHING], volume={".old/x": "1"}, then={".new/x": "1"}
    ),
    "rename: the new place's directory is made": Case(
        {"id": "m", "rename": [".toolrc", ".config/tool/rc"]},
        [Decision.MOVED, Decision.NOTHING],
        volume={".toolrc": "1"},
        then={".config/tool/rc": "1"},
    ),
    "rename: this workspace's own copy too": Case(
        RENAME, [Decision.NOTHING, Decision.MOVED], volume={f"{OWN}/.old": "1"}, then={f"{OWN}/.new": "1"}
    ),
    "rename: two directories are merged, the target wins": Case(
        RENAME,
        [Decision.MERGED, Decision.NOTHING],
        volume={
            ".old/only": "o",
            ".old/same": "s",
            ".old/both": "older",
            ".old/sub/x": "x",
            ".new/same": "s",
            ".new/both": "newer",
            ".new/mine": "m",
        },
        then={".new/only": "o", ".new/same": "s", ".new/both": "newer", ".new/sub/x": "x", ".new/mine": "m"},
        attic={".new/both": "older"},
    ),
    "rename: two files": Case(
        RENAME,
        [Decision.TARGET_WINS, Decision.NOTHING],
        volume={".old": "older", ".new": "newer"},
        then={".new": "newer"},
        attic={".new": "older"},
    ),
    "rename: the same file": Case(
        RENAME, [Decision.MERGED, Decision.NOTHING], volume={".old": "1", ".new": "1"}, then={".new": "1"}
    ),
    "rename: another type": Case(
        RENAME,
        [Decision.TARGET_WINS, Decision.NOTHING],
        volume={".old/x": "1", ".new": "file"},
        then={".new": "file"},
        attic={".new/x": "1"},
    ),
    "rename: a link is content": Case(
        RENAME,
        [Decision.MOVED, Decision.NOTHING],
        volume={".old": "->dotfiles/x"},
        then={".new": "->dotfiles/x"},
    ),
    "rescope: the owner's copy becomes this workspace's": Case(
        TO_WORKSPACE, [Decision.MOVED], volume={".old/x": "1"}, then={f"{OWN}/.old/x": "1"}
    ),
    "rescope: this workspace's becomes the owner's": Case(
        TO_OWNER, [Decision.MOVED], volume={f"{OWN}/.old/x": "1"}, then={f"{OWN}/": "", ".old/x": "1"}
    ),
    "rescope: the owner has a copy already": Case(
        TO_OWNER,
        [Decision.MERGED],
        volume={f"{OWN}/.old/x": "mine", f"{OWN}/.old/new": "n", ".old/x": "the owner's"},
        then={f"{OWN}/": "", ".old/x": "the owner's", ".old/new": "n"},
        attic={".old/x": "mine"},
    ),
}


def run(tree: Tree, *, dry_run: bool = False, force: bool = False) -> tuple[Migrated, ...]:
    from coder_ws_runtime.persist.manifest.load import load_declarations

    with Session(tree.layout, tree.settings) as session:
        return migrate(session, load_declarations(tree.layout, tree.settings), dry_run=dry_run, force=force)


def attic(tree: Tree) -> dict[str, str]:
    """What is in the attic by path; where there are several versions, all of them."""
    found: dict[str, str] = {}
    for path, text in read(tree.layout.state / "attic").items():
        inner = path.partition("/")[2]
        if inner:
            found[inner] = f"{found[inner]} {text}" if inner in found else text
    return found


@pytest.mark.parametrize("name", TABLE)
def test_row(name: str, tree: Tree) -> None:
    case = TABLE[name]
    tree.manifest(migrations=[case.step])
    write(tree.volume, case.volume)

    would = run(tree, dry_run=True)
    assert [item.decision for item in would] == case.rows
    assert content(tree.volume) == case.volume

    done = run(tree)
    assert [item.decision for item in done] == case.rows
    assert not [item.error for item in done if item.error]
    assert content(tree.volume) == case.then
    assert attic(tree) == case.attic

    if not (tree.volume / ".old").exists():
        write(tree.volume, {".old": "new content of an old name"})
    before = read(tree.volume)
    assert run(tree) == (), "once, and never again"
    assert read(tree.volume) == before


def test_each_workspace_moves_its_own_copy_once(tree: Tree) -> None:
    tree.manifest(migrations=[RENAME])
    write(tree.volume, {".old": "owner", f"{OWN}/.old": "one", ".workspaces/w2/.old": "two"})
    run(tree)
    from coder_ws_runtime.settings import Settings
    from coder_ws_runtime.settings import Workspace as Identity

    tree.settings = Settings(workspace=Identity(id="w2", name="other"))
    assert [(item.step.workspace, item.decision) for item in run(tree)] == [("w2", Decision.MOVED)]
    assert content(tree.volume) == {".new": "owner", f"{OWN}/.new": "one", ".workspaces/w2/.new": "two"}


def test_a_removal_waits_for_other_workspaces(tree: Tree) -> None:
    tree.manifest(migrations=[REMOVE])
    write(tree.volume, {".old/x": "1"})
    with Session(tree.layout, tree.settings) as session:
        other = Lease(session.volume, "w2")
        try:
            waiting = run(tree)[0]
            assert (waiting.decision, "w2" in waiting.problem) == (Decision.WAITS, True)
            assert content(tree.volume) == {".old/x": "1"}
            assert run(tree, dry_run=True, force=True)[0].decision is Decision.REMOVED
        finally:
            other.close()
    assert run(tree)[0].decision is Decision.REMOVED


def test_our_link_to_what_was_moved_goes(tree: Tree) -> None:
    tree.manifest(".old/")
    tree.resolve()
    write(tree.volume, {".old/x": "1"})
    tree.manifest(".new/", migrations=[RENAME])
    report = tree.resolve()
    assert [item.decision for item in report.migrated] == [Decision.MOVED, Decision.NOTHING]
    assert read(tree.home) == {".new": f"->{tree.volume}/.new"}
    assert (tree.home / ".new/x").read_text() == "1"


@pytest.mark.parametrize("path", [".old", ".old/x"])
@pytest.mark.parametrize("step", [RENAME, REMOVE])
def test_what_no_daemon_has_saved_yet_comes_along(path: str, step: dict[str, object], tree: Tree) -> None:
    """A program replaced the link, and then the path is no longer declared."""
    declared, inside = (".old/", path.removeprefix(".old")) if path != ".old" else (".old", "")
    write(tree.volume, {path: "former"})
    tree.manifest(declared)
    tree.resolve()
    (tree.home / ".old").unlink()
    write(tree.home, {path: "newest"})
    new = declared.replace("old", "new")
    tree.manifest(*([new] if step is RENAME else []), migrations=[step])
    assert tree.resolve().errors == []
    if step is RENAME:
        assert content(tree.volume) == {f".new{inside}": "newest"}
        assert read(tree.home) == {".new": f"->{tree.volume}/.new"}
    else:
        assert (content(tree.volume), read(tree.home)) == ({}, {})
    assert attic(tree) == {path: "former" if step is RENAME else "former newest"}
    report = tree.resolve()
    assert (report.changed, report.warnings) == (False, ())


@pytest.mark.parametrize("scope", ["owner", "workspace"])
def test_a_first_save_that_no_daemon_has_seen_comes_along(scope: str, tree: Tree) -> None:
    with Session(tree.layout, tree.settings) as session:
        session.ledger.note_awaited(".old")
    write(tree.home, {".old": "first"})
    tree.manifest({"path": ".new", "scope": scope}, migrations=[RENAME])
    assert tree.resolve().errors == []
    place = ".new" if scope == "owner" else f"{OWN}/.new"
    assert content(tree.volume) == {place: "first"}
    assert read(tree.home) == {".new": f"->{tree.volume}/{place}"}


def test_a_step_waits_for_a_save_that_a_program_is_writing(tree: Tree) -> None:
    write(tree.volume, {".old": "former"})
    tree.manifest(".old")
    tree.resolve()
    (tree.home / ".old").unlink()
    tree.manifest(".new", migrations=[RENAME])
    with (tree.home / ".old").open("w") as file:
        assert [error.code for error in tree.resolve().errors] == ["path.in-use"]
        assert content(tree.volume) == {".old": "former"}
        file.write("newest")
    assert tree.resolve().errors == []
    assert (tree.home / ".new").read_text() == "newest"


def test_a_removal_of_our_own_is_not_another_workspaces(tree: Tree) -> None:
    """The user had deleted or renamed the link."""
    write(tree.volume, {".old": "1"})
    tree.manifest(".old")
    tree.resolve()
    (tree.home / ".old").unlink()
    tree.manifest(migrations=[REMOVE])
    report = tree.resolve()
    assert [item.decision for item in report.migrated] == [Decision.REMOVED, Decision.NOTHING]
    assert report.warnings == ()


def test_a_removal_that_another_workspace_ran_is_named(tree: Tree) -> None:
    write(tree.volume, {".old": "1"})
    tree.manifest(".old")
    tree.resolve()
    with Session(tree.layout, tree.settings) as session, session.attic.place(".old", Reason.MIGRATED) as to:
        os.rename(tree.volume / ".old", to[1], dst_dir_fd=to[0])
    tree.manifest()
    (warning,) = tree.resolve().warnings
    assert (warning.code, "migration" in str(warning)) == ("path.removed-elsewhere", True)


def test_a_link_that_is_declared_stays(tree: Tree) -> None:
    tree.manifest(".old/")
    tree.resolve()
    write(tree.volume, {".old/x": "1"})
    tree.manifest(".old/", migrations=[REMOVE])
    tree.resolve()
    assert read(tree.home) == {".old": f"->{tree.volume}/.old"}
    assert content(tree.volume) == {".old/": ""}


def test_into_a_directory_that_is_linked_already(tree: Tree) -> None:
    tree.manifest(".conf/")
    tree.resolve()
    write(tree.volume, {".old": "1"})
    tree.manifest(".conf/", migrations=[{"id": "m", "rename": [".old", ".conf/sub/new"]}])
    assert not tree.resolve().errors
    assert (tree.home / ".conf/sub/new").read_text() == "1"


def test_two_steps_of_one_id(tree: Tree) -> None:
    tree.manifest(name="a", migrations=[REMOVE])
    tree.manifest(name="b", migrations=[RENAME])
    write(tree.volume, {".old": "1"})
    errors = [item.error for item in run(tree) if item.error]
    assert {error.code for error in errors} == {"migration.id-taken"}
    assert all("b.json:$.migrations[0]" in error.place for error in errors)
    assert attic(tree) == {".old": "1"}


def test_a_step_that_was_edited_after_it_ran(tree: Tree) -> None:
    tree.manifest(migrations=[REMOVE])
    run(tree)
    tree.manifest(migrations=[RENAME])
    assert {item.error.code for item in run(tree) if item.error} == {"migration.id-taken"}


@pytest.mark.parametrize("new", [".old", ".old/inner", "."])
def test_a_rename_onto_itself_is_refused(new: str, tree: Tree) -> None:
    tree.manifest(migrations=[{"id": "m", "rename": [".old", new]}])
    (error,) = tree.resolve().refused
    assert error.place.endswith("tool.json:$.migrations[0]")


def test_the_command(tree: Tree, run: Command) -> None:
    tree.manifest(migrations=[REMOVE])
    write(tree.volume, {".old/x": "1"})
    told = run("migrate", "--dry-run")
    assert told.out.splitlines() == [
        "migration m: remove ~/.old: would be moved to the attic",
        "1 migration would run, 1 would move something",
    ]
    assert "not run yet" in run("migrate", "--list").out
    told = run("resolve")
    assert told.status == 0
    assert "migration m: remove ~/.old: moved to the attic; in the attic: 2" in told.out
    assert run("migrate").out == "all migrations have run before; home-persist migrate --list shows when\n"
    listed = json.loads(run("migrate", "--list", "--json").out)["migrations"]
    assert [(one["ran"]["outcome"], one["ran"]["workspace"]) for one in listed] == [
        ("removed", "w1"),
        ("nothing", "w1"),
    ]


def test_a_record_of_another_version(tree: Tree, run: Command) -> None:
    """What it says besides has no effect, and a word that is not known is shown as it is."""
    tree.manifest(migrations=[{"id": "m", "remove": ".x"}])
    record = {
        "time": 1,
        "workspace": "w1",
        "row": "sublimated",
        "verb": "remove",
        "source": ".x",
        "target": "",
    }
    write(tree.layout.state, {"migrations/m.json": json.dumps({**record, "by": "9.9", "steps": []})})
    assert tree.resolve().errors == []
    told = run("migrate", "--list")
    assert (told.status, "sublimated" in told.out) == (0, True)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"time": "x"}', '{"time": 1, "workspace": 1, "row": 2}']
)
def test_a_record_that_cannot_be_read(tree: Tree, run: Command, text: str) -> None:
    tree.manifest(migrations=[{"id": "m", "remove": ".x"}])
    write(tree.volume, {".x": "1"})
    write(tree.layout.state, {"migrations/m.json": text})
    assert [error.code for error in tree.resolve().errors] == ["migration.record"]
    told = run("migrate", "--list", "--json")
    assert (told.status, told.codes) == (1, ["migration.record"])
    assert run("migrate", "--list").status == 1
    assert (tree.volume / ".x").exists()
