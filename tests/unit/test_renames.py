"""What a resolve does with managed symlinks that changed places while no daemon ran."""

import os
import random
import subprocess
from collections.abc import Callable
from itertools import pairwise

import pytest

from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.persist import link_search, renames
from coder_ws_runtime.persist.reconcile import steps_after_rename
from coder_ws_runtime.persist.reconcile.observation import Node
from coder_ws_runtime.persist.reconcile.observe import node_at
from tests.harness.tree import Tree, read, write


@dataclass(frozen=True)
class Row:
    """What programs do in the home, and what is there after a resolve."""

    script: Callable[[Tree], None]
    home: dict[str, str]
    attic: dict[str, str] = field(default_factory=dict)
    stays: dict[str, str] = field(default_factory=dict)
    """What the volume has beyond the home's links; the next container shows it."""


def move(tree: Tree, *names: str) -> None:
    """`mv` each name to the next one, the last first."""
    for older, newer in [*pairwise(names)][::-1]:
        (tree.home / older).rename(tree.home / newer)


def rotate(tree: Tree) -> None:
    move(tree, "a", "b", "c")


def rotate_and_write(tree: Tree) -> None:
    move(tree, "a", "b", "c")
    (tree.home / "a").write_text("new")


def rotate_out(tree: Tree) -> None:
    move(tree, "a", "b", "c", "c.old")


def take_turns(tree: Tree) -> None:
    move(tree, "c", "t")
    move(tree, "a", "b", "c")
    move(tree, "t", "a")


def exchange(tree: Tree) -> None:
    move(tree, "a", "t")
    move(tree, "b", "a")
    move(tree, "t", "b")


def copy_links(tree: Tree) -> None:
    """A link has copies at two declared paths, and its own place is free."""
    for name in ("b", "c"):
        (tree.home / name).unlink()
        (tree.home / name).symlink_to(tree.volume / "a")
    (tree.home / "a").unlink()


def alias(tree: Tree) -> None:
    """The user's own link to what another path has on the volume."""
    (tree.home / "b").unlink()
    (tree.home / "b").symlink_to(tree.volume / "a")


def back_up(tree: Tree) -> None:
    """As `sed -i.bak` and many installers do."""
    move(tree, "a", "a.bak")
    (tree.home / "a").write_text("new")


def back_up_elsewhere(tree: Tree) -> None:
    (tree.home / "old/files").mkdir(parents=True)
    move(tree, "a", "old/files/a")
    (tree.home / "a").write_text("new")


def back_up_and_restore(tree: Tree) -> None:
    back_up(tree)
    move(tree, "a.bak", "a")


def back_up_and_link(tree: Tree) -> None:
    move(tree, "a", "a.bak")
    (tree.home / "mine").write_text("mine")
    (tree.home / "a").symlink_to("mine")


def copy_and_save(tree: Tree) -> None:
    subprocess.run(["cp", "-a", tree.home / "a", tree.home / "a.bak"], check=True)
    (tree.home / "new").write_text("new")
    move(tree, "new", "a")


