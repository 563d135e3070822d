"""`home-persist attic`: what is listed, put back and removed for good, and what is said, as rows."""

import json
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from coder_ws_runtime.persist.store.attic_batch import stamp
from tests.harness.tree import Tree, content, read, write
from tests.unit.conftest import Command

DAY = 86400.0
NEW, OLD, ANCIENT = (stamp(time.time() - days * DAY, "dev") for days in (2.1, 20.1, 40.1))
ATTIC = {
    f"{NEW}/.d/x": "newer",
    f"{NEW}/.d/sub/y": "y",
    f"{OLD}/.d/x": "older",
    f"{OLD}/.rc": "rc",
    f"{ANCIENT}/.gone/y": "y",
    f"{ANCIENT}/.gone/z/z": "z",
    f"{ANCIENT}/.one/file": "f",
}


@pytest.fixture
def filled(tree: Tree) -> Tree:
    """A workspace with an attic. It keeps ~/.d/, ~/.rc, and ~/.own/ for itself; ~/.d/x is there already."""
    tree.manifest(".d/", ".rc", {"path": ".own/", "scope": "workspace"})
    write(tree.volume, {".d/x": "now"})
    write(tree.layout.state / "attic", ATTIC)
    tree.resolve()
    return tree


def attic(tree: Tree) -> dict[str, str]:
    """By batch and path; a batch of this test's own run is called `fresh`."""
    found = read(tree.layout.state / "attic")
    known = (NEW, OLD, ANCIENT)
    return {
        path if path.startswith(known) else f"fresh/{path.partition('/')[2]}": text
        for path, text in found.items()
    }


# list ------------------------------------------------------------------------------------------------

LISTED = {
    "all: a row for each batch and path that is or was declared": (
        [],
        [
            ["BATCH", "PATH", "FILES", "SIZE", "AGE"],
            [NEW, "~/.d", "2", "8.0 KiB", "2 days ago"],
            [OLD, "~/.d", "1", "4.0 KiB", "20 days ago"],
            [OLD, "~/.rc", "1", "4.0 KiB", "20 days ago"],
            [ANCIENT, "~/.gone", "2", "8.0 KiB", "40 days ago"],
            [ANCIENT, "~/.one/file", "1", "4.0 KiB", "40 days ago"],
        ],
    ),
    "a path: a row for each file": (
        ["~/.d"],
        [
            ["BATCH", "PATH", "SIZE", "AGE", "WHY"],
            [NEW, "~/.d/sub/y", "4.0 KiB", "2 days ago", "-"],
            [NEW, "~/.d/x", "4.0 KiB", "2 days ago", "-"],
            [OLD, "~/.d/x", "4.0 KiB", "20 days ago", "-"],
        ],
    ),
    "a file": (
        ["$HOME/.rc"],
        [["BATCH", "PATH", "SIZE", "AGE", "WHY"], [OLD, "~/.rc", "4.0 KiB", "20 days ago", "-"]],
    ),
    "nothing of it": ([".own"], [["the attic has nothing of ~/.own"]]),
    "a typo": ([".rx"], [["the attic has nothing of ~/.rx"], ["did you mean ~/.rc?"]]),
}


@pytest.mark.parametrize(("words", "rows"), LISTED.values(), ids=LISTED)
def test_list(filled: Tree, run: Command, words: list[str], rows: list[list[str]]) -> None:
    told = run("attic", "list", *words)
    shown = [re.split(r"  +", line) for line in told.out.splitlines()]
    assert (told.status, shown, told.err) == (0, rows, "")
    assert content(filled.volume) == {".d/x": "now", ".workspaces/w1/.own/": ""}


def test_an_empty_directory_is_no_file(filled: Tree, run: Command) -> None:
    write(filled.layout.state / "attic", {f"{NEW}/.void/": ""})
    (row,) = [line.split() for line in run("attic", "list").out.splitlines() if "~/.void" in line]
    assert row[:3] == [NEW, "~/.void", "0"]


def test_list_of_nothing(tree: Tree, run: Command) -> None:
    assert run("attic", "list").out == "the attic is empty\n"


