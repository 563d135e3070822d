"""Commands after programs have renamed managed symlinks while no daemon ran: each file keeps its content."""

from collections.abc import Callable

import pytest

from tests.harness.tree import Tree, read, write
from tests.unit.conftest import Command


def show(tree: Tree) -> dict[str, str]:
    """The files that the home shows, by path; a link that leads nowhere is an error."""
    found: dict[str, str] = {}
    for directory in (tree.home, *tree.home.rglob("*/")):
        for place in directory.iterdir():
            assert place.exists(), f"{place} leads nowhere"
            if place.is_file():
                found[str(place.relative_to(tree.home))] = place.read_text()
    return found


def back_up(tree: Tree, path: str) -> None:
    """As `sed -i.bak` does it: the file has the text "old" before, and "new" then."""
    (tree.home / path).rename(tree.home / f"{path}.bak")
    (tree.home / path).write_text("new")


def exchange(tree: Tree, one: str, other: str) -> None:
    for old, new in ((one, "t"), (other, one), ("t", other)):
        (tree.home / old).rename(tree.home / new)


@pytest.fixture
def kept(tree: Tree, run: Command) -> Callable[..., None]:
    """Keeps paths by `home-persist add`, in a home that has them."""

    def keep(files: dict[str, str], *paths: str) -> None:
        write(tree.home, files)
        assert run("add", *(paths or files)).status == 0

    return keep


@pytest.mark.parametrize(
    "command", [["resolve"], ["add", ".conf"], ["remove", ".conf"], ["add", ".other"], ["remove", ".other"]]
)
def test_a_backup(tree: Tree, run: Command, kept: Callable[..., None], command: list[str]) -> None:
    kept({".conf": "old", ".other": "other"})
    back_up(tree, ".conf")
    assert run(*command).status == 0
    assert run("resolve").status == 0
    assert show(tree) == {".conf": "new", ".conf.bak": "old", ".other": "other"}


def test_a_backup_and_a_restore_from_the_attic(tree: Tree, run: Command, kept: Callable[..., None]) -> None:
    kept({".conf": "older"})
    write(tree.home, {"new": "old"})
    (tree.home / "new").rename(tree.home / ".conf")
    assert run("resolve").status == 0
    back_up(tree, ".conf")
    assert run("attic", "restore", "--force", ".conf").status == 0
    assert show(tree)[".conf.bak"] == "old"
    assert "new" in read(tree.layout.state / "attic").values()


@pytest.mark.parametrize("command", [["add", ".d/"], ["remove", ".d/x"]])
def test_an_exchange(tree: Tree, run: Command, kept: Callable[..., None], command: list[str]) -> None:
    kept({".d/x": "one", ".d/y": "two"})
    exchange(tree, ".d/x", ".d/y")
    assert run(*command).status == 0
    assert run("resolve").status == 0
    assert show(tree) == {".d/x": "two", ".d/y": "one"}
    tree.lose_container()
    tree.resolve()
    wanted = {".d/x": "two", ".d/y": "one"} if command[0] == "add" else {".d/y": "one"}
    assert show(tree) == wanted


@pytest.mark.parametrize("backup", [True, False])
def test_a_parent_is_declared_meanwhile(
    tree: Tree, kept: Callable[..., None], run: Command, *, backup: bool
) -> None:
    """By the template, or by another workspace of the owner."""
    kept({".d/x": "old", ".d/y": "two"})
    if backup:
        back_up(tree, ".d/x")
        wanted = {".d/x": "new", ".d/x.bak": "old", ".d/y": "two"}
    else:
        exchange(tree, ".d/x", ".d/y")
        wanted = {".d/x": "two", ".d/y": "old"}
    tree.manifest(".d/")
    assert run("resolve").status == 0
    assert show(tree) == wanted
    tree.lose_container()
    tree.resolve()
    assert show(tree) == wanted


def test_the_scope_changes(tree: Tree) -> None:
    """The backups of both scopes have what they had."""
    tree.manifest(".conf")
    write(tree.home, {".conf": "old"})
    tree.resolve()
    back_up(tree, ".conf")
    tree.manifest({"path": ".conf", "scope": "workspace"})
    assert tree.resolve().errors == []
    assert show(tree) == {".conf": "new", ".conf.bak": "old"}
    (tree.home / ".conf").rename(tree.home / ".conf.bak2")
    (tree.home / ".conf").write_text("newer")
    tree.manifest(".conf")
    assert tree.resolve().errors == []
    assert show(tree) == {".conf": "newer", ".conf.bak": "old", ".conf.bak2": "new"}


def test_renamed_and_kept_under_the_new_name(tree: Tree, run: Command, kept: Callable[..., None]) -> None:
    kept({".conf": "mine"})
    (tree.home / ".conf").rename(tree.home / ".conf2")
    assert run("add", ".conf2").status == 0
    assert run("remove", ".conf").status == 0
    assert show(tree)[".conf2"] == "mine"
    tree.lose_container()
    tree.resolve()
    assert show(tree) == {".conf2": "mine"}


@pytest.mark.parametrize("path", [".conf", ".dir/"])
def test_the_users_own_link_to_the_volume_stays(tree: Tree, path: str) -> None:
    """It has the text of the managed link, and is not it, also where it got the inode of that one."""
    tree.manifest(path)
    name = path.rstrip("/")
    write(tree.home, {f"{path}x" if path.endswith("/") else path: "mine"})
    tree.resolve()
    text = (tree.home / name).readlink()
    (tree.home / name).unlink()
    (tree.home / "own").symlink_to(text)
    assert tree.resolve().errors == []
    assert (tree.home / "own").readlink() == (tree.home / name).readlink() == text
    assert tree.attic() == {}