ROWS = {
    "a backup": Row(back_up, {"a": "new", "a.bak": "A", "b": "B", "c": "C"}, {"a": "A"}),
    "a backup in another directory": Row(
        back_up_elsewhere, {"a": "new", "old/files/a": "A", "b": "B", "c": "C"}, {"a": "A"}
    ),
    "a backup that comes back": Row(back_up_and_restore, {"a": "A", "b": "B", "c": "C"}),
    "a backup, and the user's own link": Row(
        back_up_and_link, {"a": "mine", "mine": "mine", "a.bak": "A", "b": "B", "c": "C"}, stays={"a": "A"}
    ),
    "a backup that is a copy": Row(copy_and_save, {"a": "new", "a.bak": "A", "b": "B", "c": "C"}, {"a": "A"}),
    # As after any deletion that nobody watched, the volume's copy is linked again.
    "only renamed": Row(lambda tree: move(tree, "a", "a.old"), {"a": "A", "a.old": "A", "b": "B", "c": "C"}),
    "rotated": Row(rotate, {"b": "A", "c": "B"}, {"c": "C"}),
    "rotated, and the first is written again": Row(
        rotate_and_write, {"a": "new", "b": "A", "c": "B"}, {"c": "C"}
    ),
    "rotated, and the last has a name that is not declared": Row(
        rotate_out, {"b": "A", "c": "B", "c.old": "C"}, {"c": "C"}
    ),
    "renamed over another one": Row(lambda tree: move(tree, "a", "c"), {"b": "B", "c": "A"}, {"c": "C"}),
    "exchanged": Row(exchange, {"a": "B", "b": "A", "c": "C"}),
    "in turn": Row(take_turns, {"a": "C", "b": "A", "c": "B"}),
    "the user's own copies of the link": Row(copy_links, {"a": "A", "b": "A", "c": "A"}),
    "the user's own link, while the path of its text is in place": Row(alias, {"a": "A", "b": "A", "c": "C"}),
}


def shown(tree: Tree) -> dict[str, str]:
    places = {str(place.relative_to(tree.home)): place for place in tree.home.rglob("*")}
    return {name: place.read_text() for name, place in places.items() if place.is_file()}


@pytest.mark.parametrize("name", ROWS)
def test_row(tree: Tree, name: str) -> None:
    row = ROWS[name]
    tree.manifest("a", "b", "c")
    write(tree.home, {"a": "A", "b": "B", "c": "C"})
    tree.resolve()
    row.script(tree)
    before = {**shown(tree), **read(tree.volume)}
    predicted = {one.entry.path: one.code for one in tree.resolve(dry_run=True).outcomes}
    assert {**shown(tree), **read(tree.volume)} == before
    report = tree.resolve()
    assert report.errors == []
    assert shown(tree) == row.home
    assert tree.attic() == row.attic
    moved = {one.entry.path for one in report.outcomes if one.code == "path.moved"}
    assert {path for path, code in predicted.items() if code == "path.moved"} == moved
    assert not tree.resolve().changed
    tree.lose_container()
    tree.resolve()
    kept = {path: text for path, text in row.home.items() if path in ("a", "b", "c")} | row.stays
    if name.startswith("the user's"):
        kept = {"a": "A", "b": "B", "c": "C"}
    assert shown(tree) == kept


