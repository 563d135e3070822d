"""`home-persist remove`: what comes back, what stays, and what is said, as rows."""

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from coder_ws_runtime.fs.anchored import Owner
from coder_ws_runtime.fs.removing import check_copied
from coder_ws_runtime.fs.writers import Writing
from coder_ws_runtime.identity import Identity
from coder_ws_runtime.persist import give_back as giving_back
from coder_ws_runtime.persist.manifest.entry import Entry, Kind, Scope
from coder_ws_runtime.persist.reconcile.plan import removal_of
from coder_ws_runtime.persist.remove import Removal
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.lease import Lease
from coder_ws_runtime.persist.store.volume import Volume
from tests.harness.tree import Tree, content, read, write
from tests.unit.conftest import Command

OWN = "manifests/user.json"


def declare(
    tree: Tree, *paths: object, file: str = OWN, excepting: Sequence[str] = (), scope: str = ""
) -> Path:
    """The user's own declaration, as `add` writes it."""
    target = tree.layout.state / file
    document: dict[str, object] = {"source": "user", "paths": list(paths)}
    if excepting:
        document["except"] = list(excepting)
    if scope:
        document["scope"] = scope
    write(tree.layout.state, {file: json.dumps(document)})
    return target


def declared(tree: Tree, file: str = OWN) -> dict[str, object]:
    """The user's manifest."""
    document: dict[str, object] = json.loads((tree.layout.state / file).read_text())
    return document


@dataclass(frozen=True)
class Case:
    """What the user declared and what there is; then what is there when it is kept no more."""

    path: str
    home: dict[str, str] = field(default_factory=dict)
    volume: dict[str, str] = field(default_factory=dict)
    back: dict[str, str] = field(default_factory=dict)
    attic: dict[str, str] = field(default_factory=dict)
    said: str = "its content is back in the home"


TREE = {".d/x": "1", ".d/e/": ""}
ROWS = {
    "a directory": Case(
        ".d/", {}, {".d/x": "1", ".d/e/": ""}, {".d/x": "1", ".d/e/": ""}, {".d/x": "1", ".d/e/": ""}
    ),
    "a file": Case(".f", {}, {".f": "1"}, {".f": "1"}, {".f": "1"}),
    "a file below directories": Case("a/b/f", {}, {"a/b/f": "1"}, {"a/b/f": "1"}, {"a/b/f": "1"}),
    "a file that was never written": Case(".f", said="it had no content"),
    "a link": Case(".l", {}, {".l": "->x"}, {".l": "->x"}, {".l": "->x"}),
    "what is in the home only": Case(".d/", {".d/x": "1"}, {}, {".d/x": "1"}, {".d/x": "1"}),
    "two copies": Case(".f", {".f": "home"}, {".f": "volume"}, {".f": "volume"}, {".f": "volume"}),
}


@pytest.mark.parametrize("case", ROWS.values(), ids=ROWS.keys())
def test_row(tree: Tree, run: Command, case: Case) -> None:
    declare(tree, case.path)
    write(tree.home, case.home)
    write(tree.volume, case.volume)
    told = run("remove", case.path)
    assert (told.status, told.err) == (0, "")
    assert told.out.startswith(f"~/{case.path.rstrip('/')}: is no longer kept; {case.said}")
    assert read(tree.home) == case.back
    assert {path: text for path, text in content(tree.volume).items() if not path.endswith("/")} == {}
    assert case.attic.items() <= tree.attic().items()
    assert declared(tree)["paths"] == []
    assert tree.resolve().outcomes == ()
    assert read(tree.home) == case.back, "it is not linked again"


def test_modes_times_and_names_come_back(tree: Tree, run: Command) -> None:
    declare(tree, ".d/")
    tree.resolve()
    one = tree.home / ".d/one"
    one.write_text("1")
    (tree.home / ".d/two").hardlink_to(one)
    os.utime(one, ns=(1, 123456789))
    one.chmod(0o640)
    run("remove", ".d")
    found = one.lstat()
    assert (found.st_mode & 0o777, found.st_mtime_ns, found.st_nlink) == (0o640, 123456789, 2)
    assert not (tree.home / ".d").is_symlink()


