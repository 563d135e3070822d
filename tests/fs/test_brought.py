"""Content that could not be linked at first: what the image brought loses, what was saved later wins."""

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from coder_ws_runtime.errors import NoVolumeError
from coder_ws_runtime.fs import kernel
from coder_ws_runtime.persist.reconcile.save import save as save_at_the_end
from coder_ws_runtime.persist.session import Session
from tests.fs.test_situations import bound, save, told
from tests.harness.tree import Tree, write

Obstacle = Callable[[Tree, str], AbstractContextManager[None]]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.at(tmp_path)


@contextmanager
def open_file(tree: Tree, path: str) -> Iterator[None]:
    """A program has it open for writing from the start, and writes nothing."""
    with (tree.home / path).open("a"):
        yield


@contextmanager
def mount_inside(tree: Tree, path: str) -> Iterator[None]:
    directory = (tree.home / path).parent / "mnt"
    directory.mkdir()
    (tree.layout.root / "live").mkdir()
    with bound(tree.layout.root / "live", directory):
        yield
    directory.rmdir()


@contextmanager
def disk_error(_tree: Tree, _path: str) -> Iterator[None]:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "exchange", fail)
        yield


@contextmanager
def unreadable_volume(tree: Tree, path: str) -> Iterator[None]:
    """The volume's side fails before anything is compared or recorded."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coder_ws_runtime.persist.reconcile.compare.compare", fail)
        yield


IN_DIRECTORY = [open_file, mount_inside, disk_error, unreadable_volume]
OF_FILE = [open_file, disk_error, unreadable_volume]


@pytest.mark.parametrize("obstacle", IN_DIRECTORY)
def test_a_directory_that_could_not_be_linked(tree: Tree, obstacle: Obstacle) -> None:
    write(tree.home, {".d/log": "image", ".d/brought": "image", ".d/changed": "image"})
    old = {"log": "volume", "brought": "volume", "changed": "volume", "setting": "volume", "theirs": "volume"}
    write(tree.volume, {f".d/{name}": text for name, text in old.items()})
    tree.manifest(".d/")
    with obstacle(tree, ".d/log"):
        assert told(tree, ".d").error is not None
        time.sleep(0.02)
        for name in ("changed", "setting", "new"):
            save(tree.home / ".d" / name, "saved")
        assert told(tree, ".d").error is not None
    assert told(tree, ".d").error is None
    assert (tree.home / ".d").is_symlink()
    now = {name: (tree.home / ".d" / name).read_text() for name in (*old, "new")}
    saved = {"changed": "saved", "setting": "saved", "new": "saved"}
    assert now == {"log": "volume", "brought": "volume", "theirs": "volume", **saved}
    lost = {".d/log": "image", ".d/brought": "image", ".d/changed": "volume", ".d/setting": "volume"}
    assert lost.items() <= tree.attic().items()


@pytest.mark.parametrize("obstacle", OF_FILE)
@pytest.mark.parametrize("saved", [True, False], ids=["saved later", "as the image has it"])
def test_a_file_that_could_not_be_linked(tree: Tree, obstacle: Obstacle, *, saved: bool) -> None:
    write(tree.volume, {".x": "volume"})
    time.sleep(0.02)
    write(tree.home, {".x": "image"})  # later than the last save on the volume, as in a new image
    tree.manifest(".x")
    with obstacle(tree, ".x"):
        assert told(tree, ".x").error is not None
        time.sleep(0.02)
        if saved:
            save(tree.home / ".x", "saved")
    assert told(tree, ".x").error is None
    assert (tree.home / ".x").is_symlink()
    assert (tree.home / ".x").read_text() == ("saved" if saved else "volume")
    assert tree.attic() == {".x": "volume" if saved else "image"}


def test_a_boot_step_that_gives_the_images_file_away(tree: Tree) -> None:
    """Another owner or mode makes it no save; the image is newer than the last save on the volume."""
    write(tree.volume, {".d/brought": "volume"})
    time.sleep(0.02)
    write(tree.home, {".d/log": "", ".d/brought": "image"})
    tree.manifest(".d/")
    with open_file(tree, ".d/log"):
        assert told(tree, ".d").code == "path.in-use"
        time.sleep(0.02)
        (tree.home / ".d/brought").chmod(0o600)
    told(tree, ".d")
    assert (tree.home / ".d/brought").read_text() == "volume"
    assert tree.attic()[".d/brought"] == "image"


def test_what_was_recorded_was_not_copied(tree: Tree) -> None:
    """A directory that stays in the home for another reason then: what loses goes to the attic, once."""
    write(tree.home, {".d/log": "", ".d/brought": "image"})
    write(tree.volume, {".d/brought": "volume"})
    os.mkfifo(tree.home / ".d/fifo")
    tree.manifest(".d/")
    with open_file(tree, ".d/log"):
        assert told(tree, ".d").code == "path.in-use"
    for _ in range(3):
        assert told(tree, ".d").code == "path.special"
        assert tree.attic() == {".d/brought": "image"}


@pytest.mark.parametrize("saved", [True, False], ids=["saved later", "as the image has it"])
def test_a_directory_of_the_image_where_the_volume_has_a_file(tree: Tree, *, saved: bool) -> None:
    """The image is newer than the last save on the volume."""
    write(tree.volume, {".d/one": "volume"})
    time.sleep(0.02)
    write(tree.home, {".d/log": "", ".d/one/inside": "image"})
    tree.manifest(".d/")
    with open_file(tree, ".d/log"):
        assert told(tree, ".d").code == "path.in-use"
        time.sleep(0.02)
        if saved:
            write(tree.home, {".d/one/new": "saved"})
    told(tree, ".d")
    if saved:
        assert (tree.home / ".d/one/new").read_text() == "saved"
        assert tree.attic()[".d/one"] == "volume"
    else:
        assert (tree.home / ".d/one").read_text() == "volume"
        assert tree.attic()[".d/one/inside"] == "image"


def test_what_another_workspace_saved_later_wins(tree: Tree) -> None:
    write(tree.home, {".d/log": "image"})
    write(tree.volume, {".d/setting": "old"})
    tree.manifest(".d/")
    with open_file(tree, ".d/log"):
        assert told(tree, ".d").code == "path.in-use"
        save(tree.home / ".d/setting", "earlier")
        time.sleep(0.02)
        save(tree.volume / ".d/setting", "later")
    told(tree, ".d")
    assert (tree.home / ".d/setting").read_text() == "later"
    assert tree.attic()[".d/setting"] == "earlier"


def test_what_was_written_to_a_log_that_was_open_from_the_start(tree: Tree) -> None:
    write(tree.home, {".d/log": "image\n"})
    write(tree.volume, {".d/log": "before\n"})
    tree.manifest(".d/")
    with (tree.home / ".d/log").open("a") as log:
        assert told(tree, ".d").code == "path.in-use"
        time.sleep(0.02)
        log.write("now\n")
    told(tree, ".d")
    assert (tree.home / ".d/log").read_text() == "image\nnow\n"
    assert tree.attic()[".d/log"] == "before\n"


def test_a_log_that_is_open_until_the_container_ends(tree: Tree) -> None:
    write(tree.home, {".d/log": "image", ".d/brought": "image"})
    write(tree.volume, {".d/setting": "old", ".d/brought": "volume"})
    tree.manifest(".d/")
    with open_file(tree, ".d/log"):
        assert told(tree, ".d").code == "path.in-use"
        time.sleep(0.02)
        save(tree.home / ".d/setting", "saved")
        entry = told(tree, ".d").entry
        with Session(tree.layout, tree.settings) as session:
            save_at_the_end(session, entry)
    tree.lose_container()
    tree.resolve()
    assert (tree.home / ".d/setting").read_text() == "saved"
    assert (tree.home / ".d/brought").read_text() == "volume"


def test_content_under_a_mount_is_the_images(tree: Tree) -> None:
    """It was hidden, so nothing can have been saved there."""
    write(tree.volume, {".d/brought": "volume"})
    time.sleep(0.02)
    write(tree.home, {".d/brought": "image"})
    (tree.layout.root / "live").mkdir()
    tree.manifest(".d/")
    with bound(tree.layout.root / "live", tree.home / ".d"):
        assert told(tree, ".d").code == "path.mounted"
    assert told(tree, ".d").error is None
    assert (tree.home / ".d/brought").read_text() == "volume"


def test_what_cannot_all_be_seen_counts_as_the_images(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tree.volume, {".d/inner/brought": "volume"})
    time.sleep(0.02)
    write(tree.home, {".d/log": "", ".d/inner/brought": "image"})
    tree.manifest(".d/")
    listdir = os.listdir

    def fail(path: int) -> list[str]:
        found = listdir(path)
        if "brought" in found:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return found

    with open_file(tree, ".d/log"), monkeypatch.context() as patch:
        patch.setattr("coder_ws_runtime.persist.reconcile.brought.os.listdir", fail)
        assert told(tree, ".d").error is not None
    told(tree, ".d")
    assert (tree.home / ".d/inner/brought").read_text() == "volume"


def test_defaults_that_programs_save_while_the_volume_is_missing(tree: Tree) -> None:
    """The owner's content stays what all the owner's workspaces have; what is new is kept."""
    write(tree.volume, {".x": "volume", ".d/setting": "volume"})
    tree.manifest(".x", ".d/")
    away = tree.volume.with_name("away")
    tree.volume.rename(away)
    with pytest.raises(NoVolumeError):
        tree.resolve()
    time.sleep(0.02)
    write(tree.home, {".x": "default", ".d/setting": "default", ".d/new": "new"})
    with pytest.raises(NoVolumeError):
        tree.resolve()
    away.rename(tree.volume)
    tree.resolve()
    kept = [(tree.home / path).read_text() for path in (".x", ".d/setting", ".d/new")]
    assert kept == ["volume", "volume", "new"]
    assert tree.attic() == {".x": "default", ".d/setting": "default"}


def test_a_dry_run_records_nothing(tree: Tree) -> None:
    write(tree.home, {".d/log": ""})
    tree.manifest(".d/")
    with open_file(tree, ".d/log"):
        tree.resolve(dry_run=True)
        made = {one.name for one in tree.layout.ledger_dir.iterdir()}
        assert not made & {"links", "copied", "lock"}
