"""Only what was copied is removed; what came or changed since stays."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from coder_ws_runtime.fs.removing import remove_tree
from tests.fs.conftest import Two


def _rewrite_same_length(tree: Path) -> None:
    (tree / "sub/file").write_text("FILE")


def _replace(tree: Path) -> None:
    (tree / "new").write_text("file")
    (tree / "new").rename(tree / "sub/file")


def _same_times(tree: Path) -> None:
    """A save that keeps name, length and time: only the inode tells."""
    before = (tree / "sub/file").stat()
    (tree / "new").write_text("FILE")
    os.utime(tree / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tree / "new").rename(tree / "sub/file")


def _same_inode_and_times(tree: Path) -> None:
    """As ``rsync --inplace -t`` and disk images: only the ctime tells."""
    before = (tree / "sub/file").stat()
    with (tree / "sub/file").open("r+") as file:
        file.write("FILE")
    os.utime(tree / "sub/file", ns=(before.st_atime_ns, before.st_mtime_ns))


def _link_instead(tree: Path) -> None:
    (tree / "sub/file").unlink()
    (tree / "sub/file").symlink_to("elsewhere")


def _directory_instead(tree: Path) -> None:
    (tree / "sub/file").unlink()
    (tree / "sub/file").mkdir()


def _append(tree: Path) -> None:
    with (tree / "sub/file").open("a") as file:
        file.write("more")


CHANGES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "nothing": (lambda _: None, []),
    "written again, same length": (_rewrite_same_length, ["sub/file"]),
    "appended to": (_append, ["sub/file"]),
    "replaced by an atomic save": (_replace, ["sub/file"]),
    "replaced, same length and time": (_same_times, ["sub/file"]),
    "a link in its place": (_link_instead, ["sub/file"]),
    "a directory in its place": (_directory_instead, ["sub/file"]),
    "a new file": (lambda tree: (tree / "sub/other").write_text("x"), ["sub/other"]),
    "a new directory": (lambda tree: (tree / "sub/dir").mkdir(), ["sub/dir"]),
    "removed already": (lambda tree: (tree / "sub/file").unlink(), []),
    "only its mode": (lambda tree: (tree / "sub/file").chmod(0o600), ["sub/file"]),
    "written in place, its time set back": (_same_inode_and_times, ["sub/file"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_changed_since_the_copy_stays(change: str, two: Two) -> None:
    tree = two.source / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub/file").write_text("file")
    (tree / "beside").write_text("beside")
    copied = two.copy()
    do, kept = CHANGES[change]
    do(tree)
    assert two.remove(copied) == kept
    assert tree.exists() is bool(kept)
    assert not (tree / "beside").exists()
    for path in kept:
        assert os.path.lexists(tree / path)


def test_what_a_program_has_open_for_writing_stays(two: Two) -> None:
    (two.source / "tree").mkdir()
    (two.source / "tree/log").write_text("so far")
    copied = two.copy()
    with (two.source / "tree/log").open("a"):
        assert two.remove(copied) == ["log"]
    assert two.remove(copied) == []


def test_a_tree_of_ours_goes_whatever_its_modes_and_links_are_not_followed(two: Two) -> None:
    tree = two.source / "tree"
    (tree / "closed/sub").mkdir(parents=True)
    (tree / "closed/sub/file").write_text("x")
    (two.source / "outside").mkdir()
    (two.source / "outside/kept").write_text("kept")
    (tree / "closed/out").symlink_to(two.source / "outside")
    (tree / "closed/sub").chmod(0)
    (tree / "closed").chmod(0o500)
    remove_tree(two.source_fd, "tree")
    assert not tree.exists()
    assert (two.source / "outside/kept").read_text() == "kept"