def test_added_again_it_is_the_homes_that_counts(tree: Tree, run: Command) -> None:
    write(tree.home, {".f": "1"})
    run("add", ".f")
    run("remove", ".f")
    (tree.home / ".f").write_text("edited")
    run("add", ".f")
    assert content(tree.volume) == {".f": "edited"}


OTHERS = {
    "of a manifest": (
        [".tool"],
        "path.not-yours",
        "({manifest}:$.paths[0])",
        "home-persist remove --switch-off ~/.tool stops it in all your workspaces",
    ),
    "of the template": (
        [".notes"],
        "path.not-yours",
        "({settings}:$.home_persist_paths[0])",
        (
            "remove it from the workspace's parameters in Coder, or: home-persist remove --switch-off"
            " ~/.notes stops it in all your workspaces"
        ),
    ),
    "a part of what is kept": (
        [".own/x"],
        "path.covered",
        "~/.own/, by user ({user}:$.paths[0])",
        "you can only remove the whole: home-persist remove ~/.own",
    ),
    "a part of what a manifest keeps": (
        [".tool/x"],
        "path.covered",
        "~/.tool/, by tool ({manifest}:$.paths[0])",
        "you can only remove the whole: home-persist remove --switch-off ~/.tool",
    ),
    "of a manifest, and in another scope": (
        ["--scope", "workspace", ".tool"],
        "path.not-yours",
        "({manifest}:$.paths[0])",
        "home-persist remove --switch-off ~/.tool stops it in all your workspaces",
    ),
    "what holds something that is kept": (
        [".cfg"],
        "path.not-declared",
        "~/.cfg/a",
        "home-persist remove ~/.cfg/a",
    ),
    "in another scope": (
        ["--scope", "workspace", ".own"],
        "path.other-scope",
        "'owner', by user ({user}:$.paths[0])",
        "home-persist remove --scope owner ~/.own",
    ),
    "a typo": ([".onw"], "path.not-declared", "", "did you mean ~/.own?"),
    "something else": (["zzz"], "path.not-declared", "", "home-persist status lists what is"),
    "switched off already": ([".off"], "path.off", "", "home-persist add ~/.off"),
}


@pytest.mark.parametrize(("words", "code", "names", "remedy"), OTHERS.values(), ids=OTHERS.keys())
def test_refused(tree: Tree, run: Command, words: list[str], code: str, names: str, remedy: str) -> None:
    manifest = tree.manifest(".tool/", ".off/")
    tree.layout.settings_file.parent.mkdir(parents=True)
    tree.layout.settings_file.write_text(json.dumps({"home_persist_paths": [".notes/"]}))
    user = declare(tree, ".own/", ".cfg/a", excepting=[".off/"])
    tree.resolve()
    before = read(tree.home)
    told = run("remove", "--json", *words)
    for key, value in {"manifest": manifest, "settings": tree.layout.settings_file, "user": user}.items():
        names = names.replace(f"{{{key}}}", str(value))
    (error,) = told.errors
    assert (told.status, error["code"], error["place"]) == (1, code, f"~/{words[-1]}")
    assert error["remedy"] == remedy
    assert names in error["message"], "what keeps it is named"
    assert read(tree.home) == before


def test_switched_off(tree: Tree, run: Command) -> None:
    tree.manifest(".tool/")
    write(tree.home, {".tool/x": "1"})
    tree.resolve()
    told = run("remove", "--switch-off", ".tool")
    assert (told.status, read(tree.home)) == (0, {".tool/x": "1"})
    assert declared(tree)["except"] == [".tool"]
    tree.resolve()
    assert read(tree.home) == {".tool/x": "1"}
    run("add", ".tool")
    assert read(tree.home) == {".tool": f"->{tree.volume}/.tool"}


