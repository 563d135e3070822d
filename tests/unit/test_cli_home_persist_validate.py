"""`home-persist validate`: every fault that a manifest may have, as a row."""

import json
from pathlib import Path

import pytest

from coder_ws_runtime.persist.manifest.entry import Entry, Kind, Scope
from coder_ws_runtime.persist.manifest.traps import trap
from tests.harness.tree import Tree, write
from tests.unit.conftest import Command

FAULTS = {
    "a typo in a key": (
        '{"source": "x", "pahts": []}',
        ":$.pahts",
        "manifest.unknown-key",
        "did you mean 'paths'?",
    ),
    "a typo in a path's key": (
        '{"source": "x", "paths": [{"pth": ".x/"}]}',
        ":$.paths[0].pth",
        "manifest.unknown-key",
        "did you mean 'path'?",
    ),
    "a typo in a migration's key": (
        '{"source": "x", "migrations": [{"id": "a", "renme": [".a", ".b"]}]}',
        ":$.migrations[0].renme",
        "manifest.unknown-key",
        "did you mean 'rename'?",
    ),
    "a scope that is none": (
        '{"source": "x", "scope": "ownr"}',
        ":$.scope",
        "manifest.invalid",
        "did you mean 'owner'?",
    ),
    "no source": (
        '{"paths": []}',
        ":$.source",
        "manifest.missing-key",
        "for example 'claude-code'",
    ),
    "a mode that is none": (
        '{"source": "x", "paths": [{"path": ".x/", "mode": "rwx"}]}',
        ":$.paths[0].mode",
        "manifest.invalid",
        "for example '0700'",
    ),
    "not JSON": (
        '{\n"source": "x",\n}',
        ":3",
        "manifest.not-json",
        "remove the comma before it",
    ),
    "a comment": (
        "// mine\n{}",
        ":1",
        "manifest.not-json",
        "JSON has no comments, no single quotes, and true, false and null in lower case",
    ),
    "a rename to nowhere": (
        '{"source": "x", "migrations": [{"id": "a", "rename": [".a"]}]}',
        ":$.migrations[0].rename[1]",
        "manifest.missing-key",
        "",
    ),
    "nothing": (
        "\n",
        "",
        "manifest.not-json",
        "",
    ),
    "not an object": (
        "[]",
        ":$",
        "manifest.invalid",
        "",
    ),
    "a path that is a number": (
        '{"source": "x", "paths": [5]}',
        ":$.paths[0]",
        "manifest.invalid",
        "",
    ),
    "paths that are none": (
        '{"source": "x", "paths": ".x/"}',
        ":$.paths",
        "manifest.invalid",
        "What is kept on the volume",
    ),
    "a source that is null": (
        '{"source": null}',
        ":$.source",
        "manifest.invalid",
        "for example 'claude-code'",
    ),
    "a path elsewhere": (
        '{"source": "x", "paths": ["/etc/x"]}',
        ":$.paths[0]",
        "path.refused",
        "name a path in the home, relative to it",
    ),
    "a path upwards": (
        '{"source": "x", "paths": ["a/../../b"]}',
        ":$.paths[0]",
        "path.refused",
        "write the path without it",
    ),
    "an exception elsewhere": (
        '{"source": "x", "except": ["/etc/x"]}',
        ":$.except[0]",
        "path.refused",
        "name a path in the home, relative to it",
    ),
    "a migration elsewhere": (
        '{"source": "x", "migrations": [{"id": "a", "remove": "~"}]}',
        ":$.migrations[0]",
        "path.refused",
        "declare paths in it",
    ),
    "a directory and a file": (
        '{"source": "x", "paths": [".x/", ".x"]}',
        ":$.paths[1]",
        "manifest.conflict",
        "declare it once, or with the same scope and kind",
    ),
    "a file of each workspace's own below a shared directory": (
        '{"source": "x", "paths": [".x/", {"path": ".x/y", "scope": "workspace"}]}',
        ":$.paths[1]",
        "manifest.conflict",
        "only a directory can be each workspace's own there: '.x/y/', or one above it",
    ),
}


@pytest.mark.parametrize(("document", "place", "code", "remedy"), FAULTS.values(), ids=FAULTS.keys())
def test_fault(tmp_path: Path, run: Command, document: str, place: str, code: str, remedy: str) -> None:
    file = tmp_path / "m.json"
    file.write_text(document)
    told = run("validate", "--json", str(file))
    (error,) = told.errors
    assert (told.status, error["code"], error["place"]) == (1, code, f"{file}{place}")
    assert (error["remedy"] or "") == remedy
    told = run("validate", str(file))
    hint = f"hint: {remedy}\n" if remedy else ""
    assert (told.status, told.err) == (1, f"error: {file}{place}: {error['message']}\n{hint}")
    assert told.out == "1 source, 1 refused\n"


def test_all_faults_of_a_file_are_named(tmp_path: Path, run: Command) -> None:
    file = tmp_path / "m.json"
    file.write_text('{"source": "x", "scop": "owner", "paths": [{"path": ".x/", "mod": "0700"}, 3]}')
    told = run("validate", str(file))
    assert [
        line.split(": ")[1].removeprefix(str(file)) for line in told.err.splitlines() if "error" in line
    ] == [
        ":$.paths[0].mod",
        ":$.paths[1]",
        ":$.scop",
    ]


def test_another_encoding(tmp_path: Path, run: Command) -> None:
    file = tmp_path / "m.json"
    file.write_bytes('{"source": "x"}'.encode("utf-16"))
    (error,) = run("validate", "--json", str(file)).errors
    assert (error["code"], error["place"]) == ("manifest.unreadable", str(file))
    assert error["remedy"] == "save it as UTF-8"


