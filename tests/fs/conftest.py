"""A source on the disk and a target on tmpfs: two file systems, as home and volume are."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from coder_ws_runtime.fs.copying import Copied, Progress, copy
from coder_ws_runtime.fs.removing import remove_copied
from tests.conftest import missing


@dataclass(frozen=True)
class Two:
    """Two directories on two file systems, and their descriptors."""

    source: Path
    target: Path
    source_fd: int
    target_fd: int

    def copy(
        self, name: str = "tree", *, refuse_writers: bool = True, progress: Progress | None = None
    ) -> Copied:
        source, target = (self.source_fd, name), (self.target_fd, name)
        return copy(source, target, refuse_writers=refuse_writers, progress=progress)

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
