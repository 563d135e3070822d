"""What is mounted in the home is left as it is: it lasts by itself, and moving it would empty a disk."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.system.mounts import mounted_in, parse_mounts
from tests.harness.tree import Tree, content, read, write
from tests.unit.conftest import Command


def test_the_last_over_a_path_counts() -> None:
    text = (
        "91 73 0:48 / /run rw - tmpfs tmpfs rw\n"
        "96 91 254:0 /run/docker.sock /run/docker.sock rw - ext4 /dev/vda rw\n"
        "97 91 0:48 /ws-docker/docker.sock /run/docker.sock rw - tmpfs tmpfs rw\n"
        "98 91 0:5 / /mnt/a\\040b rw - tmpfs tmpfs rw\n"
    )
    assert parse_mounts(text) == {
        "/run": "/",
        "/run/docker.sock": "/ws-docker/docker.sock",
        "/mnt/a b": "/",
    }


def mount(tree: Tree, *points: str) -> None:
    """Let the tree's /proc say that something is mounted at paths of the home."""
    file = tree.layout.proc / "self/mountinfo"
    file.parent.mkdir(parents=True)
    file.write_text("".join(f"98 91 0:5 / {tree.home}/{point} rw - ext4 /dev/x rw\n" for point in points))


@pytest.mark.parametrize(
    ("path", "inside"),
    [("projects", ""), ("work", "b/c"), ("work/b", "c"), ("work/b/c/d", None), ("wor", None), (".x", None)],
)
def test_where_something_is_mounted(tree: Tree, path: str, inside: str | None) -> None:
    mount(tree, "projects", "work/b/c", "work/z")
    assert mounted_in(tree.layout.proc, tree.home / path) == inside


def test_where_proc_tells_nothing() -> None:
    assert mounted_in(Path("/nowhere/at/all"), Path("/home")) is None


@dataclass(frozen=True)
class Mounted:
    """What is declared and mounted, and what is said."""

    declared: str
    mounted: str
    names: str
    """What of it the message names; the path itself is the error's place."""
    hint: str


ROWS = {
    "the path itself": Mounted(
        "projects/",
        "projects",
        "",
        "leave it out: what is mounted need not be kept",
    ),
    "within the path": Mounted(
        "projects/",
        "projects/sub",
        "'sub'",
        "declare its other contents one by one",
    ),
}
HOME = {"projects/x": "1", "projects/sub/y": "2"}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("volume", [{}, {"projects/x": "older"}], ids=["seed", "merge"])
def test_nothing_is_copied_and_nothing_is_moved(tree: Tree, row: Mounted, volume: dict[str, str]) -> None:
    tree.manifest(row.declared)
    write(tree.home, HOME)
    write(tree.volume, volume)
    mount(tree, row.mounted)
    outcome = tree.resolve().outcomes[0]
    assert (outcome.decision, outcome.changed) == (Decision.MOUNTED, False)
    assert outcome.error is not None
    assert outcome.error.code == "path.mounted"
    assert row.names in outcome.error.message
    command = f"home-persist remove --switch-off ~/{row.declared.rstrip('/')}"
    assert outcome.error.hint == f"{row.hint}; to stop keeping it: {command}"
    assert read(tree.home) == HOME
    assert content(tree.volume) == volume


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_add_refuses_it_and_remembers_nothing(tree: Tree, run: Command, row: Mounted) -> None:
    write(tree.home, HOME)
    mount(tree, row.mounted)
    told = run("add", "--json", row.declared)
    path = row.declared.rstrip("/")
    (error,) = told.errors
    assert (told.status, error["code"], error["place"]) == (1, "path.mounted", f"~/{path}")
    assert error["remedy"] == row.hint
    assert row.names in error["message"]
    assert read(tree.home) == HOME
    assert content(tree.volume) == {}
    assert not (tree.layout.state / "manifests/user.json").exists()


def test_status_says_so(tree: Tree, run: Command) -> None:
    tree.manifest("projects/")
    write(tree.home, HOME)
    mount(tree, "projects")
    told = run("status", "--json")
    (one,) = json.loads(told.out)["paths"]
    assert (told.status, one["path"], one["state"], one["ok"]) == (1, "projects", "mounted", False)
    assert "mounted:" in run("status").out, "the word has its line in the legend"


def test_remove_takes_it_out_of_the_declarations(tree: Tree, run: Command) -> None:
    """Declared before it was mounted, with a copy on the volume."""
    write(tree.home, {"projects/": ""})
    run("add", "projects")
    (tree.home / "projects").unlink()
    write(tree.volume, {"projects/x": "older"})
    write(tree.home, HOME)
    mount(tree, "projects")
    told = run("remove", "--json", "projects")
    (one,) = json.loads(told.out)["paths"]
    assert (told.status, one["removed"], one["returned"], bool(one["attic"])) == (0, True, False, True)
    assert read(tree.home) == HOME
    assert tree.attic() == {"projects/x": "older"}
    assert run("status").status == 0