def test_paths_are_looked_at_beside_other_faults(tmp_path: Path, run: Command) -> None:
    file = tmp_path / "m.json"
    file.write_text(
        '{"source": "x", "scop": "owner", "paths": ["/etc/x", 3, {"path": "a/../b", "mod": "1"}]}'
    )
    document = json.loads(run("validate", "--json", str(file)).out)
    assert {
        (fault["place"].removeprefix(str(file)), fault["code"]) for fault in document["sources"][0]["errors"]
    } == {
        (":$.scop", "manifest.unknown-key"),
        (":$.paths[0]", "path.refused"),
        (":$.paths[1]", "manifest.invalid"),
        (":$.paths[2].mod", "manifest.unknown-key"),
        (":$.paths[2]", "path.refused"),
    }


TRAPS = {
    ".docker/config.json": "'.docker/'",
    ".ssh/known_hosts": "'.ssh/'",
    ".kube/config": "'.kube/'",
    ".config/fish/fish_variables": "'.config/fish/'",
    ".config/mimeapps.list": "the daemon",
    ".npmrc": "NPM_CONFIG_USERCONFIG",
    ".zsh_history": "HISTFILE",
    ".config/Code/User/settings.json": "'.config/Code/User/'",
    ".cache/JetBrains/": "leave it out",
    ".cache/": "one by one",
}


@pytest.mark.parametrize(("path", "better"), TRAPS.items(), ids=TRAPS.keys())
def test_trap(tree: Tree, run: Command, path: str, better: str) -> None:
    file = tree.manifest(path)
    told = run("validate", str(file))
    assert told.status == 0, "a warning is no fault"
    assert told.err.startswith(f"warning: {file}:$.paths[0]: path '{path.rstrip('/')}': ")
    assert better in told.err


@pytest.mark.parametrize("path", [".docker/", ".ssh/", ".claude.json", ".cache/pip/", ".gitconfig"])
def test_no_trap(path: str) -> None:
    kind = Kind.DIRECTORY if path.endswith("/") else Kind.FILE
    assert trap(Entry(path.rstrip("/"), kind, Scope.OWNER, "x", "x", path)) is None


def test_a_whole_workspace(tree: Tree, run: Command) -> None:
    good = tree.manifest(".good/", {"path": ".own/", "scope": "workspace"}, name="good")
    bad = tree.layout.manifest_dir / "bad.json"
    bad.write_text("{")
    clash = tree.manifest({"path": ".good/x", "scope": "workspace"}, name="later")
    tree.layout.settings_file.parent.mkdir(parents=True)
    tree.layout.settings_file.write_text(json.dumps({"home_persist_paths": [".notes/", "../x"]}))
    told = run("validate")
    assert told.status == 1
    errors = [line for line in told.err.splitlines() if line.startswith("error: ")]
    assert [error.split(":")[1].strip() for error in errors] == [
        str(bad),
        str(clash),
        str(tree.layout.settings_file),
    ]
    assert told.out == f"{good}: valid, 2 paths\n4 sources, 3 refused\n"


def test_what_is_enabled_counts(tree: Tree, run: Command) -> None:
    for name, path in (("npm", ".npmrc"), ("git", ".gitconfig")):
        document = {"source": name, "paths": [path]}
        write(tree.layout.available, {f"{name}.json": json.dumps(document)})
    file = tree.layout.state / "manifests/user.json"
    write(file.parent, {file.name: '{"source": "user", "enable": ["npm", "gti", "rustup"]}'})
    told = run("validate")
    assert told.out == (
        f"{file}: valid, 0 paths\n{tree.layout.available}/npm.json: valid, 1 path\n2 sources, all valid\n"
    )
    assert [line.rpartition("]: ")[0] for line in told.err.splitlines()] == [
        f"warning: {file}:$.enable[1",
        f"warning: {file}:$.enable[2",
        f"warning: {tree.layout.available}/npm.json:$.paths[0",
    ]
    sources = json.loads(run("validate", "--json").out)["sources"]
    warnings = [warning for source in sources for warning in source["warnings"]]
    assert [warning["code"] for warning in warnings] == [
        "trap.not-available",
        "trap.not-available",
        "trap.replaced",
    ]
    assert warnings[0]["remedy"] == "did you mean 'git'?"


def test_json(tree: Tree, run: Command) -> None:
    file = tree.manifest(".npmrc", "/etc/x")
    told = run("validate", "--json", str(file))
    (source,) = json.loads(told.out)["sources"]
    assert (told.status, source["valid"], source["place"]) == (1, False, str(file))
    (error,) = source["errors"]
    assert (error["code"], error["place"]) == ("path.refused", f"{file}:$.paths[1]")
    assert "'/etc/x'" in error["message"]
    assert error["remedy"] == "name a path in the home, relative to it"
    assert source["warnings"][0]["code"] == "trap.replaced"


def test_the_schema_next_to_manifests_is_none(run: Command) -> None:
    """A shell writes it too for the ``manifests/*.json`` of the help."""
    told = run("validate", *map(str, sorted((Path(__file__).parents[2] / "manifests").glob("*.json"))))
    assert (told.status, told.err) == (0, "")
    assert "schema.json" not in told.out


def test_a_file_that_is_not_there(run: Command) -> None:
    told = run("validate", "no-such.json")
    assert told.status == 2
    assert "'no-such.json'" in told.err


@pytest.mark.parametrize("file", sorted((Path(__file__).parents[2] / "manifests").rglob("*.json")), ids=str)
def test_our_own(run: Command, file: Path) -> None:
    if file.name == "schema.json":
        return
    told = run("validate", str(file))
    # Which of their paths get a warning, and why: test_manifests_shipped.py.
    assert told.status == 0, told.err