def test_list_of_nothing_of_another_workspace(filled: Tree, run: Command) -> None:
    told = run("attic", "list", "--workspace", "gone")
    assert (told.status, told.out) == (
        0,
        "the attic has nothing of the workspace 'gone'; home-persist attic list --all shows the rest\n",
    )
    assert filled.volume.exists()


def test_list_as_json(filled: Tree, run: Command) -> None:
    document = json.loads(run("attic", "list", "--json", ".rc").out)
    (item,) = document["items"]
    assert (document["version"], item["batch"], item["path"], item["size_bytes"]) == (2, OLD, ".rc", 4096)
    assert abs(time.time() - 20.1 * DAY - item["time"]) < 3600
    assert filled.volume.exists()


HOSTILE = {
    "line\nbreak": "line\\nbreak",
    "colour\x1b[31m": "colour\\x1b[31m",
    "title\x1b]0;x\x07": "title\\x1b]0;x\\x07",
    "other way\u202e": "other way\\u202e",
    "byte\udcff": "byte\\xff",
    "plain 'ü": "plain 'ü",
}


def test_hostile_names_are_one_line_each(filled: Tree, run: Command) -> None:
    for name in HOSTILE:
        write(filled.layout.state / "attic" / NEW / ".d", {name: "1"})
        write(filled.volume, {name: "1"})
    lines = run("attic", "list", ".d").out.splitlines()
    shown = run("status").out.splitlines()
    for name, text in HOSTILE.items():
        assert sum(f"~/.d/{text} " in line for line in lines) == 1, name
        assert sum(line.startswith(f"~/{text} ") for line in shown) == 1, name
    assert not any("\x1b" in line for line in [*lines, *shown])
    for words in (["list"], ["prune", "--older-than", "0"]):
        assert "\x1b" not in run("attic", *words).out
    paths = {item["path"] for item in json.loads(run("attic", "list", "--json").out)["items"]}
    assert {f".d/{name}" for name in HOSTILE} <= paths


# restore ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Put:
    """What is restored, what the volume has then, and what the attic has in place of what it had."""

    words: list[str]
    volume: dict[str, str]
    gone: list[str] = field(default_factory=list)
    fresh: dict[str, str] = field(default_factory=dict)


OWN = {".workspaces/w1/.own/": ""}
PUT = {
    "a file that is not there": Put([".rc"], {".d/x": "now", ".rc": "rc", **OWN}, [f"{OLD}/.rc"]),
    "by its absolute path": Put(["{home}/.rc"], {".d/x": "now", ".rc": "rc", **OWN}, [f"{OLD}/.rc"]),
    "a part that is not there": Put([".d/sub"], {".d/x": "now", ".d/sub/y": "y", **OWN}, [f"{NEW}/.d/sub/y"]),
    "over newer content, by --force": Put(
        ["--force", ".d/x"], {".d/x": "newer", **OWN}, [f"{NEW}/.d/x"], {"fresh/.d/x": "now"}
    ),
    "an older batch, by --force": Put(
        ["--force", "--batch", OLD, ".d/x"], {".d/x": "older", **OWN}, [f"{OLD}/.d/x"], {"fresh/.d/x": "now"}
    ),
    "a directory, by --force": Put(
        ["-f", ".d"],
        {".d/x": "newer", ".d/sub/y": "y", **OWN},
        [f"{NEW}/.d/x", f"{NEW}/.d/sub/y"],
        {"fresh/.d/x": "now"},
    ),
}


@pytest.mark.parametrize("case", PUT.values(), ids=PUT)
def test_restore(filled: Tree, run: Command, case: Put) -> None:
    told = run("attic", "restore", *(word.replace("{home}", str(filled.home)) for word in case.words))
    assert (told.status, told.err) == (0, "")
    assert content(filled.volume) == case.volume
    kept = {path: text for path, text in ATTIC.items() if path not in case.gone}
    assert attic(filled) == {**kept, **case.fresh}
    restored = (filled.home / case.words[-1].replace("{home}/", "")).resolve()
    assert restored.is_relative_to(filled.volume), "the home shows it"
    assert restored.exists()
    known = {path.partition("/")[0] for path in ATTIC}
    fresh = [path.name for path in (filled.layout.state / "attic").iterdir() if path.name not in known]
    assert [name in told.out for name in fresh] == [True] * bool(case.fresh), "where what was there is now"


