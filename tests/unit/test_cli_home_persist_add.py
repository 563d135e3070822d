"""`home-persist add`: what is typed, what is kept, and what is said, as rows."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.harness.tree import Tree, content, read, write
from tests.unit.conftest import Command

REPO = Path(__file__).parents[2]


def own(tree: Tree) -> list[object]:
    """What the user's manifest of all workspaces has."""
    document = json.loads((tree.layout.state / "manifests/user.json").read_text())
    return list(document["paths"])


@dataclass(frozen=True)
class Case:
    """What is typed, what there is, and what the user's manifest has then."""

    typed: str
    kept: object
    home: dict[str, str] = field(default_factory=dict)
    volume: dict[str, str] = field(default_factory=dict)
    said: str = ""


KINDS = {
    "a directory": Case(".d/", ".d/", {".d/x": "1"}),
    "a directory without a slash": Case(".d", ".d/", {".d/x": "1"}),
    "an empty directory": Case(".d", ".d/", {".d/": ""}),
    "a file": Case(".f", ".f", {".f": "1"}),
    "a file with a slash": Case(".f/", ".f", {".f": "1"}, said="it is a file, and is kept as a file"),
    "nothing": Case(".n", ".n", said="for a directory: home-persist remove ~/.n && home-persist add ~/.n/"),
    "nothing, with a slash": Case(".n/", ".n/"),
    "a directory on the volume": Case(".d", ".d/", volume={".d/x": "1"}),
    "a link of ours to a directory": Case(".d", ".d/", {".d": "->{volume}/.d"}, {".d/x": "1"}),
    "a name with spaces": Case("a b/c d", "a b/c d", {"a b/c d": "1"}),
}


@pytest.mark.parametrize("case", KINDS.values(), ids=KINDS.keys())
def test_kind(tree: Tree, run: Command, case: Case) -> None:
    write(tree.home, {path: text.replace("{volume}", str(tree.volume)) for path, text in case.home.items()})
    write(tree.volume, case.volume)
    told = run("add", case.typed)
    assert (told.status, own(tree)) == (0, [case.kept])
    name = str(case.kept).rstrip("/")
    assert (tree.home / name).readlink() == tree.volume / name
    assert case.said in told.err
    assert bool(case.said) == bool(told.err)


def test_a_link_of_the_user_is_left_as_it_is(tree: Tree, run: Command) -> None:
    home = {".l": "->.d", ".d/x": "1", ".d/sub/y": "2"}
    write(tree.home, home)
    told = run("add", "--json", ".l")
    assert (told.status, own(tree)) == (0, [".l/"])
    assert read(tree.home) == home
    assert content(tree.volume) == {}
    assert [one["outcome"] for one in json.loads(told.out)["paths"]] == ["path.diverted"]


def test_what_is_behind_a_link_of_the_user_is_left_as_it_is(tree: Tree, run: Command) -> None:
    home = {".config": "->dotfiles", "dotfiles/gh/x": "1", "dotfiles/rc": "2"}
    write(tree.home, home)
    told = run("add", "--json", ".config/gh", ".config/rc")
    assert (told.status, own(tree)) == (0, [".config/gh/", ".config/rc"])
    assert read(tree.home) == home
    assert content(tree.volume) == {}
    assert [one["outcome"] for one in json.loads(told.out)["paths"]] == ["path.diverted"] * 2
    assert all("~/.config to dotfiles" in one["message"] for one in json.loads(told.out)["paths"])
    assert run("resolve").status == 0


TYPED = {
    "~/x": ("", "~/.d"),
    "$HOME/x": ("", "$HOME/.d"),
    "absolute": ("", "{home}/.d"),
    "relative to the home": ("", ".d"),
    "relative to the home, from below it": ("projects", ".d"),
    "from here": ("", "./.d"),
    "from here, upwards": ("projects", "../.d"),
    "from elsewhere": ("/", ".d"),
    "with dots and slashes": ("", "~/.//.d//"),
}


@pytest.mark.parametrize(("where", "typed"), TYPED.values(), ids=TYPED.keys())
def test_typed(tree: Tree, run: Command, monkeypatch: pytest.MonkeyPatch, where: str, typed: str) -> None:
    write(tree.home, {".d/x": "1", "projects/": ""})
    monkeypatch.chdir(tree.home / where)
    told = run("add", typed.replace("{home}", str(tree.home)))
    assert (told.status, own(tree)) == (0, [".d/"])


def test_by_the_real_name_of_the_home(tree: Tree, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tree.home, {".d/x": "1"})
    real = tree.home.rename(tree.home.with_name("real"))
    tree.home.symlink_to(real)
    monkeypatch.chdir(real)
    assert run("add", f"{real}/.d").status == 0
    assert run("add", "./.e/").status == 0
    assert own(tree) == [".d/", ".e/"]


