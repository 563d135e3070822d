"""Copy a tree faithfully, from one directory descriptor to another.

Owner, mode, times, extended attributes (including POSIX ACLs), hard links within the tree, holes and symlinks
are preserved, like with ``cp -a``; what the target's file system or our privileges do not allow is left out,
like with ``cp -a``. We do not call cp: it uses path names for nested directories, so a symlink that is
swapped in while it runs leads it out of the tree; and it does not report exactly what it copied, which a safe
removal needs.

Sockets, FIFOs and devices are not copied; the result names them.
"""

import contextlib
import os
import re
import stat
import time
from functools import partial

from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.fs.anchored import open_below, open_directory, open_file, report_deep_nesting
from coder_ws_runtime.fs.content import Progress, copy_content
from coder_ws_runtime.fs.divided import Divided, path_below
from coder_ws_runtime.fs.errors import BusyError, ChangedError
from coder_ws_runtime.fs.links import leaves, text_after_move
from coder_ws_runtime.fs.metadata import set_metadata
from coder_ws_runtime.fs.usage import measure
from coder_ws_runtime.fs.writers import has_writer, ignore_lease_breaks
from coder_ws_runtime.fs.writing import write_link
from coder_ws_runtime.identity import Identity

# Up to this many entries are synced one by one; for more, the whole file system is synced. That also waits
# for the writes of other programs, so it has to be worth it.
SYNC_EACH = 32


@dataclass(slots=True)
class Copied:
    """The result of a copy: paths are relative to the tree's root, whose own path is empty."""

    identities: dict[str, Identity] = field(default_factory=dict)
    """What was copied, with its state when it was read."""
    copies: dict[str, Identity] = field(default_factory=dict)
    """The copies of files and links, and of the root."""
    special: list[str] = field(default_factory=list)
    links: dict[str, str] = field(default_factory=dict)
    """The texts of copied links that lead out of the tree."""


COARSE = 5
"""CLOCK_REALTIME_COARSE of clock_gettime(2): the source of file times before Linux 6.13."""
COARSE_TIMES = tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 13)
_TICK = 10_000_000
"""Nanoseconds; the longest tick of that clock (HZ=100)."""


def wait_for_tick(found: os.stat_result) -> None:
    """Wait until a change of a file is sure to change its time; call this before reading the content.

    Two writes within one tick of the clock leave the same time, so the second one, with the same length,
    would not be noticed.
    """
    times = (found.st_mtime_ns, found.st_ctime_ns)
    while COARSE_TIMES and any(0 <= at - time.clock_gettime_ns(COARSE) < _TICK for at in times):
        time.sleep(0.0005)


@report_deep_nesting()
def copy(  # noqa: PLR0913 - one description of one copy
    source: tuple[int, str],
    target: tuple[int, str],
    *,
    durable: bool = True,
    refuse_writers: bool = True,
    hard_links: bool | None = None,
    progress: Progress | None = None,
    moving: tuple[str, str] = ("", ""),
) -> Copied:
    """Copy a tree: `source` and `target` are each a directory's descriptor and a name in it.

    Args:
        source: what to copy; mounts in it are refused.
        target: the new name.
        durable: whether the copy and everything below it is on disk when this returns (except its name:
            sync its directory). Otherwise the caller syncs, e.g. many copies at once.
        refuse_writers: refuse a file that a program has open for writing.
        hard_links: whether a file has several names in the tree; None: not known. If it has, one process
            copies all: several would each make a copy.
        progress: called with the number of bytes.
        moving: the absolute path of the whole tree that is moving, and the source's path in it, so that
            relative links that leave the whole keep their targets; otherwise links stay as they are.

    Raises:
        MountPointError: something is mounted in the tree.
        BusyError: a program has a file open for writing.
        ChangedError: a file changed while it was read.
        OSError: from the file systems; `filename` is a name within the tree. The caller has to remove
            what was copied so far.
    """
    ignore_lease_breaks()
    few = _entries(*source, SYNC_EACH) <= SYNC_EACH
    each = durable and few
    if hard_links is None:
        hard_links = not few and measure(*source).hard_links
    done = Copied()
    results = (done.identities, done.copies, done.special, done.links)
    walk = Divided(*results, advance=progress or (lambda _: None), divide=not hard_links)
    run = _Copy(target, walk, done, moving, sync_each=each, refuse_writers=refuse_writers)
    run.entry(source[0], target[0], None, source[1], target[1])
    if durable and not each:
        from coder_ws_runtime.fs import kernel  # noqa: PLC0415 - ctypes is slow to import

        kernel.sync_file_system(target[0])
    return done


def _entries(fd: int, name: str, enough: int) -> int:
    """The number of entries in a tree, including its root; counting stops above `enough`."""
    if not stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
        return 1
    opened = open_directory(name, fd)
    try:
        count = 1
        for inner in os.listdir(opened):
            count += _entries(opened, inner, enough - count)
            if count > enough:
                break
        return count
    finally:
        os.close(opened)