NAMES = ["byte\udcff", "x\nb\t", "a\\nb", "line\u2028"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_backup_with_any_name(name: str, tree: Tree) -> None:
    """Also as the directory of a backup, and in a managed directory. No name is read as another path."""
    tree.manifest("a", "b", "d/")
    write(tree.home, {"a": "A", "b": "B", f"d/{name}/in": "D", f"d/{name}.link": f"->{name}"})
    tree.resolve()
    ours = read(tree.home)
    files = {name: "A", f"{name}.d/{name}": "A2"}
    for place, text in zip(files, ("A2", "A3"), strict=True):
        (tree.home / place).parent.mkdir(exist_ok=True)
        move(tree, "a", place)
        write(tree.home, {"a": text})
        assert tree.resolve().errors == []
        assert not tree.resolve().changed
    assert {path: (tree.home / path).read_text() for path in files} == files
    assert {path: text for path, text in read(tree.home).items() if path not in files} == ours
    tree.lose_container()
    tree.resolve()
    assert read(tree.home) == ours
    assert {path: (tree.home / path).read_text() for path in ("a", "b")} == {"a": "A3", "b": "B"}
    assert sorted(os.listdir(tree.home / "d")) == sorted([name, f"{name}.link"])


def test_a_link_that_is_nowhere_is_searched_for_once(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when the user's own link has replaced it: no later run searches the home for it."""
    tree.manifest("a")
    write(tree.home, {"a": "A", "mine": "mine"})
    tree.resolve()
    (tree.home / "a").unlink()
    (tree.home / "a").symlink_to("mine")
    searches: list[object] = []
    search = link_search.find_links

    def find_links(*args: object, **more: object) -> object:
        searches.append(args)
        return search(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(renames, "find_links", find_links)
    for _ in range(3):
        assert [one.code for one in tree.resolve().outcomes] == ["path.diverted"]
    assert len(searches) == 1


def test_directories_are_backed_up(tree: Tree) -> None:
    """A managed directory, and one that has a managed file."""
    tree.manifest(".kept/", ".config/tool/file")
    write(tree.home, {".kept/x": "X", ".config/tool/file": "A"})
    tree.resolve()
    move(tree, ".kept", ".kept.old")
    move(tree, ".config", ".config.old")
    write(tree.home, {".kept/y": "Y", ".config/tool/file": "new"})
    assert tree.resolve().errors == []
    old = {".kept.old/x": "X", ".config.old/tool/file": "A"}
    assert shown(tree) == {**old, ".config/tool/file": "new"}
    assert read(tree.volume)[".config/tool/file"] == "new"
    assert (tree.home / ".kept/y").read_text() == "Y"


def test_what_cannot_make_room_is_not_replaced(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole row waits, and the next resolve follows it."""
    tree.manifest("a", "b", "c")
    write(tree.home, {"a": "A", "b": "B", "c": "C"})
    tree.resolve()
    rotate_and_write(tree)

    def fail(*_: object) -> str:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(steps_after_rename, "_make_aside", fail)
        assert {one.entry.path: one.code for one in tree.resolve().outcomes} == dict.fromkeys(
            ("a", "b", "c"), "path.io"
        )
    assert tree.resolve().errors == []
    assert shown(tree) == {"a": "new", "b": "A", "c": "B"}


def test_a_path_that_cannot_be_read_does_not_stop_the_others(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.manifest("a", "b", "c", "d")
    write(tree.home, {"a": "A", "b": "B", "c": "C", "d": "D"})
    tree.resolve()
    move(tree, "a", "b", "c")
    look = node_at

    def refuse(anchor: Anchor, path: str) -> Node | None:
        if path == "d":
            raise PermissionError(13, "Permission denied")
        return look(anchor, path)

    monkeypatch.setattr(renames, "node_at", refuse)
    assert tree.resolve().errors == []
    assert shown(tree) == {"b": "A", "c": "B", "d": "D"}


@pytest.mark.parametrize("seed", range(60))
def test_the_home_shows_what_ordinary_files_would_show(tree: Tree, seed: int) -> None:
    """Renames, also to a name that is not declared, and saves by rename and in place, in any order."""
    draw = random.Random(seed)
    names = "abcdt"
    tree.manifest(*"abcd")
    expected = {name: name.upper() for name in "abcd"}
    write(tree.home, expected)
    tree.resolve()
    history: list[str] = []
    for _ in range(2):
        for number in range(draw.randint(1, 5)):
            name, other = draw.sample(names, 2)
            what = draw.choice(["rename", "rename", "rename", "save", "write"])
            text = f"{len(history)}.{number}"
            history.append(f"{what} {name} {other}")
            if what == "rename" and name in expected:
                (tree.home / name).rename(tree.home / other)
                expected[other] = expected.pop(name)
            elif what == "save":
                (tree.home / ".new").write_text(text)
                (tree.home / ".new").rename(tree.home / name)
                expected[name] = text
            elif what == "write" and name in expected:
                (tree.home / name).write_text(text)
                expected[name] = text
        report = tree.resolve()
        assert report.errors == []
        assert {name: shown(tree).get(name) for name in expected} == expected, history
        expected = shown(tree)
    kept = {name: text for name, text in read(tree.volume).items() if name in expected}
    assert kept == {name: text for name, text in expected.items() if name != "t"}