def test_switched_off_in_this_workspace(tree: Tree, run: Command) -> None:
    tree.manifest(".tool/")
    write(tree.home, {".tool/x": "1"})
    tree.resolve()
    told = run("remove", "--json", "--switch-off", "--scope", "workspace", ".tool")
    (one,) = json.loads(told.out)["paths"]
    assert (told.status, one["returned"], one["shared"], one["attic"]) == (0, True, True, None)
    assert (read(tree.home), content(tree.volume)) == ({".tool/x": "1"}, {".tool/x": "1"})
    assert tree.attic() == {}
    assert declared(tree, "manifests/workspace-w1.json")["except"] == [".tool"]


def test_of_this_workspace(tree: Tree, run: Command) -> None:
    declare(tree, ".d/", file="manifests/workspace-w1.json", scope="workspace")
    write(tree.volume, {".workspaces/w1/.d/x": "1"})
    assert run("remove", ".d").status == 0
    assert (read(tree.home), tree.attic()) == ({".d/x": "1"}, {".d/x": "1"})


def test_a_manifest_keeps_it_all_the_same(tree: Tree, run: Command) -> None:
    manifest = tree.manifest(".d/")
    declare(tree, ".d/")
    tree.resolve()
    told = run("remove", ".d")
    assert told.status == 0
    assert str(manifest) in told.out, "what keeps it is named"
    assert (tree.home / ".d").is_symlink()


def test_what_was_covered_is_kept_by_itself(tree: Tree, run: Command) -> None:
    declare(tree, ".cfg/a/", ".cfg/")
    write(tree.home, {".cfg/a/x": "1", ".cfg/b": "2"})
    tree.resolve()
    told = run("remove", ".cfg")
    assert told.status == 0
    assert "~/.cfg/a\n" in told.out, "what is still kept is named"
    assert read(tree.home) == {".cfg/a": f"->{tree.volume}/.cfg/a", ".cfg/b": "2"}
    assert content(tree.volume) == {".cfg/a/x": "1"}


@pytest.mark.parametrize("path", ["f", ".d"])
@pytest.mark.parametrize("saved", ["here", "there", "on both sides", "nowhere"])
def test_added_again_where_the_volume_still_has_it(tree: Tree, run: Command, path: str, saved: str) -> None:
    """It stayed there for another workspace. What was saved since it came back is the newer save."""
    inner = f"{path}/x" if path == ".d" else path
    write(tree.home, {inner: "both"})
    run("add", f"~/{path}")
    with Volume(tree.volume, Owner(os.getuid(), os.getgid())) as volume:
        lease = Lease(volume, "other")
        run("remove", f"~/{path}")
        if saved in ("there", "on both sides"):
            (tree.volume / inner).write_text("there")
        if saved in ("here", "on both sides"):
            (tree.home / inner).write_text("here")
        run("add", f"~/{path}")
        lease.close()
    newest = {"here": "here", "there": "there", "on both sides": "here", "nowhere": "both"}[saved]
    assert (tree.home / inner).read_text() == newest
    assert (tree.home / path).is_symlink()
    older = {"here": ["both"], "there": ["both"], "on both sides": ["there"], "nowhere": []}[saved]
    assert list(tree.attic().values()) == older


def test_what_is_left_on_the_volume_goes_to_the_attic(tree: Tree, run: Command) -> None:
    write(tree.volume, {".old/x": "1"})
    told = run("remove", ".old")
    assert (told.status, content(tree.volume), tree.attic()) == (0, {}, {".old/x": "1"})


def test_another_workspace_runs(tree: Tree, run: Command) -> None:
    declare(tree, ".d/")
    write(tree.home, {".d/x": "1"})
    tree.resolve()
    with Volume(tree.volume, Owner(os.getuid(), os.getgid())) as volume:
        lease = Lease(volume, "other")
        told = run("remove", "--json", ".d")
        assert json.loads(told.out)["paths"][0]["other_workspaces"] == ["other"]
        assert (read(tree.home), content(tree.volume)) == ({".d/x": "1"}, {".d/x": "1"})
        lease.close()
    assert run("remove", ".d").status == 0
    assert (read(tree.home), content(tree.volume), tree.attic()) == ({".d/x": "1"}, {}, {".d/x": "1"})


