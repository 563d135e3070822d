"""What a killed run leaves next to a path of the home, where a copy was being made."""

from pathlib import Path
from threading import Thread

import pytest

from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.ledger import Ledger
from coder_ws_runtime.persist.store.names import COPY_SUFFIX, SWAP_SUFFIX
from tests.harness.scenario_parts import home_persist
from tests.harness.tree import Tree, content, read, write


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A kept file whose link was renamed to a name that nothing declares."""
    made = Tree.at(tmp_path)
    made.manifest("f")
    write(made.home, {"f": "mine", "some/x": "other"})
    made.resolve()
    (made.home / "f").rename(made.home / "some/f.bak")
    ledger = Ledger(made.layout.ledger_dir)
    ledger.begin_copy("some/f.bak", "f")
    ledger.close()
    return made


PARTIAL, WHOLE = f"some/.f.bak{COPY_SUFFIX}", f"some/.f.bak{SWAP_SUFFIX}"


def left(tree: Tree) -> dict[str, str]:
    return {path: text for path, text in read(tree.home).items() if path.startswith("some/")}


def test_a_copy_that_was_not_complete(tree: Tree) -> None:
    write(tree.home, {f"{PARTIAL}": "mi"})
    tree.resolve()
    assert left(tree) == {"some/x": "other", "some/f.bak": "mine"}
    assert (content(tree.volume), tree.attic()) == ({"f": "mine"}, {})


def test_a_copy_that_was_not_swapped(tree: Tree) -> None:
    """Nobody can know that it is no save that was swapped out: the attic has it for a while."""
    write(tree.home, {WHOLE: "mine"})
    tree.resolve()
    assert left(tree) == {"some/x": "other", "some/f.bak": "mine"}
    assert tree.attic() == {"f": "mine"}


def test_the_link_that_was_swapped_out(tree: Tree) -> None:
    (tree.home / "some/f.bak").rename(tree.home / WHOLE)
    write(tree.home, {"some/f.bak": "mine"})
    tree.resolve()
    assert left(tree) == {"some/x": "other", "some/f.bak": "mine"}
    assert tree.attic() == {}


def test_a_save_that_was_swapped_out(tree: Tree) -> None:
    """A program saved at the new name in the last moment, and has saved again since."""
    (tree.home / "some/f.bak").unlink()
    write(tree.home, {WHOLE: "a save", "some/f.bak": "a later one"})
    tree.resolve()
    assert left(tree) == {"some/x": "other", "some/f.bak": "a later one"}
    assert tree.attic() == {"f": "a save"}


@pytest.mark.parametrize("renames", [1, 2])
def test_swapped_by_three_renames(tree: Tree, renames: int) -> None:
    """As where rename knows no flags."""
    (tree.home / "some/f.bak").rename(tree.home / f"{WHOLE}.older")
    write(tree.home, {WHOLE if renames == 1 else "some/f.bak": "mine"})
    tree.resolve()
    assert left(tree) == {"some/x": "other", "some/f.bak": "mine"}
    assert tree.attic() == {}


def test_it_is_not_kept_with_its_directory(tree: Tree) -> None:
    write(tree.home, {PARTIAL: "mi"})
    status, told = home_persist(tree, "add", "~/some")
    assert status == 0, told
    assert content(tree.volume) == {"f": "mine", "some/x": "other", "some/f.bak": "mine"}


def test_a_copy_that_is_being_made_stays(tree: Tree) -> None:
    """By the daemon, while somebody resolves, who waits for it."""
    write(tree.home, {PARTIAL: "mi"})
    resolving = Thread(target=tree.resolve)
    with (
        Session(tree.layout, tree.settings) as session,
        session.ledger.lock(f"some/f.bak{COPY_SUFFIX}", wait=True),
    ):
        resolving.start()
        resolving.join(1)
        assert resolving.is_alive()
        assert (tree.home / PARTIAL).read_text() == "mi"
    resolving.join()
    assert left(tree) == {"some/x": "other", "some/f.bak": "mine"}


def test_its_directory_is_gone(tree: Tree) -> None:
    (tree.home / "some/f.bak").unlink()
    (tree.home / "some/x").unlink()
    (tree.home / "some").rmdir()
    tree.resolve()
    ledger = Ledger(tree.layout.ledger_dir)
    assert not ledger.begun_copies()
