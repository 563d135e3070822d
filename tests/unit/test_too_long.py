"""A path that is too deep is refused by every command, also one that is on the volume already."""

import json

import pytest

from tests.harness.tree import Tree, write
from tests.unit.conftest import Command

DEEP = "/".join(["a"] * 1200)
COMMANDS = [
    ["resolve"],
    ["status"],
    ["add", "~/.b"],
    ["remove", "~/.b"],
    ["validate"],
    ["migrate"],
    ["migrate", "--list"],
    ["attic", "list"],
    ["attic", "prune"],
    ["available"],
    ["gc"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_it_is_declared_on_the_volume_already(tree: Tree, run: Command, words: list[str]) -> None:
    write(tree.layout.state, {"manifests/user.json": json.dumps({"paths": [DEEP, ".ok/"], "except": [DEEP]})})
    told = run(*words)
    assert told.status in (0, 1)
    assert "Traceback" not in told.err + told.out
    run("resolve")
    assert (tree.home / ".ok").is_symlink()


def test_it_is_refused_where_it_is_declared(tree: Tree, run: Command) -> None:
    for path in (DEEP, f"~/{DEEP}/"):
        told = run("add", path, "--json")
        assert (told.status, "path.too-long" in told.out + told.err) == (1, True)
    assert not (tree.layout.state / "manifests/user.json").exists()
    file = tree.manifest(".a/", DEEP, name="deep")
    assert "path.too-long" in run("validate", str(file), "--json").out
    migration = tree.manifest(".a/", name="moves", migrations=[{"id": "m", "rename": [".x", DEEP]}])
    assert "path.too-long" in run("validate", str(migration), "--json").out
