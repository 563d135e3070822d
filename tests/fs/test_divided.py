"""A large tree is walked by several processes, with the same results."""

import errno
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pytest

from coder_ws_runtime.fs import divided, division
from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.fs.divided import Divided
from coder_ws_runtime.fs.errors import BusyError, ChangedError, MountPointError
from coder_ws_runtime.fs.removing import check_copied, remove_copied
from coder_ws_runtime.persist.manifest.entry import Entry, Kind, Scope
from coder_ws_runtime.persist.reconcile.compare import compare
from coder_ws_runtime.persist.reconcile.observation import Difference
from devtools.shell import ROOT
from tests.conftest import missing
from tests.fs.conftest import Two, mounted
from tests.harness.tree import Tree

DIRECTORIES = 12
FILES = 120
"""More than ENTRIES altogether."""


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The children that were started; at the end, none of them is left."""
    started: list[int] = []
    fork = os.fork

    def counted() -> int:
        process = fork()
        if process:
            started.append(process)
        return process

    monkeypatch.setattr(os, "fork", counted)
    yield started
    for process in started:
        with pytest.raises(ChildProcessError):
            os.waitpid(process, os.WNOHANG)


def make(tree: Path, directories: int = DIRECTORIES) -> None:
    """Directories in directories, with files and links."""
    tree.mkdir()
    before = tree
    for number in range(directories):
        directory = (before if number % 3 else tree) / f"dir{number}"
        make_files(directory)
        (directory / "empty").mkdir()
        (directory / "link").symlink_to("file0")
        (directory / "leaves").symlink_to("/etc/passwd")
        before = directory


def make_files(directory: Path) -> None:
    directory.mkdir(parents=True)
    for file in range(FILES):
        (directory / f"file{file}").write_text(f"{directory.name} {file}")


def facts(tree: Path) -> dict[str, tuple[object, ...]]:
    """Mode, times, number of names, and content or text of all below a directory."""
    found: dict[str, tuple[object, ...]] = {}
    for path in [tree, *tree.rglob("*")]:
        state = path.lstat()
        text = str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else ""
        names = 0 if path.is_dir() else state.st_nlink
        found[str(path.relative_to(tree))] = (state.st_mode, state.st_mtime_ns, names, text)
    return found


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch, children: list[int]) -> list[int]:
    """A small tree counts as large; like `children`."""
    monkeypatch.setattr(divided, "ENTRIES", 3)
    return children


@pytest.mark.parametrize("entries", [3, divided.ENTRIES])
def test_a_copy_is_the_same_and_all_of_it_is_removed(
    entries: int, two: Two, children: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(divided, "ENTRIES", entries)
    tree = two.source / "tree"
    make(tree)
    before = facts(tree)
    alone = two.copy(hard_links=True)
    shutil.rmtree(two.target / "tree")
    assert not children
    copied = two.copy()
    assert len(children) > 1
    assert facts(two.target / "tree") == before
    assert copied.identities == alone.identities
    assert copied.copies.keys() == alone.copies.keys()
    assert copied.links == alone.links
    started = len(children)
    check_copied(two.source_fd, "tree", copied.identities)
    assert len(children) > started
    assert remove_copied(two.source_fd, "tree", copied.identities) == []
    assert not tree.exists()


def test_a_small_tree_is_copied_by_one_process(two: Two, children: list[int]) -> None:
    make(two.source / "tree", directories=6)
    copied = two.copy()
    assert two.remove(copied) == []
    assert not children


def test_hard_links_are_for_one_process(two: Two, early: list[int]) -> None:
    """Its ctime changes with each name that goes: that is no change by a program."""
    tree = two.source / "tree"
    make(tree)
    for number in range(FILES):
        (tree / f"dir0/dir1/again{number}").hardlink_to(tree / f"dir0/file{number}")
    before = facts(tree)
    copied = two.copy()
    assert facts(two.target / "tree") == before
    assert two.remove(copied) == []
    assert not early


def test_what_changed_since_stays(two: Two, early: list[int]) -> None:
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
    started = len(early)
    kept = remove_copied(two.source_fd, "tree", copied.identities)
    assert len(early) > started
    left = {path for path, fact in facts(tree).items() if fact[3] in ("a newer save", "new")}
    assert left == {*changed, "dir6/new"} <= set(kept)


def test_a_file_that_a_program_writes_ends_all_of_it(two: Two, early: list[int]) -> None:
    make(two.source / "tree")
    with (two.source / "tree/dir9/file7").open("a"), pytest.raises(BusyError, match="dir9/file7"):
        two.copy()
    at_the_end = facts(two.target)
    time.sleep(0.1)
    assert facts(two.target) == at_the_end
    assert "dir9/file7" not in at_the_end
    assert early


def test_a_mount_is_named_by_whoever_finds_it(two: Two, early: list[int]) -> None:
    if os.geteuid() != 0:
        missing("root, to mount")
    make(two.source / "tree")
    with (
        mounted(two.source / "tree/dir6/dir7/empty", "size=1m"),
        pytest.raises(MountPointError) as raised,
    ):
        two.copy()
    assert raised.value.filename == "empty"
    assert early


def test_all_bytes_are_told(two: Two, early: list[int]) -> None:
    make(two.source / "tree")
    counts: list[int] = []
    two.copy(progress=counts.append)
    files = [path for path in (two.source / "tree").rglob("file*") if not path.is_symlink()]
    assert sum(counts) == sum(path.stat().st_size for path in files)
    assert early


def test_a_comparison_is_the_same(tmp_path: Path, early: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "home")
    make(tmp_path / "volume")
    for number in range(0, DIRECTORIES, 2):
        (next((tmp_path / "home").rglob(f"dir{number}")) / "file5").write_text("differs")
        shutil.rmtree(next((tmp_path / "volume").rglob(f"dir{number}")) / "empty")
    os.mkfifo(tmp_path / "home/dir9/fifo")
    shutil.rmtree(tmp_path / "volume/dir9/dir10")
    (tmp_path / "volume/dir9/dir10").write_text("a file")
    entry = Entry("volume", Kind.DIRECTORY, Scope.OWNER, "", "", "volume")
    with Anchor(tmp_path) as both:
        found = compare((both.fd, "home"), both, entry, root=str(tmp_path / "home"))
        assert early
        monkeypatch.setattr(divided, "ENTRIES", 1 << 30)
        alone = compare((both.fd, "home"), both, entry, root=str(tmp_path / "home"))
    assert found == alone
    assert {pair.difference for pair in found} == {*Difference} - {
        Difference.METADATA,
        Difference.PERHAPS_WRITTEN,
    }


NAMES = [str(number) for number in range(400)]


@pytest.fixture
def walk(early: list[int]) -> Divided:
    """A walk that is about to be divided."""
    found = Divided([])
    found.each(-1, NAMES[: divided.ENTRIES], lambda _: None)
    assert not early
    return found


class OddError(Exception):
    """An error that a pipe cannot take."""

    def __init__(self, where: str, what: object) -> None:
        super().__init__(where)
        self.what = what


@pytest.mark.parametrize(
    ("error", "message"),
    [(ChangedError("here"), "here"), (RecursionError("deep"), "deep"), (OddError("odd", 1), "odd")],
)
def test_what_a_child_raises_is_raised(error: Exception, message: str, walk: Divided) -> None:
    def work(name: str) -> None:
        if os.getpid() != parent:
            raise error
        done.append(name)
        time.sleep(0.001)

    done: list[str] = []
    names = NAMES * 10
    parent = os.getpid()
    kind = OSError if isinstance(error, OddError) else type(error)
    with pytest.raises(kind, match=message):
        walk.each(-1, names, work)
    assert len(done) < len(names) - 100, "the parent did all the rest"


@pytest.mark.parametrize("sends", [False, True])
def test_a_child_that_is_killed_is_a_failure(
    sends: bool,  # noqa: FBT001 - a row
    walk: Divided,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def half(answer: object, sending: BinaryIO, protocol: int) -> None:
        sending.write(pickle.dumps(answer, protocol)[:-1])

    def work(_: str) -> None:
        if os.getpid() != parent and not sends:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.001)

    if sends:
        monkeypatch.setattr(pickle, "dump", half)
    parent = os.getpid()
    with pytest.raises(ChildProcessError, match="was killed"):
        walk.each(-1, NAMES, work)


def test_each_name_is_worked_on_once_and_a_child_starts_no_other(early: list[int]) -> None:
    found: list[tuple[str, int]] = []
    walk = Divided(found)
    parent = os.getpid()

    def inner(name: str) -> None:
        found.append((name, os.getppid() if os.getpid() != parent else parent))

    def work(name: str) -> None:
        walk.each(-1, [f"{name}/{number}" for number in range(3)], inner)

    names = [str(number) for number in range(5000)]
    walk.each(-1, names, work)
    assert sorted(name for name, _ in found) == sorted(
        f"{one}/{number}" for one in names for number in range(3)
    )
    assert {process for _, process in found} == {parent}
    assert early


def test_all_numbers_of_turns_fit_into_the_smallest_pipe() -> None:
    """More would wait for a reader that does not exist yet."""
    assert division._TURNS * division._NUMBER <= 4096  # noqa: SLF001 - a page


def test_when_the_parent_fails_the_children_end(walk: Divided, tmp_path: Path) -> None:
    def work(name: str) -> None:
        if os.getpid() == parent:
            _wait_until(lambda: any(tmp_path.iterdir()))
            raise ChangedError("here")
        (tmp_path / name).touch()
        time.sleep(0.01)

    parent = os.getpid()
    with pytest.raises(ChangedError, match="here"):
        walk.each(-1, NAMES, work)
    assert len(list(tmp_path.iterdir())) < len(NAMES) - 1, "they did all the rest"


def test_with_sigchld_ignored(two: Two, early: list[int]) -> None:
    """As some parents leave it to the programs that they start: then the kernel forgets children itself."""
    former = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        make(two.source / "tree")
        assert two.remove(two.copy()) == []
    finally:
        signal.signal(signal.SIGCHLD, former)
    assert early


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_without_descriptors_one_does_all(
    calls: int, two: Two, early: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe2, left = os.pipe2, [calls]

    def refuse(flags: int) -> tuple[int, int]:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return pipe2(flags)

    monkeypatch.setattr(os, "pipe2", refuse)
    make(two.source / "tree")
    copied = two.copy()
    assert facts(two.target / "tree") == facts(two.source / "tree")
    assert two.remove(copied) == []
    assert len(early) == max(0, calls - 1)


def test_a_deep_tree(two: Two, early: list[int]) -> None:
    deep = two.source / "tree" / "/".join("d" * 220)
    make_files(deep / "one")
    make_files(deep / "other")
    copied = two.copy()
    check_copied(two.source_fd, "tree", copied.identities)
    assert two.remove(copied) == []
    assert early


@pytest.mark.parametrize("there", [[], ["a", "b"]])
def test_hard_links_are_kept(there: list[str], tmp_path: Path, early: list[int]) -> None:
    tree = Tree.at(tmp_path)
    tree.manifest(".many/")
    for name in ("a/linked", "b/other", "c/more"):
        make_files(tree.home / ".many" / name)
    for number in range(FILES):
        (tree.home / f".many/a/linked/again{number}").hardlink_to(tree.home / f".many/a/linked/file{number}")
    for name in there:
        (tree.volume / ".many" / name).mkdir(parents=True)
    tree.resolve()
    linked = tree.volume / ".many/a/linked"
    assert all(path.stat().st_nlink == 2 for path in linked.iterdir())
    assert len(list(linked.iterdir())) == 2 * FILES
    assert early  # of the comparison


def test_what_is_missing_has_its_own_size(tmp_path: Path, early: list[int]) -> None:
    for number, name in enumerate(("one", "two", "three"), 1):
        (tmp_path / "home" / name).mkdir(parents=True)
        for file in range(300):
            (tmp_path / f"home/{name}/{file}").write_bytes(b"x" * number)
    (tmp_path / "volume").mkdir()
    entry = Entry("volume", Kind.DIRECTORY, Scope.OWNER, "", "", "volume")
    with Anchor(tmp_path) as both:
        found = compare((both.fd, "home"), both, entry)
    sizes = {pair.path: pair.size for pair in found if pair.difference is Difference.MISSING}
    assert sizes == {"one": 300, "two": 600, "three": 900}
    assert early


def test_where_no_process_can_be_started_one_does_all(
    two: Two, early: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "fork", refuse)
    make(two.source / "tree")
    copied = two.copy()
    assert facts(two.target / "tree") == facts(two.source / "tree")
    assert two.remove(copied) == []
    assert not early


@contextmanager
def interrupted(number: signal.Signals, after: float) -> Iterator[None]:
    """Send a signal to this process so many seconds after the block has begun; in there, it is Ctrl-C."""
    inside = False

    def stop(*_: object) -> None:
        if inside:
            raise KeyboardInterrupt

    script = f"read _; sleep {after}; kill -{number.name[3:]} {os.getpid()}"
    former = signal.signal(number, stop)
    sender = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE)
    assert sender.stdin is not None
    try:
        inside = True
        sender.stdin.close()
        yield
        sender.wait()
    finally:
        inside = False
        sender.wait()
        signal.signal(number, former)


# Python may be in a destructor when the signal comes, which reports it and goes on.
IN_A_DESTRUCTOR = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@IN_A_DESTRUCTOR
@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [0, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1])
def test_a_signal_ends_all_of_it(number: signal.Signals, after: float, two: Two) -> None:
    make(two.source / "tree")
    whole = False
    with suppress(KeyboardInterrupt), interrupted(number, after):
        two.copy()
        whole = True
    at_the_end = facts(two.target)
    time.sleep(0.1)
    assert facts(two.target) == at_the_end
    assert not whole or facts(two.target / "tree") == facts(two.source / "tree")


@IN_A_DESTRUCTOR
@pytest.mark.parametrize("after", [0.01, 0.02, 0.03, 0.04, 0.05])
def test_directories_have_their_modes_back_when_it_ends(after: float, two: Two, early: list[int]) -> None:
    """A directory that is not writable, as in a Go module cache, is writable while it is emptied."""
    tree = two.source / "tree"
    for number in range(DIRECTORIES * 4):
        make_files(tree / f"dir{number}")
        (tree / f"dir{number}").chmod(0o555)
    copied = two.copy()
    with suppress(KeyboardInterrupt), interrupted(signal.SIGINT, after):
        two.remove(copied)
    assert early
    left = [path for path in tree.glob("dir*") if path.stat().st_mode & 0o777 != 0o555]
    assert not left


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_no_child_outlives_its_parent(number: signal.Signals, tmp_path: Path) -> None:
    """Killed alone; or interrupted with all of its group, as by Ctrl-C."""
    program = (
        "import os, sys, time\n"
        "from coder_ws_runtime.fs import divided\n"
        "divided.ENTRIES = 0\n"
        "def work(name):\n"
        f"    open(f'{tmp_path}/{{os.getpid()}}', 'w').close()\n"
        "    time.sleep(60)\n"
        "divided.Divided([]).each(-1, [str(number) for number in range(400)], work)\n"
    )
    argv = [sys.executable, "-c", program]
    process = subprocess.Popen(argv, cwd=ROOT, start_new_session=True, stderr=subprocess.DEVNULL)
    _wait_until(lambda: len(list(tmp_path.iterdir())) == divided.PROCESSES)
    all_of_them = [int(path.name) for path in tmp_path.iterdir()]
    if number == signal.SIGKILL:
        process.kill()
    else:
        os.killpg(process.pid, number)
    process.wait(10)
    _wait_until(lambda: not any(_runs(one) for one in all_of_them))


def _runs(process: int) -> bool:
    try:
        text = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] not in ("Z", "X")


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
