"""A path's scope is changed without a migration: its content stays in sight, and what status says works."""

import errno
import json
import shlex
from collections.abc import Callable

import pytest

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.migrations import run as migrations
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.lease import Lease
from coder_ws_runtime.settings import Workspace
from tests.harness.tree import Tree, content, read, write
from tests.unit.conftest import Command


def own(path: str) -> dict[str, str]:
    return {"path": path, "scope": "workspace"}


def as_workspace(tree: Tree, name: str) -> Tree:
    tree.settings = replace(tree.settings, workspace=Workspace(id=name, name=name))
    tree.lose_container()
    return tree


@pytest.fixture
def declare(tree: Tree) -> Callable[..., None]:
    """Declare paths in the place of what was declared, in the next container."""

    def declare(*paths: object) -> None:
        tree.manifest(*paths)
        tree.lose_container()

    return declare


def test_a_directory_becomes_each_workspaces(tree: Tree, declare: Callable[..., None]) -> None:
    declare(".x/")
    tree.resolve()
    write(tree.home, {".x/a/b": "1"})
    declare(own(".x/"))
    for name in ("w1", "w2"):
        as_workspace(tree, name)
        report = tree.resolve()
        assert report.errors == []
        assert [(one.entry.path, one.was.value) for one in report.scope_changes] == [(".x", "owner")]
        assert read(tree.home / ".x/") == {"a/b": "1"}
        write(tree.home, {".x/own": name})
        assert not tree.resolve().changed
    as_workspace(tree, "w1")
    assert tree.resolve().scope_changes == ()
    assert read(tree.home / ".x/") == {"a/b": "1", "own": "w1"}


def test_a_file_becomes_each_workspaces_and_stays_deleted(tree: Tree, declare: Callable[..., None]) -> None:
    declare(".f")
    write(tree.home, {".f": "1"})
    tree.resolve()
    declare(own(".f"))
    tree.resolve()
    assert (tree.home / ".f").read_text() == "1"
    (tree.volume / ".workspaces/w1/.f").unlink()
    tree.lose_container()
    report = tree.resolve()
    assert report.scope_changes == ()
    assert not (tree.home / ".f").exists()


def test_it_changes_while_the_container_runs(tree: Tree) -> None:
    tree.manifest(".x/", ".f")
    write(tree.home, {".x/a": "1", ".f": "2"})
    tree.resolve()
    tree.manifest(own(".x/"), own(".f"))
    report = tree.resolve()
    assert (report.errors, len(report.scope_changes)) == ([], 2)
    assert (read(tree.home / ".x/"), (tree.home / ".f").read_text()) == ({"a": "1"}, "2")
    write(tree.home, {".x/a": "own"})
    assert (tree.volume / ".x/a").read_text() == "1", "the owner's copy stays for the others"


def test_a_directory_becomes_the_owners(tree: Tree, declare: Callable[..., None]) -> None:
    """Each workspace's copy is merged into it; what lost is in the attic."""
    declare(own(".x/"))
    for name in ("w1", "w2"):
        as_workspace(tree, name)
        tree.resolve()
        write(tree.home, {".x/same": "s", ".x/differs": name, f".x/{name}": name})
    declare(".x/")
    as_workspace(tree, "w1")
    assert tree.resolve().errors == []
    assert read(tree.home / ".x/") == {"same": "s", "differs": "w1", "w1": "w1"}
    as_workspace(tree, "w2")
    report = tree.resolve()
    assert report.errors == []
    assert [bool(one.attic) for one in report.scope_changes] == [True]
    assert read(tree.home / ".x/") == {"same": "s", "differs": "w1", "w1": "w1", "w2": "w2"}
    assert tree.attic() == {".x/differs": "w2"}
    assert tree.resolve().scope_changes == ()