def test_it_is_here_and_not_in_the_home(tree: Tree, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tree.home, {"projects/notes/x": "1"})
    monkeypatch.chdir(tree.home / "projects")
    told = run("add", "--json", "notes")
    (error,) = told.errors
    assert (told.status, error["code"], error["place"]) == (1, "path.elsewhere", "notes")
    assert error["remedy"].startswith("home-persist add ~/projects/notes, or home-persist add ~/notes ")
    assert read(tree.volume) == {}, "nothing was done"


REFUSED = {
    "elsewhere": ("/etc/passwd", "path.refused", "'/etc/passwd'", "name a path in the home, relative to it"),
    "the home": ("~", "path.refused", "'~'", "declare paths in it"),
    "the home, from where one is": (".", "path.refused", "'.'", "name a path in the home"),
    "above the home": ("../x", "path.refused", "'../x' is {above}/x", "name a path in the home"),
    "nothing": ("", "path.refused", "''", "name a file or a directory of the home"),
    "blanks": ("   ", "path.refused", "'   '", "name a file or a directory of the home"),
    "another's home": ("~ben/x", "path.refused", "'~ben/x'", "name a path in the home, relative to it"),
    "upwards": ("a/../../b", "path.refused", "'..'", "write the path without it"),
    "the volume's own": (".home-persist/x", "path.refused", "'.home-persist/x'", "choose another name"),
    "in it another scope": (
        ".cfg",
        "path.conflict",
        "~/.cfg/own in it has the scope 'workspace', by tool ({manifest}:$.paths[1])",
        "add it with --scope workspace, or add its other contents one by one",
    ),
    "below a file": (
        ".file/x",
        "path.conflict",
        "by tool ({manifest}:$.paths[2])",
        "declare the directory in its place",
    ),
    "a FIFO": (
        "fifo",
        "path.special",
        "",
        "its program creates it again; add what is next to it one by one",
    ),
}


