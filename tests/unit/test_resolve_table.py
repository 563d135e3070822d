"""The table of what happens to a declared path: one row, one case, on real files."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from tests.harness.tree import Tree, content, read, write

LINK = "->{volume}/"


@dataclass(frozen=True)
class Case:
    """A row. `replaced`: the content of the home replaced a link that was there before.

    `recorded`: what the link says that this container made before.
    """

    declared: str
    decision: Decision
    home: dict[str, str] = field(default_factory=dict)
    volume: dict[str, str] = field(default_factory=dict)
    replaced: bool = False
    recorded: str = ""
    then_home: dict[str, str] = field(default_factory=dict)
    then_volume: dict[str, str] = field(default_factory=dict)
    attic: dict[str, str] = field(default_factory=dict)
    problem: str = ""


DIR = {".d": LINK + ".d"}
FILE = {"f": LINK + "f"}

TABLE = {
    "directory: nothing, nothing": Case(".d/", Decision.CREATE, then_home=DIR, then_volume={".d/": ""}),
    "file: nothing, nothing: the link dangles": Case("f", Decision.CREATE, then_home=FILE),
    "file below directories: its directory is made": Case(
        ".a/b/f", Decision.CREATE, then_home={".a/b/f": LINK + ".a/b/f"}, then_volume={".a/b/": ""}
    ),
    "nothing, a directory": Case(
        ".d/", Decision.LINK, volume={".d/x": "1"}, then_home=DIR, then_volume={".d/x": "1"}
    ),
    "nothing, a file": Case("f", Decision.LINK, volume={"f": "1"}, then_home=FILE, then_volume={"f": "1"}),
    "our link, something": Case(
        "f", Decision.LINKED, home=FILE, volume={"f": "1"}, then_home=FILE, then_volume={"f": "1"}
    ),
    "our link, nothing: the directory is made": Case(
        ".d/", Decision.CREATE, home=DIR, then_home=DIR, then_volume={".d/": ""}
    ),
    "our link to a wrong place": Case(
        "f",
        Decision.RELINK,
        home={"f": LINK + "old"},
        volume={"f": "1"},
        recorded=LINK + "old",
        then_home=FILE,
        then_volume={"f": "1"},
    ),
    "content, nothing: a directory is seeded": Case(
        ".d/",
        Decision.SEED,
        home={".d/x": "1", ".d/s/y": "2", ".d/l": "->x", ".d/e/": ""},
        then_home=DIR,
        then_volume={".d/x": "1", ".d/s/y": "2", ".d/l": "->x", ".d/e/": ""},
    ),
    "content, nothing: a file is seeded": Case(
        "f", Decision.SEED, home={"f": "1"}, then_home=FILE, then_volume={"f": "1"}
    ),
    "a user's own link, nothing on the volume": Case(
        "f",
        Decision.DIVERTED,
        home={"f": "->dot/f"},
        then_home={"f": "->dot/f"},
        problem="your own link to dot/f",
    ),
    "a user's own link, content": Case(
        "f",
        Decision.DIVERTED,
        home={"f": "->dot/f"},
        volume={"f": "1"},
        then_home={"f": "->dot/f"},
        then_volume={"f": "1"},
        problem="the volume's copy waits",
    ),
    "a user's own link that replaced ours": Case(
        "f",
        Decision.DIVERTED,
        home={"f": "->dot/f"},
        volume={"f": "1"},
        replaced=True,
        then_home={"f": "->dot/f"},
        then_volume={"f": "1"},
        problem="your own link",
    ),
    "a user's own link onto the volume": Case(
        "f",
        Decision.DIVERTED,
        home={"f": LINK + "other"},
        volume={"f": "1", "other": "2"},
        then_home={"f": LINK + "other"},
        then_volume={"f": "1", "other": "2"},
        problem="your own link",
    ),
    "a directory that is a user's own link": Case(
        ".d/",
        Decision.DIVERTED,
        home={".d": "->dot/d", "dot/d/x": "1"},
        then_home={".d": "->dot/d", "dot/d/x": "1"},
        problem="your own link",
    ),
    "below a user's own link": Case(
        ".config/gh/",
        Decision.DIVERTED,
        home={".config": "->dot/config", "dot/config/gh/x": "1"},
        volume={".config/gh/x": "2"},
        then_home={".config": "->dot/config", "dot/config/gh/x": "1"},
        then_volume={".config/gh/x": "2"},
        problem="is behind your own link ~/.config to dot/config",
    ),
    "directory, directory: merged, the volume wins": Case(
        ".d/",
        Decision.MERGE,
        home={".d/new": "h", ".d/same": "s", ".d/both": "home", ".d/sub/n": "h"},
        volume={".d/old": "v", ".d/same": "s", ".d/both": "volume"},
        then_home=DIR,
        then_volume={".d/new": "h", ".d/same": "s", ".d/both": "volume", ".d/old": "v", ".d/sub/n": "h"},
        attic={".d/both": "home"},
    ),
    "content that the image brought, content": Case(
        "f",
        Decision.VOLUME_WINS,
        home={"f": "image"},
        volume={"f": "mine"},
        then_home=FILE,
        then_volume={"f": "mine"},
        attic={"f": "image"},
    ),
    "the same content": Case(
        "f", Decision.MERGE, home={"f": "1"}, volume={"f": "1"}, then_home=FILE, then_volume={"f": "1"}
    ),
    "content that replaced our link, content": Case(
        "f",
        Decision.HOME_WINS,
        home={"f": "newer"},
        volume={"f": "older"},
        replaced=True,
        then_home=FILE,
        then_volume={"f": "newer"},
        attic={"f": "older"},
    ),
    "a directory that replaced our link: merged, the home wins": Case(
        ".d/",
        Decision.HOME_WINS,
        home={".d/both": "newer", ".d/new": "n"},
        volume={".d/both": "older", ".d/old": "o"},
        replaced=True,
        then_home=DIR,
        then_volume={".d/both": "newer", ".d/new": "n", ".d/old": "o"},
        attic={".d/both": "older"},
    ),
    "a file where a directory is declared": Case(
        ".d/",
        Decision.SEED,
        home={".d": "file"},
        then_home=DIR,
        then_volume={".d": "file"},
        problem="declared as a directory, but the home has a file: it is kept as that",
    ),
    "a directory where the volume has a file": Case(
        "f",
        Decision.TYPE_CONFLICT,
        home={"f/x": "1"},
        volume={"f": "v"},
        then_home=FILE,
        then_volume={"f": "v"},
        attic={"f/x": "1"},
        problem="a directory where the volume has a file",
    ),
    "another type that replaced our link": Case(
        "f",
        Decision.TYPE_CONFLICT,
        home={"f/x": "1"},
        volume={"f": "v"},
        replaced=True,
        then_home=FILE,
        then_volume={"f/x": "1"},
        attic={"f": "v"},
        problem="the volume had a file where a program saved a directory",
    ),
    "a file that replaced our link to a directory": Case(
        ".d/",
        Decision.TYPE_CONFLICT,
        home={".d": "newer"},
        volume={".d/x": "v"},
        replaced=True,
        then_home=DIR,
        then_volume={".d": "newer"},
        attic={".d/x": "v"},
        problem="the volume had a directory where a program saved a file",
    ),
    "a file that replaced our link, where the volume has a link of an older version": Case(
        "f",
        Decision.TYPE_CONFLICT,
        home={"f": "newer"},
        volume={"f": "->dotfiles/f"},
        replaced=True,
        then_home=FILE,
        then_volume={"f": "newer"},
        attic={"f": "->dotfiles/f"},
    ),
    "the volume has another type than declared": Case(
        ".d/",
        Decision.LINK,
        volume={".d": "file"},
        then_home=DIR,
        then_volume={".d": "file"},
        problem="declared as a directory, but the volume has a file",
    ),
    "links of ours to what was declared by itself within the directory before": Case(
        ".d/",
        Decision.MERGE,
        home={".d/f": LINK + ".d/f", ".d/s": LINK + ".d/s", ".d/mine": "->f"},
        volume={".d/s/x": "v"},
        then_home=DIR,
        then_volume={".d/s/x": "v", ".d/mine": "->f"},
    ),
    "types differ within merged directories": Case(
        ".d/",
        Decision.MERGE,
        home={".d/x/y": "h"},
        volume={".d/x": "v"},
        then_home=DIR,
        then_volume={".d/x": "v"},
        attic={".d/x/y": "h"},
    ),
}


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE.keys())
def test_row(tree: Tree, case: Case) -> None:
    def placed(flat: dict[str, str]) -> dict[str, str]:
        return {path: text.replace("{volume}", str(tree.volume)) for path, text in flat.items()}

    tree.manifest(case.declared)
    if case.replaced:
        tree.resolve()
        (tree.home / case.declared.rstrip("/")).unlink()
    if case.recorded:
        with Session(tree.layout, tree.settings) as session:
            session.ledger.record(case.declared, placed({"": case.recorded[2:]})[""])
    write(tree.home, placed(case.home))
    write(tree.volume, case.volume)

    outcome = tree.resolve().outcomes[0]

    assert (outcome.decision, outcome.error) == (case.decision, None)
    assert case.problem in outcome.problem
    assert content(tree.home) == placed(case.then_home)
    assert content(tree.volume) == case.then_volume
    assert tree.attic() == case.attic
    before = read(tree.volume)
    assert not tree.resolve().changed, "the second resolve changes nothing"
    assert read(tree.volume) == before


def test_a_path_that_another_process_works_on(tree: Tree) -> None:
    tree.manifest("f")
    write(tree.home, {"f": "1"})
    (entry,) = load_declarations(tree.layout, tree.settings).entries
    with Session(tree.layout, tree.settings) as other, other.ledger.lock("f", wait=False):
        with Session(tree.layout, tree.settings) as session:
            session.wait_for_locks = False
            outcome = settle(session, entry)
        assert outcome.error is not None
        assert outcome.error.code == "path.busy"
        assert read(tree.home) == {"f": "1"}
    assert tree.settle("f").decision is Decision.SEED


@dataclass(frozen=True)
class Special:
    """A directory with a FIFO stays in the home; what else is in it: there, on the volume, in the attic."""

    home: str
    volume: str = ""
    home_is_later: bool = True
    then_volume: str = ""
    attic: dict[str, str] = field(default_factory=dict)


SPECIAL = {
    "the volume has nothing": Special("h", then_volume="h"),
    "the home's is later": Special("h", "v", then_volume="h", attic={".d/x": "v"}),
    "the image's is older": Special("h", "v", home_is_later=False, then_volume="v", attic={".d/x": "h"}),
}


@pytest.mark.parametrize("case", SPECIAL.values(), ids=SPECIAL)
def test_a_directory_with_a_fifo_is_kept_as_far_as_can_be(case: Special, tree: Tree) -> None:
    tree.manifest(".d/")
    write(tree.home, {".d/x": case.home})
    os.mkfifo(tree.home / ".d/fifo")
    if case.volume:
        write(tree.volume, {".d/x": case.volume})
        os.utime(tree.volume / ".d/x", ns=(0, (-1 if case.home_is_later else 1) * 10**9 + _written(tree)))
    outcome = tree.settle(".d")
    assert outcome.error is not None
    assert outcome.error.code == "path.special"
    assert (tree.home / ".d/x").read_text() == case.home
    assert content(tree.volume) == {".d/x": case.then_volume}
    assert tree.attic() == case.attic
    assert not tree.resolve().changed
    write(tree.home, {".d/x": "saved"})
    os.utime(tree.home / ".d/x", ns=(0, 2 * 10**9 + _written(tree)))
    tree.resolve()
    assert content(tree.volume) == {".d/x": "saved"}, "it goes on being kept"


def _written(tree: Tree) -> int:
    return (tree.home / ".d/x").stat().st_mtime_ns


def test_a_save_after_a_crash_that_had_put_the_link_in_place(tree: Tree) -> None:
    """The link was there, though it was not noted: what took its place is the newer save."""
    tree.manifest("f")
    write(tree.volume, {"f": "older"})
    write(tree.home, {".f.home-persist": "older", "f": "newer"})
    assert tree.resolve().errors == []
    assert content(tree.volume) == {"f": "newer"}
    assert tree.attic() == {"f": "older"}


@pytest.fixture
def deep(tree: Tree) -> Iterator[Path]:
    """A directory in the home that is too deep for a path name, made from within."""
    top = tree.home / ".deep"
    top.mkdir()
    fd = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(fd)
    yield top
    subprocess.run(["rm", "-r", top], check=True)  # Python's own way to remove it ends as ours does


def test_a_tree_without_an_end_keeps_no_other_from_being_kept(tree: Tree, deep: Path) -> None:
    tree.manifest(f"{deep.name}/", ".e/")
    write(tree.home, {".e/x": "1"})
    report = tree.resolve()
    assert [(error.place, error.message) for error in report.errors] == [
        ("~/.deep", "directories are nested too deeply; left as it was")
    ]
    assert (tree.home / ".e").is_symlink()
    assert not list((tree.layout.state / "staging").iterdir())