@pytest.mark.parametrize("path", [".d/", ".conf", ".config/tool/"])
def test_another_workspace_has_its_link_and_does_not_run(tree: Tree, run: Command, path: str) -> None:
    """It learns what happened, and how to get the content back."""
    declare(tree, path)
    file = f"{path}x" if path.endswith("/") else path
    write(tree.volume, {file: "mine"})
    tree.resolve()
    links = (tree.layout.ledger_dir / "links").read_text()
    place = tree.home / path.rstrip("/")
    link = place.readlink()
    assert run("remove", f"~/{path}").status == 0
    # The home and the ledger of the other workspace.
    shutil.rmtree(place) if path.endswith("/") else place.unlink()
    place.symlink_to(link)
    (tree.layout.ledger_dir / "links").write_text(links)

    def state() -> list[tuple[str, str]]:
        rows = json.loads(run("status", "--json").out)["paths"]
        return [(row["path"], row["state"]) for row in rows if row["source"] != "tool"]

    assert state() == [(path.rstrip("/"), "removed")]
    assert "attic restore" in run("status").out
    dry = run("resolve", "--dry-run", "--json")
    assert (dry.status, dry.codes, place.is_symlink()) == (0, ["path.removed-elsewhere"], True)
    for _ in range(2):
        told = run("resolve", "--json")
        assert (told.status, told.codes) == (0, ["path.removed-elsewhere"])
        assert not os.path.lexists(place), "no link that leads nowhere"
    assert state() == [(path.rstrip("/"), "removed")]
    place.symlink_to(link)
    (hint,) = [error["remedy"] for error in told.errors]
    for words in re.findall(r"home-persist ((?:attic restore|add) [^ ;]+)", hint):
        assert run(*shlex.split(words)).status == 0, words
    assert (tree.home / file).read_text() == "mine"
    assert state() == [(path.rstrip("/"), "linked")]
    assert run("resolve", "--json").codes == []


def test_a_link_of_the_users_in_place_of_a_removed_one(tree: Tree, run: Command) -> None:
    """As is content in its place: whoever made it knows."""
    declare(tree, ".conf")
    write(tree.volume, {".conf": "mine"})
    tree.resolve()
    links = (tree.layout.ledger_dir / "links").read_text()
    assert run("remove", "~/.conf").status == 0
    (tree.layout.ledger_dir / "links").write_text(links)
    assert run("resolve", "--json").codes == []
    (tree.home / ".conf").unlink()
    (tree.home / ".conf").symlink_to("nowhere")
    assert run("resolve", "--json").codes == []
    assert (tree.home / ".conf").readlink() == Path("nowhere")


def test_a_suggested_name_is_quoted(tree: Tree, run: Command) -> None:
    declare(tree, "it's a/")
    (error,) = run("remove", "--json", "it's").errors
    assert shlex.split(error["remedy"].removeprefix("did you mean ").removesuffix("?")) == ["~/it's a"]


@pytest.mark.parametrize(
    ("source", "option"), [("user", ""), ("template", "--switch-off "), ("npm", "--switch-off ")]
)
def test_the_printed_command_removes_it(source: str, option: str) -> None:
    entry = Entry("a b", Kind.FILE, Scope.OWNER, source, "", "a b")
    assert removal_of(entry) == f"home-persist remove {option}~/'a b'"


@pytest.mark.parametrize("path", [".tool", ".tool/own"])
def test_a_workspaces_own_inside_is_no_former_copy(tree: Tree, run: Command, path: str) -> None:
    tree.manifest(".tool/", {"path": ".tool/own/", "scope": "workspace"})
    tree.resolve()
    write(tree.home, {".tool/own/x": "1"})
    assert run("remove", "--scope", "workspace", path).status == 1
    assert (tree.home / ".tool/own/x").read_text() == "1"
    assert tree.attic() == {}