@pytest.mark.parametrize(("typed", "code", "names", "remedy"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_and_the_others_go_on(
    tree: Tree, run: Command, monkeypatch: pytest.MonkeyPatch, typed: str, code: str, names: str, remedy: str
) -> None:
    monkeypatch.chdir(tree.home)
    manifest = tree.manifest(".tool/", {"path": ".cfg/own/", "scope": "workspace"}, ".file")
    write(tree.home, {".good/x": "1", "link": "->.good", ".cfg/z": "1"})
    os.mkfifo(tree.home / "fifo")
    told = run("add", "--json", typed, ".good")
    (error,) = told.errors
    assert (told.status, error["code"], error["remedy"]) == (1, code, remedy)
    assert names.format(manifest=manifest, above=tree.home.parent) in error["message"]
    assert own(tree) == [".good/"]


def test_what_is_refused_is_said(tree: Tree, run: Command) -> None:
    (error,) = run("add", "--json", "/etc/passwd", ".good/").errors
    told = run("add", "/etc/passwd", ".good/")
    assert (told.status, told.err) == (1, f"error: {error['message']}\nhint: {error['remedy']}\n")


def test_what_would_lose_at_once_is_refused(tree: Tree, run: Command) -> None:
    """The volume has something of another type, which nothing declares."""
    write(tree.home, {".conf": "mine"})
    write(tree.volume, {".conf/x": "old"})
    told = run("add", "--json", ".conf")
    (error,) = told.errors
    assert (told.status, error["code"], error["place"]) == (1, "path.conflict", "~/.conf")
    assert error["remedy"].startswith("home-persist remove ~/.conf ")
    assert read(tree.home) == {".conf": "mine"}
    assert run("remove", ".conf").status == 0
    assert run("add", ".conf").status == 0
    assert content(tree.volume) == {".conf": "mine"}
    assert tree.attic() == {".conf/x": "old"}


COVERED = {
    "by a manifest": (["add", ".tool"], ".tool", "owner"),
    "below a directory": (["add", ".tool/a/b"], ".tool", "owner"),
    "by the other scope, which nobody minds": (["add", ".own"], ".own", "workspace"),
}


@pytest.mark.parametrize(("words", "by", "scope"), COVERED.values(), ids=COVERED.keys())
def test_kept_already(tree: Tree, run: Command, words: list[str], by: str, scope: str) -> None:
    manifest = tree.manifest(".tool/", {"path": ".own/", "scope": "workspace"})
    told = run(*words, "--json")
    (one,) = json.loads(told.out)["paths"]
    assert (told.status, one["added"], one["covered_by"], one["scope"]) == (0, False, by, scope)
    assert str(manifest) in one["declared_in"]
    assert f"~/{by}" in run(*words).out
    assert not (tree.layout.state / "manifests/user.json").exists()


def test_kept_already_and_the_link_was_deleted(tree: Tree, run: Command) -> None:
    write(tree.home, {".rc": "mine"})
    assert run("add", ".rc").status == 0
    (tree.home / ".rc").unlink()
    (one,) = json.loads(run("add", ".rc", "--json").out)["paths"]
    assert (one["added"], one["outcome"], one["error"]) == (False, "path.link-made", None)
    assert (tree.home / ".rc").read_text() == "mine"
    (again,) = json.loads(run("add", ".rc", "--json").out)["paths"]
    assert (again["added"], again["outcome"]) == (False, None)


OTHERWISE = {
    "with the other scope": (["--scope", "owner", ".own"], "path.other-scope", 1),
    "with another mode": (["--mode", "0700", ".tool"], "path.conflict", 0),
}


@pytest.mark.parametrize(("words", "code", "item"), OTHERWISE.values(), ids=OTHERWISE.keys())
def test_kept_already_otherwise(tree: Tree, run: Command, words: list[str], code: str, item: int) -> None:
    manifest = tree.manifest(".tool/", {"path": ".own/", "scope": "workspace"})
    told = run("add", "--json", *words)
    (error,) = told.errors
    assert (told.status, error["code"], error["place"]) == (1, code, f"~/{words[-1]}")
    assert f"({manifest}:$.paths[{item}])" in error["message"]
    assert not (tree.layout.state / "manifests/user.json").exists()


def test_twice(tree: Tree, run: Command) -> None:
    run("add", ".d/", ".d/")
    assert run("add", ".d").status == 0
    assert own(tree) == [".d/"]


def test_a_directory_over_what_was_added_before(tree: Tree, run: Command) -> None:
    write(tree.home, {".cfg/a/x": "1", ".cfg/b": "2"})
    run("add", ".cfg/a")
    told = run("add", "--json", ".cfg")
    assert (told.status, own(tree)) == (0, [".cfg/a/", ".cfg/"])
    assert json.loads(told.out)["paths"][0]["contains"] == [".cfg/a"]
    assert content(tree.volume) == {".cfg/a/x": "1", ".cfg/b": "2"}
    assert read(tree.home) == {".cfg": f"->{tree.volume}/.cfg"}


@pytest.mark.parametrize(("path", "file"), [(".d/f", ".d/f"), (".d/s", ".d/s/x")])
@pytest.mark.parametrize("by", ["add", "manifest"])
def test_a_directory_over_one_with_a_save_that_is_not_kept_yet(
    tree: Tree, run: Command, path: str, file: str, by: str
) -> None:
    """What has replaced the link inside is the newer save, also when its directory is merged."""
    write(tree.home, {file: "older", ".d/other": "1"})
    run("add", path)
    (tree.home / path).unlink()
    write(tree.home, {file: "newer"})
    if by == "add":
        assert run("add", ".d").status == 0
    else:
        tree.manifest(".d/")
        assert not tree.resolve().errors
    assert (tree.home / ".d").is_symlink()
    assert content(tree.volume) == {file: "newer", ".d/other": "1"}
    assert tree.attic() == {file: "older"}


def test_a_directory_over_a_file_that_was_never_written(tree: Tree, run: Command) -> None:
    run("add", ".new")
    told = run("add", "--json", ".new/")
    (error,) = told.errors
    assert (told.status, error["code"]) == (1, "path.conflict")
    assert error["remedy"] == "home-persist remove ~/.new && home-persist add ~/.new/"
    assert own(tree) == [".new"]
    assert (run("remove", ".new").status, run("add", ".new/").status) == (0, 0)
    assert (tree.home / ".new").is_dir()


def test_content_is_moved_at_once(tree: Tree, run: Command) -> None:
    write(tree.home, {".d/x": "1"})
    told = run("add", ".d")
    assert told.out == "~/.d/: is kept from now on [user, owner]; seeded\n"
    assert (content(tree.volume), read(tree.home)) == ({".d/x": "1"}, {".d": f"->{tree.volume}/.d"})


def test_it_lasts(tree: Tree, run: Command) -> None:
    write(tree.home, {".d/x": "1"})
    run("add", ".d")
    tree.lose_container()
    tree.resolve()
    assert (tree.home / ".d/x").read_text() == "1"


def test_another_scope_is_had_as_printed(tree: Tree, run: Command) -> None:
    write(tree.home, {"my dir/x": "1"})
    run("add", "my dir")
    (error,) = run("add", "--json", "--scope", "workspace", "my dir").errors
    command = error["remedy"].removeprefix("to change that: ")
    assert command == "home-persist remove ~/'my dir' && home-persist add --scope workspace ~/'my dir/'"
    for words in command.split(" && "):
        assert run(*shlex.split(words)[1:]).status == 0
    assert content(tree.volume) == {".workspaces/w1/my dir/x": "1"}


def test_the_scope_of_this_workspace(tree: Tree, run: Command) -> None:
    write(tree.home, {".d/x": "1"})
    assert run("add", "--scope", "workspace", ".d").status == 0
    file = tree.layout.state / "manifests/workspace-w1.json"
    assert json.loads(file.read_text()) == {"source": "user", "scope": "workspace", "paths": [".d/"]}
    assert content(tree.volume) == {".workspaces/w1/.d/x": "1"}


def test_without_an_id_of_the_workspace(tree: Tree, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CODER_WORKSPACE_ID")
    told = run("add", "--json", "--scope", "workspace", ".d/")
    (error,) = told.errors
    assert (told.status, error["code"]) == (1, "manifest.no-workspace-id")
    assert error["remedy"].startswith("set CODER_WORKSPACE_ID")


def test_mode(tree: Tree, run: Command) -> None:
    write(tree.home, {".d/x": "1"})
    run("add", "--mode", "700", ".d")
    assert own(tree) == [{"path": ".d/", "mode": "0700"}]
    assert (tree.volume / ".d").stat().st_mode & 0o777 == 0o700
    run("add", "--mode", "0750", ".d")
    assert own(tree) == [{"path": ".d/", "mode": "0750"}], "another mode takes the place of the first"
    assert (tree.volume / ".d").stat().st_mode & 0o777 == 0o750
    assert run("add", "--mode", "rwx", ".e/").status == 2


def test_what_was_switched_off_is_switched_on(tree: Tree, run: Command) -> None:
    tree.manifest(".tool/")
    file = tree.layout.state / "manifests/user.json"
    write(file.parent, {file.name: '{"source": "user", "except": [".tool/"]}'})
    told = run("add", ".tool")
    assert (told.status, told.out) == (0, "~/.tool/: is kept from now on [tool, owner]; created\n")
    assert json.loads((tree.layout.state / "manifests/user.json").read_text()) == {
        "source": "user",
        "except": [],
    }


def test_what_a_person_wrote_stays(tree: Tree, run: Command) -> None:
    written = {"source": "mine", "description": "hand-made", "paths": [{"path": ".a", "why": "because"}]}
    write(tree.layout.state, {"manifests/user.json": json.dumps(written)})
    run("add", ".b")
    document = json.loads((tree.layout.state / "manifests/user.json").read_text())
    assert document == {**written, "paths": [*written["paths"], ".b"]}


def test_what_another_version_wrote_stays(tree: Tree, run: Command) -> None:
    written = {
        "source": "user",
        "pahts": [],
        "paths": [{"path": ".a/", "quota": 3}, None, "../x", {"pth": 1}],
        "except": [7, ".e"],
    }
    write(tree.layout.state, {"manifests/user.json": json.dumps(written)})
    for words in (["add", ".b"], ["add", ".c"], ["remove", ".c"], ["add", ".e"]):
        assert run(*words).status == 0, words
    document = json.loads((tree.layout.state / "manifests/user.json").read_text())
    assert document == {**written, "paths": [*written["paths"], ".b", ".e"]}


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("{", "manifest.not-json"),
        ("[]", "manifest.invalid"),
        ('{"paths": {}}', "manifest.invalid"),
        ('{"except": "x"}', "manifest.invalid"),
        ('{"enable": 3}', "manifest.invalid"),
    ],
)
def test_a_manifest_that_cannot_be_changed(tree: Tree, run: Command, document: str, code: str) -> None:
    write(tree.layout.state, {"manifests/user.json": document})
    told = run("add", ".b", "--json")
    assert told.status == 1
    assert code in told.out + told.err
    assert (tree.layout.state / "manifests/user.json").read_text() == document


def test_a_trap_is_named(tree: Tree, run: Command) -> None:
    write(tree.home, {".npmrc": "x"})
    told = run("add", ".npmrc")
    assert told.status == 0
    assert "NPM_CONFIG_USERCONFIG" in told.err


def test_json(tree: Tree, run: Command) -> None:
    write(tree.home, {".d/x": "1"})
    document = json.loads(run("add", "--json", ".d", "/etc").out)
    (path,) = document["paths"]
    assert (path["added"], path["covered_by"], path["kind"], path["outcome"]) == (
        True,
        ".d",
        "directory",
        "path.seeded",
    )
    assert document["refused"][0]["code"] == "path.refused"


def test_at_once(tree: Tree) -> None:
    """Many at the same time, each in a process of its own: none is lost."""
    program = "from coder_ws_runtime.cli.home_persist.main import main; main()"
    words = [sys.executable, "-c", program, "add", "--root", str(tree.layout.root)]
    running = [
        subprocess.Popen([*words, f".d{index}/"], cwd=REPO, stdout=subprocess.DEVNULL) for index in range(8)
    ]
    assert [process.wait(60) for process in running] == [0] * 8
    assert sorted(map(str, own(tree))) == [f".d{index}/" for index in range(8)]
