"""Which format a volume has, and what versions of other formats do with it."""

import json

import pytest

from coder_ws_runtime.errors import NoVolumeError
from coder_ws_runtime.persist.store import format as volume_format
from tests.harness.tree import Tree, content, read, write
from tests.unit.conftest import Command

FILE = "format.json"


def say(tree: Tree, text: str) -> None:
    write(tree.layout.state, {FILE: text})


def test_the_first_run_that_writes_notes_the_format(tree: Tree, run: Command) -> None:
    assert run("status").status == 0
    assert not (tree.layout.state / FILE).exists(), "looking changes nothing"
    tree.resolve()
    document = json.loads((tree.layout.state / FILE).read_text())
    assert (document["format"], document["oldest_reader"]) == (volume_format.NUMBER, 1)
    assert document["writer"]


def test_a_volume_of_the_first_format_is_used_and_noted(tree: Tree) -> None:
    """Releases before the file wrote none."""
    write(tree.volume, {".d/x": "1", ".home-persist/migrations/m.json": "{}"})
    tree.manifest(".d/")
    assert tree.resolve().errors == []
    assert (tree.layout.state / FILE).exists()


@pytest.mark.parametrize(
    "document",
    [
        {"format": 3, "oldest_reader": 2, "writer": "9.0"},
        {"format": 3, "oldest_reader": 1, "writer": "9.0", "features": ["new"]},
        {"format": 2, "oldest_reader": 1},
    ],
    ids=["newer and compatible", "with keys that we do not know", "ours without its writer"],
)
def test_a_compatible_format_is_used_and_left_as_it_is(tree: Tree, document: dict[str, object]) -> None:
    say(tree, json.dumps(document))
    write(tree.home, {".d/x": "1"})
    tree.manifest(".d/")
    assert tree.resolve().errors == []
    assert content(tree.volume) == {".d/x": "1"}
    assert json.loads((tree.layout.state / FILE).read_text()) == document


def test_an_incompatible_format_is_read_and_not_written(tree: Tree, run: Command) -> None:
    tree.manifest(".d/")
    write(tree.volume, {".d/x": "1"})
    tree.resolve()
    say(tree, json.dumps({"format": 9, "oldest_reader": 8, "writer": "9.1.2"}))
    tree.lose_container()
    before = read(tree.volume)
    for words in (("resolve",), ("add", ".new/"), ("gc", "--yes"), ("attic", "prune", "--yes")):
        told = run(*words, "--json")
        assert (told.status, told.codes) == (3, ["volume.format-newer"]), words
        assert "9.1.2" in str(told.errors[0]), "the version that can write it is named"
    assert read(tree.volume) == before
    for words in (("status",), ("attic", "list"), ("gc",)):
        told = run(*words)
        assert (bool(told.out), "Traceback" in told.err) == (True, False), words
    assert "~/.d/" in run("status").out
    with pytest.raises(NoVolumeError) as refused:
        tree.resolve()
    assert refused.value.code == "volume.format-newer"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "2"}', '{"format": 2}', "\0"], ids=repr)
def test_a_file_that_cannot_be_understood_is_not_written_over(tree: Tree, text: str) -> None:
    say(tree, text)
    with pytest.raises(NoVolumeError) as refused:
        tree.resolve()
    assert refused.value.code == "volume.format-unreadable"
    assert refused.value.hint
    assert (tree.layout.state / FILE).read_text() == text


def test_a_planted_link_is_not_followed(tree: Tree) -> None:
    write(tree.home, {"secret": json.dumps({"format": 9, "oldest_reader": 1})})
    write(tree.layout.state, {FILE: f"->{tree.home}/secret"})
    with pytest.raises(NoVolumeError) as refused:
        tree.resolve()
    assert refused.value.code == "volume.format-unreadable"