class _Copy:
    def __init__(  # noqa: PLR0913 - one description of one copy
        self,
        target: tuple[int, str],
        walk: Divided,
        done: Copied,
        moving: tuple[str, str],
        *,
        sync_each: bool,
        refuse_writers: bool,
    ) -> None:
        self.root_fd, self.root = target
        self.whole, self.within = moving
        self.walk = walk
        self.done = done
        self.sync_each = sync_each
        self.refuse_writers = refuse_writers
        self.links: dict[tuple[int, int], str] = {}
        self.user = os.geteuid()
        self.group = os.getegid()

    def entry(self, source_fd: int, target_fd: int, above: str | None, source: str, target: str = "") -> None:
        """Copy what has a name in one directory to another.

        Args:
            source_fd: the directory.
            target_fd: the other directory.
            above: the first one's path in the tree; None for what contains the whole tree.
            source: the name.
            target: the new name, if it is another.
        """
        path = path_below(above, source)
        target = target or source
        found = os.stat(source, dir_fd=source_fd, follow_symlinks=False)
        match stat.S_IFMT(found.st_mode):
            case stat.S_IFREG:
                self._file(source_fd, source, target_fd, target, path)
            case stat.S_IFDIR:
                self._directory(source_fd, source, target_fd, target, path)
            case stat.S_IFLNK:
                self.done.identities[path] = Identity.of(found)
                self._link(os.readlink(source, dir_fd=source_fd), found, target_fd, target, path)
            case _:
                self.done.special.append(path)

    def _directory(self, source_fd: int, source: str, target_fd: int, target: str, path: str) -> None:
        reading = open_directory(source, source_fd)
        try:
            found = os.fstat(reading)
            self.done.identities[path] = Identity.of(found)
            os.mkdir(target, 0o700, dir_fd=target_fd)
            writing = open_directory(target, target_fd)
            try:
                if not path:
                    self.done.copies[path] = Identity.of(os.fstat(writing))
                self.walk.each(reading, os.listdir(reading), partial(self.entry, reading, writing, path))
                self._metadata(reading, writing, found)
            finally:
                os.close(writing)
        finally:
            os.close(reading)

    def _link(self, text: str, found: os.stat_result, fd: int, name: str, path: str) -> None:
        within = f"{self.within}/{path}".strip("/")
        if self.whole:
            text = text_after_move(text, within, self.whole)
        if leaves(text, within):
            self.done.links[path] = text
        write_link(text, name, fd)
        self._own_link(name, fd, found)
        with contextlib.suppress(OSError):  # a FUSE file system may not support the times of links
            os.utime(name, ns=(found.st_atime_ns, found.st_mtime_ns), dir_fd=fd, follow_symlinks=False)
        self.done.copies[path] = Identity.of(os.stat(name, dir_fd=fd, follow_symlinks=False))

    def _file(self, source_fd: int, source: str, target_fd: int, target: str, path: str) -> None:
        reading = open_file(source, source_fd)
        try:
            found = os.fstat(reading)
            if not stat.S_ISREG(found.st_mode):
                raise ChangedError(path)
            if self.refuse_writers and has_writer(reading):
                raise BusyError(path)
            wait_for_tick(found)
            if found.st_nlink > 1 and self._hard_link(found, target_fd, target, path):
                return
            self._open_file(reading, found, target_fd, target, path)
            if found.st_nlink > 1:
                self.links[found.st_dev, found.st_ino] = path
        finally:
            os.close(reading)

    def _open_file(self, reading: int, found: os.stat_result, target_fd: int, target: str, path: str) -> None:
        identity = self.done.identities[path] = Identity.of(found)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        writing = os.open(target, flags, 0o600, dir_fd=target_fd)
        try:
            copy_content(reading, writing, found, self.walk.advance)
            self._metadata(reading, writing, found)
            self.done.copies[path] = Identity.of(os.fstat(writing))
        finally:
            os.close(writing)
        if Identity.of(os.fstat(reading)) != identity:
            raise ChangedError(path)

    def _hard_link(self, found: os.stat_result, target_fd: int, target: str, path: str) -> bool:
        """Link to the copy of another name of the same file, if there is one."""
        first = self.links.get((found.st_dev, found.st_ino))
        if first is None:
            return False
        self.done.identities[path] = Identity.of(found)
        directory, _, name = f"{self.root}/{first}".rpartition("/")
        with open_below(self.root_fd, directory) as fd:
            os.link(name, target, src_dir_fd=fd, dst_dir_fd=target_fd, follow_symlinks=False)
        self.done.copies[path] = self.done.copies[first]
        return True

    def _metadata(self, reading: int, writing: int, found: os.stat_result) -> None:
        set_metadata(reading, writing, found)
        if self.sync_each:
            os.fsync(writing)

    def _own_link(self, name: str, fd: int, found: os.stat_result) -> None:
        if (found.st_uid, found.st_gid) == (self.user, self.group):
            return
        with contextlib.suppress(PermissionError):
            os.chown(name, found.st_uid, found.st_gid, dir_fd=fd, follow_symlinks=False)
