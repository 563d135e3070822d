"""A source on the disk and a target on tmpfs: two file systems, as home and volume are."""

import os
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from coder_ws_runtime.fs.content import Progress
from coder_ws_runtime.fs.copying import Copied, copy
from coder_ws_runtime.fs.removing import remove_copied
from tests.conftest import missing

CODER = 1000
"""A user's number, as in the images."""


@dataclass(frozen=True)
class Two:
    """Two directories on two file systems, and their descriptors."""

    source: Path
    target: Path
    source_fd: int
    target_fd: int

    def copy(
        self,
        name: str = "tree",
        *,
        refuse_writers: bool = True,
        hard_links: bool | None = None,
        progress: Progress | None = None,
    ) -> Copied:
        source, target = (self.source_fd, name), (self.target_fd, name)
        return copy(source, target, refuse_writers=refuse_writers, hard_links=hard_links, progress=progress)

    def remove(self, copied: Copied, name: str = "tree") -> list[str]:
        return remove_copied(self.source_fd, name, copied.identities)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Two]:
    if not os.access("/dev/shm", os.W_OK):
        missing("/dev/shm is not writable: a tmpfs is needed as the second file system")
    with ExitStack() as stack:
        target = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cws-fs-", dir="/dev/shm")))
        assert target.stat().st_dev != tmp_path.stat().st_dev
        opened = [os.open(path, os.O_RDONLY | os.O_DIRECTORY) for path in (tmp_path, target)]
        for fd in opened:
            stack.callback(os.close, fd)
        yield Two(tmp_path, target, *opened)


@contextmanager
def mounted(place: Path, options: str, kind: str = "tmpfs", source: str | Path = "tmpfs") -> Iterator[None]:
    """Mount a file system, as root."""
    subprocess.run(["mount", "-t", kind, "-o", options, source, place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def own(tree: Path) -> None:
    """All of it is coder's, so that nothing but our care keeps us from it."""
    if os.geteuid() == 0:
        for directory, names, files in os.walk(tree):
            for name in (".", *names, *files):
                os.chown(Path(directory) / name, CODER, CODER, follow_symlinks=False)


def as_user(uid: int, work: Callable[[], None]) -> None:
    """Do something in a process of that user; what it raises is raised here."""
    if os.geteuid() != 0:
        missing("root, to be another user")
    child = os.fork()
    if child == 0:
        try:
            if uid:
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            work()
        except BaseException:  # noqa: BLE001 - a child must not come back into pytest
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "see what it printed"