REFUSED = {
    "something is in its place": (
        [".d/x"],
        "attic.in-the-way",
        (
            "see what differs: diff -r"
            f" {{volume}}/.d/x {{volume}}/.home-persist/attic/{NEW}/.d/x; --force exchanges the two"
        ),
    ),
    "it is not in the attic": ([".own"], "attic.unknown", "home-persist attic list shows what is"),
    "a part of a directory, in which programs delete by themselves": (
        [".own/deleted"],
        "attic.unknown",
        (
            "it has no copy of what is deleted or overwritten inside ~/.own/;"
            " home-persist attic list shows what is"
        ),
    ),
    "a file of it is not": ([".d/xy"], "attic.unknown", "did you mean ~/.d/x?"),
    "not in that batch": (["--batch", NEW, ".rc"], "attic.unknown", "home-persist attic list"),
    "a typo": ([".rcc"], "attic.unknown", "did you mean ~/.rc?"),
    "what is not kept, from a batch without it": (
        ["--batch", NEW, ".gone"],
        "attic.unknown",
        "home-persist attic list",
    ),
    "not below the home": (["/etc/passwd"], "path.refused", "name a path in the home, relative to it"),
}


@pytest.mark.parametrize(("words", "code", "remedy"), REFUSED.values(), ids=REFUSED)
def test_restore_is_refused_and_nothing_moves(
    filled: Tree, run: Command, words: list[str], code: str, remedy: str
) -> None:
    before = read(filled.volume)
    told = run("attic", "restore", "--json", *words)
    (error,) = told.errors
    assert (told.status, error["code"]) == (1, code)
    assert error["remedy"] == remedy.replace("{volume}", str(filled.volume))
    content_now = {path: text for path, text in read(filled.volume).items() if "/locks/" not in path}
    assert content_now == {path: text for path, text in before.items() if "/locks/" not in path}


@pytest.mark.parametrize("path", [".own", ".d"], ids=["nothing in the attic", "older versions in the attic"])
def test_a_link_that_is_gone_is_told_from_content_that_is(filled: Tree, run: Command, path: str) -> None:
    (filled.home / path).unlink()
    (error,) = run("attic", "restore", "--json", path).errors
    assert error["code"] == "attic.link-missing"
    assert "home-persist resolve" in error["remedy"]
    filled.resolve()
    assert (filled.home / path).is_dir()


def test_a_link_that_was_renamed_was_not_only_deleted(filled: Tree, run: Command) -> None:
    (filled.home / ".d").rename(filled.home / "renamed")
    (error,) = run("attic", "restore", "--json", ".d").errors
    assert error["code"] == "attic.link-missing"
    assert "renamed" in error["message"]


def test_a_part_of_a_directory_comes_back_with_the_directory_s_link(filled: Tree, run: Command) -> None:
    (filled.home / ".d").unlink()
    assert run("attic", "restore", ".d/sub/y").status == 0
    assert read(filled.home / ".d") == {"x": "now", "sub/y": "y"}


def test_the_link_that_was_deleted_comes_back_too(filled: Tree, run: Command) -> None:
    (filled.home / ".rc").unlink()
    document = json.loads(run("attic", "restore", "--json", ".rc").out)
    assert (document["outcome"], document["error"]) == ("path.link-made", None)
    assert (filled.home / ".rc").readlink() == filled.volume / ".rc"


def test_a_link_of_the_user_stays_and_is_named(filled: Tree, run: Command) -> None:
    (filled.home / ".rc").unlink()
    (filled.home / ".rc").symlink_to("/nowhere")
    document = json.loads(run("attic", "restore", "--json", ".rc").out)
    assert (document["outcome"], document["error"]) == ("path.diverted", None)
    assert (filled.volume / ".rc").read_text() == "rc"
    assert (filled.home / ".rc").readlink() == Path("/nowhere")


