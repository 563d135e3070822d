"""A large tree on a slow file system is walked by several threads, with the same results."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coder_ws_runtime.fs import removing, walkers
from coder_ws_runtime.fs.errors import BusyError, ChangedError
from coder_ws_runtime.fs.removing import check_copied, remove_copied
from coder_ws_runtime.fs.walkers import Walkers
from tests.fs.conftest import Two

DIRECTORIES = 12
FILES = 20
MORE_THAN_NONE = -1.0


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Every file system is a slow one; the names of the threads that have walked."""
    monkeypatch.setattr(walkers, "LOOK", 3)
    monkeypatch.setattr(walkers, "SLOW", MORE_THAN_NONE)
    threads: set[str] = set()
    before = set(threading.enumerate())
    count = Walkers.count

    def counted(self: Walkers) -> None:
        threads.add(threading.current_thread().name)
        count(self)

    monkeypatch.setattr(Walkers, "count", counted)
    yield threads
    for thread in set(threading.enumerate()) - before:
        thread.join(10)  # it has done its part, but may not have ended
    assert set(threading.enumerate()) == before, "a thread is left"


def make(tree: Path) -> None:
    """Directories in directories; each file also has a name in the next directory, and a link to it."""
    tree.mkdir()
    before = tree
    for number in range(DIRECTORIES):
        directory = (before if number % 3 else tree) / f"dir{number}"
        (directory / "empty").mkdir(parents=True)
        for file in range(FILES):
            (directory / f"file{file}").write_text(f"{number} {file}")
            if number:
                (directory / f"again{file}").hardlink_to(before / f"file{file}")
        (directory / "link").symlink_to("file0")
        before = directory


def facts(tree: Path) -> dict[str, tuple[object, ...]]:
    """Mode, times, number of names, and content or text of all below a directory."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [tree, *tree.rglob("*")]:
        state = path.lstat()
        text = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
        names = 0 if path.is_dir() else state.st_nlink
        found[str(path.relative_to(tree))] = (state.st_mode, state.st_mtime_ns, names, text)
    return found


@pytest.mark.parametrize("_", range(5))
def test_a_copy_is_the_same_and_all_of_it_is_removed(_: int, two: Two, slow: set[str]) -> None:
    tree = two.source / "tree"
    make(tree)
    before = facts(tree)
    copied = two.copy()
    assert len(slow) > 1
    assert facts(two.target / "tree") == before
    assert set(copied.identities) == {"" if path == "." else path for path in before}
    check_copied(two.source_fd, "tree", copied.identities)
    assert remove_copied(two.source_fd, "tree", copied.identities) == []
    assert not tree.exists()


def test_a_fast_file_system_is_walked_in_order(
    two: Two, slow: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(walkers, "SLOW", 60.0)
    make(two.source / "tree")
    two.copy()
    assert slow == {threading.current_thread().name}


def test_what_changed_since_stays(two: Two, slow: set[str]) -> None:
    tree = two.source / "tree"
    make(tree)
    copied = two.copy()
    changed = [f"dir{number}/file3" for number in range(0, DIRECTORIES, 3)]
    for path in changed:
        (tree / path).unlink()
        (tree / path).write_text("a newer save")
    (tree / "dir6/new").write_text("new")
    with pytest.raises(ChangedError):
        check_copied(two.source_fd, "tree", copied.identities)
    kept = remove_copied(two.source_fd, "tree", copied.identities)
    assert len(slow) > 1
    left = {path for path, fact in facts(tree).items() if fact[3] in ("a newer save", "new")}
    assert left == {*changed, "dir6/new"} <= set(kept)


def test_a_file_that_a_program_writes_ends_all_of_it(two: Two, slow: set[str]) -> None:
    tree = two.source / "tree"
    make(tree)
    with (tree / "dir9/file0").open("a"), pytest.raises(BusyError):
        two.copy()
    at_the_end = facts(two.target)
    time.sleep(0.1)
    assert facts(two.target) == at_the_end
    assert "dir9/file0" not in at_the_end
    assert len(slow) > 1


def test_another_name_of_a_file_that_is_being_removed(
    two: Two, slow: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ctime changes with each name that goes: that is no change by a program."""
    tree = two.source / "tree"
    for name in ("one", "other"):
        (tree / name).mkdir(parents=True)
    for number in range(FILES):
        (tree / f"one/{number}").touch()
        (tree / f"other/{number}").hardlink_to(tree / f"one/{number}")
    copied = two.copy()
    unlink = removing._Removal._unlink  # noqa: SLF001 - the moment before the new ctime is recorded

    def slowly(self: object, fd: int, name: str, path: str) -> None:
        unlink(self, fd, name, path)  # type: ignore[arg-type]
        time.sleep(0.002)

    monkeypatch.setattr(walkers, "LOOK", 1)
    monkeypatch.setattr(removing._Removal, "_unlink", slowly)  # noqa: SLF001
    assert remove_copied(two.source_fd, "tree", copied.identities) == []
    assert len(slow) > 1