def test_a_program_writes_it(tree: Tree, run: Command) -> None:
    declare(tree, ".d/")
    write(tree.home, {".d/log": "1"})
    tree.resolve()
    with (tree.home / ".d/log").open("a"):
        told = run("remove", "--json", ".d")
    assert (told.status, declared(tree)["paths"]) == (1, [".d/"])
    (error,) = told.errors
    assert (error["code"], error["place"]) == ("path.in-use", "~/.d")
    assert "'log'" in error["message"]
    assert error["remedy"] == (
        "close the program (fuser -v ~/.d/log names it), then: home-persist remove ~/.d"
    ), "fuser names who has the file open, not who has it open in a directory"
    assert read(tree.home) == {".d": f"->{tree.volume}/.d"}


def test_a_save_in_the_moment_of_the_swap_is_kept(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(tree, ".f")
    write(tree.home, {".f": "old"})
    tree.resolve()
    calls: list[str] = []

    def save(fd: int, name: str, identities: Mapping[str, Identity], *, busy: Collection[Writing]) -> None:
        check_copied(fd, name, identities, busy=busy)
        calls.append(name)
        if len(calls) == 2:  # the last look before the swap
            write(tree.home, {"new": "saved"})
            (tree.home / "new").rename(tree.home / ".f")

    monkeypatch.setattr(giving_back, "check_copied", save)
    with Session(tree.layout, tree.settings) as session:
        (done,) = Removal(session).run([".f"])
    assert done.error is None
    assert (read(tree.home), tree.attic()) == ({".f": "saved"}, {".f": "old"})


def test_what_an_interrupted_run_left(tree: Tree, run: Command) -> None:
    """A partial copy goes; a whole one may be a save, so it is in the attic."""
    declare(tree, ".f")
    write(tree.home, {"..f.home-persist-copy": "par", "..f.home-persist-swap": "whole"})
    write(tree.volume, {".f": "whole one"})
    assert run("remove", ".f").status == 0
    assert read(tree.home) == {".f": "whole one"}
    assert sorted(read(tree.layout.state / "attic").values()) == ["whole", "whole one"]


def test_json(tree: Tree, run: Command) -> None:
    declare(tree, ".d/")
    write(tree.home, {".d/x": "1"})
    document = json.loads(run("remove", "--json", ".d", ".e").out)
    first, second = document["paths"]
    assert (first["removed"], first["returned"], bool(first["attic"])) == (True, True, True)
    assert second["error"]["code"] == "path.not-declared"


def test_the_copy_is_as_cp_makes_it(tree: Tree, run: Command) -> None:
    declare(tree, ".d/")
    write(tree.home, {".d/x": "1", ".d/l": "->x", ".d/deep/er/y": "2"})
    tree.resolve()
    before = tar(tree.volume / ".d")
    run("remove", ".d")
    assert tar(tree.home / ".d") == before


def tar(directory: Path) -> bytes:
    words = ["tar", "-C", str(directory), "--sort=name", "-c", "."]
    return subprocess.run(words, capture_output=True, check=True).stdout


def test_a_scope_that_it_has_not_is_refused_also_below_a_parent(tree: Tree, run: Command) -> None:
    declare(tree, ".config/", ".config/foo/")
    told = run("remove", "--json", "--scope", "workspace", ".config/foo")
    assert (told.status, told.codes) == (1, ["path.other-scope"])
    assert declared(tree)["paths"] == [".config/", ".config/foo/"]


def test_each_of_several_names_its_copy_in_the_attic(tree: Tree, run: Command) -> None:
    declare(tree, ".one", ".two")
    write(tree.volume, {".one": "1", ".two": "2"})
    told = run("remove", ".one", ".two")
    batches = [path.name for path in (tree.layout.state / "attic").iterdir()]
    assert [sum(name in line for name in batches) for line in told.out.splitlines()] == [1, 1]