def test_a_newer_save_in_the_home_wins_and_is_named(filled: Tree, run: Command) -> None:
    (filled.home / ".rc").unlink()
    write(filled.home, {".rc": "saved after the start"})
    told = run("attic", "restore", ".rc")
    assert told.status == 0
    assert (filled.home / ".rc").read_text() == "saved after the start"
    assert attic(filled)["fresh/.rc"] == "rc"
    assert "in the attic" in told.err


def test_what_is_declared_within_is_named(tree: Tree, run: Command) -> None:
    tree.manifest(".cfg/a/", ".cfg/b/")
    write(tree.layout.state / "attic", {f"{NEW}/.cfg/a/x": "1"})
    (error,) = run("attic", "restore", "--json", ".cfg").errors
    assert error["code"] == "path.not-declared"
    assert error["remedy"].endswith(": ~/.cfg/a"), "and not ~/.cfg/b, of which the attic has nothing"


def test_what_is_not_kept_any_more_is_copied_into_the_home(filled: Tree, run: Command) -> None:
    told = run("attic", "restore", ".gone")
    assert (told.status, told.err) == (0, "")
    assert ANCIENT in told.out
    assert "home-persist add ~/.gone" in told.out, "how to keep it"
    assert {path: text for path, text in content(filled.home).items() if path.startswith(".gone")} == {
        ".gone/y": "y",
        ".gone/z/z": "z",
    }
    assert attic(filled) == ATTIC
    assert run("attic", "restore", ".one/file").status == 0
    assert (filled.home / ".one/file").read_text() == "f"


def test_but_not_over_what_is_there(filled: Tree, run: Command) -> None:
    write(filled.home, {".gone/mine": "1"})
    told = run("attic", "restore", "--json", "--force", ".gone")
    assert (told.status, told.codes) == (1, ["attic.in-the-way"])
    assert {path for path in read(filled.home) if ".gone" in path} == {".gone/mine"}


def test_what_is_behind_a_link_of_the_users_is_not_shown(filled: Tree, run: Command) -> None:
    write(filled.volume, {".rc": "now"})
    filled.resolve()
    (filled.home / ".rc").unlink()
    write(filled.home, {".rc": "->dot"})
    document = json.loads(run("attic", "restore", "--json", "--force", ".rc").out)
    assert document["outcome"] == "path.diverted"
    told = run("attic", "restore", "--force", ".rc")
    assert (told.status, "is your own link" in told.err) == (0, True)
    assert (filled.home / ".rc").readlink() == Path("dot")


def test_restore_as_json(filled: Tree, run: Command) -> None:
    document = json.loads(run("attic", "restore", "--json", "--force", ".d/x").out)
    assert (document["path"], document["batch"]) == (".d/x", NEW)
    assert (filled.layout.state / "attic" / document["attic"] / ".d/x").read_text() == "now"


# prune -----------------------------------------------------------------------------------------------

PRUNED = {
    "a month, as the daemon does": ([], [ANCIENT]),
    "ten days": (["--older-than", "10"], [OLD, ANCIENT]),
    "all": (["--older-than", "0"], [NEW, OLD, ANCIENT]),
}


@pytest.mark.parametrize(("words", "batches"), PRUNED.values(), ids=PRUNED)
def test_prune_says_first_and_does_with_yes(
    filled: Tree, run: Command, words: list[str], batches: list[str]
) -> None:
    gone = [path for path in ATTIC if path.startswith(tuple(batches))]
    said = run("attic", "prune", *words).out
    assert said.splitlines()[-1] == (
        f"would be removed: {len(gone)} file{'s' * (len(gone) > 1)}, {4.0 * len(gone)} KiB; --yes does it"
    )
    assert run("attic", "prune", "--yes", "--dry-run", *words).out == said
    assert attic(filled) == ATTIC
    document = json.loads(run("attic", "prune", "--yes", "--json", *words).out)
    assert sorted(f"{item['batch']}/{item['path']}" for item in document["items"]) == sorted(gone)
    assert attic(filled) == {path: text for path, text in ATTIC.items() if path not in gone}
    assert run("attic", "prune", *words).out.splitlines()[-1] == "nothing to remove"
