"""What an image brings to each container, and what loses each time, is in the attic once."""

import os
from pathlib import Path

import pytest

from coder_ws_runtime.persist.reconcile import steps_on_volume
from tests.harness.tree import Tree, content, write

MANY = {f".tool/file{number}": f"the image's {number}" for number in range(40)}
OLD = 1_700_000_000


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree.at(tmp_path)
    made.manifest(".tool/", "file", {"path": ".own/", "scope": "workspace"})
    return made


def start(tree: Tree, image: dict[str, str]) -> None:
    """A new container: all of the image is as old in each of them."""
    tree.lose_container()
    write(tree.home, image)
    for path in [*tree.home.rglob("*")]:
        os.utime(path, (OLD, OLD), follow_symlinks=False)
    report = tree.resolve()
    assert not report.errors
    assert (tree.home / ".tool").is_symlink()


def copies(tree: Tree) -> dict[str, int]:
    """How many versions of each path the attic has."""
    found: dict[str, int] = {}
    for path in tree.layout.state.glob("attic/*/**/*"):
        if not path.is_dir() or path.is_symlink():
            name = str(path.relative_to(tree.layout.state / "attic")).partition("/")[2]
            found[name] = found.get(name, 0) + 1
    return found


IMAGES = [
    pytest.param({".tool/one": "the image's"}, {".tool/one": "saved"}, id="a file"),
    pytest.param(MANY, {path: f"saved {path}" for path in MANY}, id="many files"),
    pytest.param(
        {".tool/x/one": "the image's", ".tool/x/sub/two": "the image's", ".tool/x/link": "->one"},
        {".tool/x": "a file of the user"},
        id="a directory, where the volume has a file",
    ),
    pytest.param({".tool/link": "->one"}, {".tool/link": "->two"}, id="a link"),
    pytest.param({".tool/link": "->one"}, {".tool/link": "saved"}, id="a link, where the volume has a file"),
    pytest.param({"file": "the image's"}, {"file": "saved"}, id="a declared file"),
    pytest.param({".own/x/one": "the image's"}, {".workspaces/w1/.own/x": "saved"}, id="of one workspace"),
]


@pytest.mark.parametrize(("image", "saved"), IMAGES)
def test_what_loses_at_each_start_is_kept_once(
    image: dict[str, str], saved: dict[str, str], tree: Tree
) -> None:
    write(tree.volume, saved)
    for _ in range(4):
        start(tree, image)
        assert copies(tree) == dict.fromkeys(image, 1)
    newer = {
        path: "a newer image's" if not text.startswith("->") else "->three" for path, text in image.items()
    }
    start(tree, newer)
    start(tree, newer)
    assert copies(tree) == dict.fromkeys(image, 2)
    assert content(tree.volume).items() >= saved.items()


def test_what_is_found_can_be_any_number(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is sought in vain is limited."""
    monkeypatch.setattr(steps_on_volume, "_TRIES", 3)
    write(tree.volume, {path: f"saved {path}" for path in MANY})
    for _ in range(3):
        start(tree, MANY)
        assert copies(tree) == dict.fromkeys(MANY, 1)
