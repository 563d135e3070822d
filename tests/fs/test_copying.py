"""A copy is the same as what was copied, in all that a program can tell."""

import os
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from coder_ws_runtime.fs import copying
from coder_ws_runtime.fs.copying import COARSE
from coder_ws_runtime.fs.errors import BusyError, ChangedError
from coder_ws_runtime.fs.removing import remove_tree
from tests.conftest import missing
from tests.fs.conftest import Two

_OLD = 1_000_000_000_123_456_789


def make(tree: Path) -> None:
    """A tree with one of everything that a copy may get wrong."""
    (tree / "sub/empty").mkdir(parents=True)
    (tree / "plain").write_text("plain")
    (tree / "zero").touch()
    (tree / "secret").write_text("secret")
    (tree / "secret").chmod(0o600)
    (tree / "tool").write_text("#!/bin/sh\n")
    (tree / "tool").chmod(0o4755)
    (tree / "hard").hardlink_to(tree / "plain")
    (tree / "sub/hard").hardlink_to(tree / "plain")
    (tree / "link").symlink_to("plain")
    (tree / "dangling").symlink_to("/nowhere/at all")
    (tree / os.fsdecode(b"caf\xe9 \n'$(x)")).write_text("an odd name")
    with (tree / "holes").open("wb") as file:
        file.truncate(8 << 20)
        file.seek(4 << 20)
        file.write(b"middle")
    (tree / "closed").mkdir()
    (tree / "closed/inner").write_text("inner")
    (tree / "closed").chmod(0o500)
    for path in [*tree.rglob("*"), tree]:
        os.utime(path, ns=(_OLD, _OLD), follow_symlinks=False)


def facts(tree: Path, fact: Callable[[Path, os.stat_result], object]) -> dict[str, object]:
    return {
        str(path.relative_to(tree)): fact(path, path.lstat()) for path in [tree, *sorted(tree.rglob("*"))]
    }


def content(path: Path, found: os.stat_result) -> object:
    if stat.S_ISLNK(found.st_mode):
        return path.readlink()
    return path.read_bytes() if stat.S_ISREG(found.st_mode) else ""


FACTS: dict[str, Callable[[Path, os.stat_result], object]] = {
    "content and link texts": content,
    "type and mode": lambda _, found: oct(found.st_mode),
    "owner and group": lambda _, found: (found.st_uid, found.st_gid),
    "times": lambda _, found: found.st_mtime_ns,
    "names of one file": lambda _, found: 0 if stat.S_ISDIR(found.st_mode) else found.st_nlink,
    "holes": lambda path, found: found.st_blocks * 512 < found.st_size if path.name == "holes" else None,
}


@pytest.mark.parametrize("many", [False, True], ids=["synced each", "synced with the file system"])
@pytest.mark.parametrize("what", FACTS)
def test_a_copy_keeps(what: str, two: Two, monkeypatch: pytest.MonkeyPatch, *, many: bool) -> None:
    make(two.source / "tree")
    if many:
        monkeypatch.setattr(copying, "SYNC_EACH", 2)
    two.copy()
    assert facts(two.target / "tree", FACTS[what]) == facts(two.source / "tree", FACTS[what])


def test_a_copy_keeps_another_owner(two: Two) -> None:
    if os.geteuid() != 0:
        missing("root, to make files of another owner")
    make(two.source / "tree")
    for path in (two.source / "tree").rglob("*"):
        os.chown(path, 1234, 5678, follow_symlinks=False)
    (two.source / "tree/tool").chmod(0o4755)  # chown cleared it
    two.copy()
    for what in ("owner and group", "type and mode"):
        assert facts(two.target / "tree", FACTS[what]) == facts(two.source / "tree", FACTS[what])


def test_a_copy_keeps_extended_attributes(two: Two) -> None:
    tree = two.source / "tree"
    tree.mkdir()
    (tree / "file").write_text("x")
    for path in (tree, tree / "file"):
        try:
            os.setxattr(path, "user.note", b"kept\0whole")
        except OSError as error:
            missing(f"extended attributes on {tree}: {error}")
    two.copy()
    if not _takes_user_attributes(two.target):
        missing("extended attributes of users on tmpfs: Linux 6.6")
    for path in (two.target / "tree", two.target / "tree/file"):
        assert os.getxattr(path, "user.note") == b"kept\0whole"


def _takes_user_attributes(directory: Path) -> bool:
    try:
        os.setxattr(directory, "user.try", b"")
    except OSError:
        return False
    return True


@pytest.mark.programs("setfacl")
def test_a_copy_keeps_access_control_lists(two: Two) -> None:
    (two.source / "tree").write_text("x")
    subprocess.run(["setfacl", "-m", "u:1234:r", two.source / "tree"], check=True)
    two.copy()
    listed = [
        subprocess.run(
            ["getfacl", "-cn", "tree"], cwd=side, capture_output=True, text=True, check=True
        ).stdout
        for side in (two.source, two.target)
    ]
    assert "user:1234:r--" in listed[1]
    assert listed[0] == listed[1]


def test_sockets_and_pipes_are_named_and_left(two: Two) -> None:
    tree = two.source / "tree"
    (tree / "sub").mkdir(parents=True)
    os.mkfifo(tree / "sub/pipe")
    (tree / "file").write_text("x")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tree / "s"))
        copied = two.copy()
    assert sorted(copied.special) == ["s", "sub/pipe"]
    assert {path.name for path in (two.target / "tree").rglob("*")} == {"sub", "file"}
    assert sorted(two.remove(copied)) == ["s", "sub/pipe"]
    assert not (tree / "file").exists()


def test_nothing_is_copied_over_what_is_there(two: Two) -> None:
    (two.source / "tree").write_text("new")
    (two.target / "tree").write_text("there")
    with pytest.raises(FileExistsError):
        two.copy()
    assert (two.target / "tree").read_text() == "there"


def test_a_file_that_a_program_writes_is_refused(two: Two) -> None:
    tree = two.source / "tree"
    tree.mkdir()
    with (tree / "log").open("w") as writing:
        writing.write("so far")
        writing.flush()
        with pytest.raises(BusyError, match="log"):
            two.copy()
        remove_tree(two.target_fd, "tree")
        two.copy(refuse_writers=False)
    assert (two.target / "tree/log").read_text() == "so far"


def test_a_file_that_changes_while_it_is_read_is_told(two: Two) -> None:
    file = two.source / "tree"
    file.write_text("before")

    def write(_: int) -> None:
        file.write_text("after, and longer")

    with pytest.raises(ChangedError):
        two.copy(progress=write)


def test_a_file_that_was_written_just_now_is_read_when_its_clock_has_gone_on(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a second write, of the same length, within the same tick cannot pass for the first."""
    monkeypatch.setattr(copying, "COARSE_TIMES", True)  # as on an older kernel
    file = two.source / "tree"
    file.write_text("just now")
    now = time.clock_gettime_ns(COARSE) + 5_000_000
    os.utime(file, ns=(now, now))
    read_at: list[int] = []
    two.copy(progress=lambda _: read_at.append(time.clock_gettime_ns(COARSE)))
    assert read_at[0] > now
