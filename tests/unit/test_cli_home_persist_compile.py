"""`home-persist compile`: the image's manifests, validated once; and that no other text counts as theirs."""

import json
import os
from pathlib import Path

import pytest

from coder_ws_runtime.persist.manifest.load import load_declarations
from tests.harness.tree import Tree, write
from tests.unit.conftest import Command


def declared(tree: Tree) -> list[str]:
    return [entry.path for entry in load_declarations(tree.layout, tree.settings).entries]


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Validating a manifest fails the test."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was validated again")

    monkeypatch.setattr("coder_ws_runtime.persist.manifest.model.validate", refuse)


def compiled(tree: Tree, run: Command) -> Path:
    told = run("compile")
    assert (told.status, told.err) == (0, "")
    return tree.layout.compiled_manifests


def test_it_is_what_counts(tree: Tree, run: Command, request: pytest.FixtureRequest) -> None:
    tree.manifest(".a/", {"path": ".w/", "scope": "workspace", "mode": "0700", "why": "ä"})
    write(tree.layout.available, {"git.json": json.dumps({"source": "git", "paths": [".gitconfig"]})})
    write(tree.layout.state, {"manifests/user.json": json.dumps({"enable": ["git"]})})
    before = load_declarations(tree.layout, tree.settings)
    assert compiled(tree, run).stat().st_mode & 0o777 == 0o644
    tree.lose_container()
    request.getfixturevalue("no_model")
    assert load_declarations(tree.layout, tree.settings) == before


def test_a_manifest_of_the_same_size_and_time_is_another(tree: Tree, run: Command) -> None:
    """Image builds may set all times to one value (SOURCE_DATE_EPOCH)."""
    file = tree.manifest(".a/")
    compiled(tree, run)
    times = file.stat()
    file.write_text(file.read_text().replace(".a/", ".b/"))
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert declared(tree) == [".b"]


def test_a_manifest_that_came_later_counts(tree: Tree, run: Command) -> None:
    tree.manifest(".a/")
    compiled(tree, run)
    tree.manifest(".b/", name="later")
    assert declared(tree) == [".a", ".b"]


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"by": 3}', '{"by": "another", "files": {}}'])
def test_a_file_that_is_broken_or_of_another_version_is_ignored(tree: Tree, run: Command, text: str) -> None:
    tree.manifest(".a/")
    compiled(tree, run).write_text(text)
    assert declared(tree) == [".a"]


def test_a_bad_manifest_fails_the_build(tree: Tree, run: Command) -> None:
    tree.manifest(".a/")
    write(tree.layout.available, {"bad.json": '{"source": "bad", "pahts": []}'})
    told = run("compile")
    assert told.status == 1
    assert "bad.json:$.pahts" in told.err
    assert not tree.layout.compiled_manifests.exists()


def test_manifests_that_exclude_each_other_fail_the_build(tree: Tree, run: Command) -> None:
    tree.manifest(".a/", name="one")
    tree.manifest(".a", name="two")
    assert run("compile").status == 1


def test_it_cannot_be_written(tree: Tree, run: Command) -> None:
    tree.manifest(".a/")
    write(tree.layout.share, {"home-persist": "a file"})
    told = run("compile")
    assert told.status == 1
    assert str(tree.layout.compiled_manifests) in told.err