@pytest.mark.parametrize("container", ["the same container", "new containers"])
@pytest.mark.parametrize("path", [".f", ".x/"])
def test_there_and_back_and_there_again(tree: Tree, path: str, container: str) -> None:
    """The last save stays in sight; what it replaced is in the attic."""
    file = f"{path}a" if path.endswith("/") else path

    def declare(what: object) -> None:
        tree.manifest(what)
        if container == "new containers":
            tree.lose_container()
        report = tree.resolve()
        assert (report.errors, len(report.scope_changes)) == ([], 1)

    tree.manifest(path)
    write(tree.home, {file: "1"})
    tree.resolve()
    declare(own(path))
    (tree.home / file).write_text("2")
    declare(path)
    assert (tree.home / file).read_text() == "2"
    assert tree.attic() == {file: "1"}
    as_workspace(tree, "w2").resolve()
    assert (tree.home / file).read_text() == "2", "also for the owner's other workspaces"
    as_workspace(tree, "w1").resolve()
    declare(own(path))
    assert (tree.home / file).read_text() == "2"
    declare(path)
    assert (tree.home / file).read_text() == "2"
    assert tree.attic() == {file: "1"}


@pytest.mark.parametrize("first", ["the daemon was faster", "the volume failed"])
def test_it_is_followed_later_if_not_at_once(tree: Tree, first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.manifest(own(".f"))
    write(tree.home, {".f": "1"})
    tree.resolve()
    tree.manifest(".f")
    if first == "the daemon was faster":
        (entry,) = load_declarations(tree.layout, tree.settings).entries
        with Session(tree.layout, tree.settings) as session:
            settle(session, entry)
    else:
        with monkeypatch.context() as patched:
            patched.setattr(migrations, "run_step", fail)
            assert [error.code for error in tree.resolve().errors] == ["path.io"]
    assert tree.resolve().errors == []
    assert (tree.home / ".f").read_text() == "1"
    assert content(tree.volume) == {".f": "1", ".workspaces/w1/": ""}


def fail(*_: object, **__: object) -> None:
    raise OSError(errno.EIO, "input/output error")


def test_there_and_back_while_another_workspace_goes_on(tree: Tree, declare: Callable[..., None]) -> None:
    """What the owner's copy has got meanwhile wins, file by file."""
    declare(".x/")
    write(tree.home, {".x/mine": "1", ".x/its": "1", ".x/both": "1", ".x/neither": "1"})
    tree.resolve()
    declare(own(".x/"))
    tree.resolve()
    write(tree.home, {".x/mine": "2", ".x/both": "2", ".x/new": "2"})
    write(tree.volume, {".x/its": "3", ".x/both": "3"})
    declare(".x/")
    assert tree.resolve().errors == []
    now = {"mine": "2", "its": "3", "both": "3", "neither": "1", "new": "2"}
    assert read(tree.home / ".x/") == now
    assert tree.attic() == {".x/mine": "1", ".x/its": "1", ".x/both": "2"}


def test_a_dry_run_says_so_and_changes_nothing(tree: Tree, declare: Callable[..., None]) -> None:
    declare(".x/")
    tree.resolve()
    write(tree.home, {".x/a": "1"})
    declare(own(".x/"))
    before = read(tree.volume)
    report = tree.resolve(dry_run=True)
    assert (len(report.scope_changes), report.changed, read(tree.volume)) == (1, True, before)


NOT_TOUCHED = {
    "nothing is left of the other scope": ([own(".x/")], {}, {}),
    "an empty directory is nothing": ([own(".x/")], {".x/": ""}, {}),
    "this workspace has its own already": (
        [own(".x/")],
        {".x/a": "1", ".workspaces/w1/.x/b": "2"},
        {"b": "2"},
    ),
    "another type": ([own(".x/")], {".x": "a file"}, {}),
    "another workspace's copy": ([".x/"], {".workspaces/w2/.x/a": "1"}, {}),
    "the owner's directory that only holds what is declared": (
        [own(".x/"), ".y/"],
        {".y/a": "1"},
        {},
    ),
    "a child's copy is not its parent's": (
        [".x/", own(".x/own/")],
        {".workspaces/w1/.x/own/a": "1"},
        {"own": None},
    ),
}


@pytest.mark.parametrize(("paths", "volume", "home"), NOT_TOUCHED.values(), ids=NOT_TOUCHED)
def test_what_is_no_change(
    tree: Tree, paths: list[object], volume: dict[str, str], home: dict[str, str | None]
) -> None:
    tree.manifest(*paths)
    write(tree.volume, volume)
    report = tree.resolve()
    assert report.scope_changes == ()
    found = {name: text for name, text in read(tree.home / ".x/").items() if not text.startswith("->")}
    assert found == {name: text for name, text in home.items() if text is not None}


@pytest.mark.parametrize("parent", ["", ".p/"], ids=["a path", "below another directory"])
def test_what_status_says_works(tree: Tree, run: Command, parent: str) -> None:
    tree.manifest(f"{parent}.x/")
    tree.resolve()
    write(tree.home, {f"{parent}.x/a": "1"})
    tree.manifest(own(f"{parent}.x/"))
    tree.lose_container()
    assert run("resolve").status == 0
    shown = json.loads(run("status", "--json").out)["paths"]
    rows = [(row["path"], row["scope"], row["state"]) for row in shown]
    path = f"{parent}.x"
    assert sorted(rows) == [(path, "owner", "other-scope"), (path, "workspace", "linked")]
    assert run("status").status == 0
    told = run("remove", "--scope", "owner", f"~/{path}")
    assert (told.status, told.err) == (0, "")
    assert tree.attic() == {f"{path}/a": "1"}
    assert (tree.home / path / "a").read_text() == "1"
    assert len(json.loads(run("status", "--json").out)["paths"]) == 1


def test_the_owners_copy_stays_while_another_workspace_runs(tree: Tree, run: Command) -> None:
    tree.manifest(own(".x/"))
    tree.resolve()
    write(tree.volume, {".x/a": "1"})
    with Session(tree.layout, replace(tree.settings, workspace=Workspace(id="w2"))) as session:
        lease = Lease(session.volume, "w2")
        told = run("remove", "--scope", "owner", "~/.x", "--json")
        lease.close()
    assert (told.status, json.loads(told.out)["paths"][0]["error"]["code"]) == (1, "path.used-elsewhere")
    assert (tree.volume / ".x/a").exists()


def test_the_hints_for_what_nothing_declares(tree: Tree, run: Command) -> None:
    tree.manifest(own(".p/x/"))
    write(tree.volume, {".p/x/a": "1", ".p/y/b": "2"})
    tree.resolve()
    shown = json.loads(run("status", "--json").out)["paths"]
    (row,) = [row for row in shown if row["state"] == "not-declared"]
    assert row["path"] == ".p/y"
    for words in ("add ~/.p/y", "remove ~/.p/y"):
        assert run(*shlex.split(words)).status == 0, words


@pytest.mark.parametrize("scopes", [("owner", "workspace"), ("workspace", "owner")])
@pytest.mark.parametrize("path", ["f", ".d/"])
def test_a_save_over_the_link_before_the_scope_changes_is_the_newer_one(
    tree: Tree, path: str, scopes: tuple[str, str]
) -> None:
    """The daemon may see both at once, or none may run."""
    file = ".d/x" if path == ".d/" else path
    tree.manifest({"path": path, "scope": scopes[0]})
    write(tree.home, {file: "1"})
    tree.resolve()
    (tree.home / path.rstrip("/")).unlink()
    write(tree.home, {file: "2"})
    tree.manifest({"path": path, "scope": scopes[1]})
    assert tree.resolve().errors == []
    assert (tree.home / file).read_text() == "2"
    assert (tree.home / path.rstrip("/")).is_symlink()
    tree.lose_container()
    tree.resolve()
    assert (tree.home / file).read_text() == "2"


@pytest.mark.parametrize("saved", [True, False])
def test_a_file_of_one_workspace_gets_a_parent_of_the_owners(tree: Tree, *, saved: bool) -> None:
    """What replaced the file's own link is the newer save; the link itself is no save."""
    tree.manifest(own(".a/b"))
    write(tree.home, {".a/b": "1"})
    tree.resolve()
    if saved:
        (tree.home / ".a/b").unlink()
        write(tree.home, {".a/b": "2"})
    write(tree.home, {".a/other": "other"})
    tree.manifest(".a/")
    assert tree.resolve().errors == []
    expected = {"b": "2" if saved else "1", "other": "other"}
    assert read(tree.home / ".a/") == expected
    tree.lose_container()
    tree.resolve()
    assert read(tree.home / ".a/") == expected
