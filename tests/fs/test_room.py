"""Room on a small volume: the attic gives way, and what cannot fit is not begun."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from coder_ws_runtime.fs.copying import copy
from coder_ws_runtime.fs.usage import Usage, measure
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile import staged_copies
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_batch import batch_name
from coder_ws_runtime.persist.store.room import NoRoomError
from tests.conftest import missing
from tests.fs.conftest import mounted
from tests.harness.tree import Tree, content, read, write

MIB = 1 << 20


@pytest.fixture
def tree(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Tree]:
    if os.geteuid() != 0:
        missing("root, to mount a small tmpfs")
    made = Tree.at(tmp_path)
    with mounted(made.volume, getattr(request, "param", f"size={20 * MIB}")):
        yield made


def free(tree: Tree) -> int:
    found = os.statvfs(tree.volume)
    return found.f_bavail * found.f_frsize


def test_many_saves_of_a_large_file_leave_room(tree: Tree) -> None:
    """60 saves of a fortieth of the volume: the last is kept, and other programs have room all the time."""
    tree.manifest("f")
    write(tree.home, {"f": "first"})
    tree.resolve()
    (entry,) = load_declarations(tree.layout, tree.settings).entries
    least = 20 * MIB
    with Session(tree.layout, tree.settings) as session:
        for number in range(60):
            (tree.home / "f").unlink()
            (tree.home / "f").write_text(f"{number:02}" * (MIB // 4))
            assert settle(session, entry).error is None
            least = min(least, free(tree))
    assert (tree.volume / "f").read_text() == "59" * (MIB // 4)
    assert least > 15 * MIB
    kept = [text[:2] for path, text in read(tree.layout.state / "attic").items()]
    assert kept == ["54", "55", "56", "57", "58"], "about a tenth of the volume, and the version before"


def test_the_attic_gives_way_to_a_save(tree: Tree) -> None:
    """What is older than a day goes, the oldest first; what is from today stays."""
    attic = tree.layout.state / "attic"
    batches = {days: batch_name(time.time() - days * 86400, "dev", "") for days in (0.1, 5, 9)}
    for days, name in ((0.1, "today"), (5, "five"), (9, "nine")):
        write(attic, {f"{batches[days]}/{name}": "x" * MIB})
    write(tree.volume, {"ballast": "b" * (12 * MIB)})
    save = "y" * (5 * MIB + MIB // 2)
    write(tree.home, {"f": save})
    tree.manifest("f")
    assert tree.resolve().errors == []
    assert (tree.volume / "f").read_text() == save
    assert set(tree.attic()) == {"today", "five"}
    write(tree.home, {"g": "y" * (2 * MIB)})
    tree.manifest("f", "g")
    (error,) = tree.resolve().errors
    assert error.code == "path.no-space"
    assert "2.0 MiB do not fit" in error.message
    assert set(tree.attic()) == {"today"}


def test_a_copy_that_cannot_fit_is_not_begun(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is it measured again until there is more room; others' saves go on."""
    write(tree.home, {".big/one": "x" * (30 * MIB), "small": "1"})
    tree.manifest(".big/", "small")
    entries = {entry.path: entry for entry in load_declarations(tree.layout, tree.settings).entries}
    measured: list[int] = []
    copied: list[object] = []

    def count(fd: int, name: str) -> Usage:
        measured.append(fd)
        return measure(fd, name)

    def noted(*args: object, **kwargs: object) -> object:
        copied.append(args)
        return copy(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(staged_copies, "measure", count)
    monkeypatch.setattr(staged_copies, "copy", noted)
    with Session(tree.layout, tree.settings) as session:
        for _ in range(5):
            outcome = settle(session, entries[".big"])
            assert outcome.error is not None
            assert outcome.error.code == "path.no-space"
        assert (len(measured), len(copied)) == (1, 0)
        assert free(tree) > 19 * MIB
        assert settle(session, entries["small"]).error is None
        os.system(f"mount -o remount,size={50 * MIB} {tree.volume}")
        assert settle(session, entries[".big"]).error is None
    assert content(tree.volume) == {".big/one": "x" * (30 * MIB), "small": "1"}


def test_where_the_room_seems_to_be_there(tree: Tree) -> None:
    """A quota does not show in statfs(2): what it refused is not begun again until there is more."""
    import errno

    with Session(tree.layout, tree.settings) as session:
        room = session.attic.room
        usage = Usage(MIB, MIB, 1, hard_links=False, complete=True)
        with pytest.raises(OSError, match="quota"), room.reserved("f", lambda: usage):
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        with pytest.raises(NoRoomError), room.reserved("f", lambda: usage):
            pytest.fail("it was begun again")
        with room.reserved("g", lambda: usage):
            pass
        (tree.volume / "ballast").write_bytes(b"x" * MIB)
        with pytest.raises(NoRoomError), room.reserved("f", lambda: usage):
            pytest.fail("there is less room now")
        os.system(f"mount -o remount,size={50 * MIB} {tree.volume}")
        with room.reserved("f", lambda: usage):
            pass


@pytest.mark.parametrize("tree", ["size=50m,nr_inodes=60"], indirect=True)
def test_a_volume_without_inodes_is_not_called_full(tree: Tree) -> None:
    write(tree.home, {f".many/{number}": "" for number in range(100)} | {"small": "1"})
    tree.manifest(".many/", "small")
    (error,) = tree.resolve().errors
    assert (error.place, error.code) == ("~/.many", "path.no-inodes")
    assert "inodes" in error.message
    assert "full" not in error.message
    assert len(list((tree.home / ".many").iterdir())) == 100
    assert content(tree.volume) == {"small": "1"}


@pytest.mark.parametrize("tree", ["size=50m,nr_inodes=40"], indirect=True)
def test_the_last_inode_is_taken_while_it_copies(tree: Tree) -> None:
    """What other programs take shows only in ENOSPC; which of the two it is, is asked then."""
    tree.manifest("f")
    write(tree.home, {"f": "1"})
    tree.resolve()
    (tree.home / "f").unlink()
    write(tree.home, {"f": "2"})
    try:
        for number in range(1000):
            (tree.volume / f"n{number}").touch()
    except OSError:
        pass
    (error,) = tree.resolve().errors
    assert error.code == "path.no-inodes"
    assert (tree.home / "f").read_text() == "2"