def test_a_write_while_another_name_waits_to_be_removed(
    two: Two, slow: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = two.source / "tree"
    make(tree)
    copied = two.copy()
    status = removing._status  # noqa: SLF001 - the moment in which it waits
    written: list[Path] = []

    def late(fd: int, name: str) -> os.stat_result | None:
        found = status(fd, name)
        if name == "again0" and not written:
            path = Path(os.readlink(f"/proc/self/fd/{fd}"), name)
            path.write_text("written")
            written.append(path)
        return found

    monkeypatch.setattr(removing, "_status", late)
    assert remove_copied(two.source_fd, "tree", copied.identities)
    assert written[0].read_text() == "written"
    assert len(slow) > 1


class StopError(Exception):
    """What the handler of a signal raises."""


@pytest.mark.parametrize("after", [0.002, 0.01, 0.03, 0.06])
def test_a_signal_ends_all_of_it(after: float, two: Two, slow: set[str]) -> None:
    def stop(*_: object) -> None:
        raise StopError

    make(two.source / "tree")
    before = signal.signal(signal.SIGALRM, stop)
    whole = False
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        two.copy()
        whole = True
    except StopError:
        pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    at_the_end = facts(two.target)
    time.sleep(0.1)
    assert facts(two.target) == at_the_end
    assert not whole or facts(two.target / "tree") == facts(two.source / "tree")


def test_the_first_failure_is_the_one_that_is_raised(slow: set[str]) -> None:
    walk = Walkers()
    for _ in range(walkers.LOOK):
        walk.count()
    ended: list[int] = []

    def part(number: int) -> Callable[[], None]:
        def run() -> None:
            if number == 1:
                raise ChangedError("first")
            with walk.group():
                while True:  # ends because another part has failed
                    walk.count()
                    time.sleep(0.001)

        def marked() -> None:
            try:
                run()
            finally:
                ended.append(number)

        return marked

    with pytest.raises(ChangedError, match="first"), walk.group() as group:  # noqa: PT012 - all parts are one walk
        for number in range(3):
            group.run("", part(number))
    assert sorted(ended) == [0, 1, 2]


@pytest.fixture
def no_threads(slow: set[str], monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The limit of processes is reached; like `slow`."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    return slow


def test_where_no_thread_can_be_started_one_does_all(two: Two, no_threads: set[str]) -> None:
    make(two.source / "tree")
    two.copy()
    assert facts(two.target / "tree") == facts(two.source / "tree")
    assert no_threads == {threading.current_thread().name}


def test_where_no_thread_can_be_started_a_failure_ends_it(two: Two, no_threads: set[str]) -> None:
    make(two.source / "tree")
    with (two.source / "tree/dir9/file0").open("a"), pytest.raises(BusyError):
        two.copy()
    assert no_threads == {threading.current_thread().name}


def test_an_interruption_counts_more_than_a_failure() -> None:
    walk = Walkers()

    with pytest.raises(KeyboardInterrupt), walk.group():  # noqa: PT012 - both are one walk
        walk.fail(ChangedError("first"))
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        walk.count()


@pytest.mark.parametrize(("path", "another"), [("a/b", True), ("/".join("d" * 9), False)])
def test_only_parts_near_the_root_go_to_other_threads(path: str, another: bool, slow: set[str]) -> None:  # noqa: FBT001 - a row
    """Each thread begins with an empty stack: a tree could be deeper than what removes it can walk."""
    walk = Walkers()
    for _ in range(walkers.LOOK):
        walk.count()
    threads: list[str] = []
    with walk.group() as group:
        group.run(path, lambda: threads.append(threading.current_thread().name))
    assert (threads != [threading.current_thread().name]) == another
    assert slow
