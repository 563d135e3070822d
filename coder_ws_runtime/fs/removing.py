"""Remove a tree that was copied, and nothing else.

Before a file is removed, it is checked again: only the very file that was copied (same inode, size, time of
the last write and of the last change), which no program has open for writing, is removed. What was created or
written since, or may still be written, stays. So does what is mounted in the tree.
"""

import errno
import os
import stat
from collections.abc import Callable, Collection, Mapping
from functools import partial

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.fs.anchored import open_directory, open_file, report_deep_nesting, writable
from coder_ws_runtime.fs.divided import Divided, path_below
from coder_ws_runtime.fs.errors import BusyError, ChangedError, MountPointError
from coder_ws_runtime.fs.writers import Writing, ignore_lease_breaks, writing
from coder_ws_runtime.identity import Identity


def remove_copied(
    fd: int, name: str, identities: Mapping[str, Identity], *, renamed: bool = False
) -> list[str]:
    """Remove the part of a tree that matches `identities`.

    Args:
        fd: the directory that contains the tree.
        name: its name there.
        identities: what was copied, by path within the tree; the root's path is empty.
        renamed: whether we have renamed the root since, which changed its ctime.

    Returns:
        The paths within the tree that remain because they are new, were written since, or are mounted.
        The directories that contain them remain too, and are not listed. Empty: the tree was removed.
    """
    ignore_lease_breaks()
    run = _Removal(_as_renamed(fd, name, identities) if renamed else identities)
    with report_deep_nesting():
        run.remove(fd, None, name)
    return run.kept


def check_copied(  # noqa: PLR0913 - each is one thing to make sure of
    fd: int,
    name: str,
    identities: Mapping[str, Identity],
    *,
    renamed: bool = False,
    removable: bool = False,
    busy: Collection[Writing] = (Writing.YES, Writing.UNKNOWN),
) -> None:
    """Check that a tree is exactly what was copied, and that no program writes to it.

    Args:
        fd: the directory that contains the tree.
        name: its name there.
        identities: what was copied, by path within the tree.
        renamed: as for `remove_copied`.
        removable: also check that we may remove all of it.
        busy: the file that a program writes, if a file is refused for that; empty: do not check.

    Raises:
        ChangedError: it is not what was copied.
        BusyError: a program has a file of it open for writing.
        MountPointError: something is mounted in it.
        PermissionError: we may not remove something in it.
    """
    ignore_lease_breaks()
    run = _Check(_as_renamed(fd, name, identities) if renamed else identities, removable=removable, busy=busy)
    with report_deep_nesting():
        run.entry(fd, None, name)
    if run.seen != identities.keys():
        raise ChangedError(name)


def _as_renamed(fd: int, name: str, identities: Mapping[str, Identity]) -> Mapping[str, Identity]:
    """The identities, with the ctime that our own rename gave the root."""
    root = identities.get("")
    if root is None:
        return identities
    now = Identity.of(os.stat(name, dir_fd=fd, follow_symlinks=False))
    return {**identities, "": replace(root, ctime=now.ctime)}


class _Check:
    def __init__(
        self, identities: Mapping[str, Identity], *, removable: bool, busy: Collection[Writing]
    ) -> None:
        self.identities = identities
        self.removable = removable
        self.busy = busy
        self.seen: set[str] = set()
        self.walk = Divided(self.seen)

    def entry(self, fd: int, above: str | None, name: str) -> None:
        path = path_below(above, name)
        try:
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError as error:
            raise ChangedError(path or name) from error
        if self.identities.get(path) != Identity.of(found):
            raise ChangedError(path or name)
        self.seen.add(path)
        if stat.S_ISREG(found.st_mode):
            if self.busy and _writing(name, fd) in self.busy:
                raise BusyError(path)
        elif stat.S_ISDIR(found.st_mode):
            self._directory(fd, name, path, found.st_uid)

    def _directory(self, fd: int, name: str, path: str, owner: int) -> None:
        opened = open_directory(name, fd)
        try:
            if self.removable and owner != os.geteuid() and not _may_change(opened):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path or name)
            self.walk.each(opened, os.listdir(opened), partial(self.entry, opened, path))
        finally:
            os.close(opened)


def _may_change(fd: int) -> bool:
    return os.access(".", os.W_OK | os.X_OK, dir_fd=fd, effective_ids=True)


class _Removal:
    def __init__(self, identities: Mapping[str, Identity]) -> None:
        self.identities = identities
        self.kept: list[str] = []
        # The ctime of files with several names: it changes when one name is removed.
        self.unlinked: dict[tuple[int, int], int] = {}
        self.walk = Divided(self.kept, divide=not _has_hard_links(identities))

    def remove(self, fd: int, above: str | None, name: str) -> None:
        path = path_below(above, name)
        found = _status(fd, name)
        if found is None:
            return
        if not self._is_copied(found, path):
            self.kept.append(path)
        elif stat.S_ISDIR(found.st_mode):
            self._directory(fd, name, path)
        else:
            self._file(fd, name, found, path)

    def _is_copied(self, found: os.stat_result, path: str) -> bool:
        copied = self.identities.get(path)
        ctime = self.unlinked.get((found.st_dev, found.st_ino))
        if copied is not None and ctime is not None:
            copied = replace(copied, ctime=ctime)
        return copied == Identity.of(found)

    def _file(self, fd: int, name: str, found: os.stat_result, path: str) -> None:
        try:
            if stat.S_ISREG(found.st_mode) and _writing(name, fd) is not Writing.NO:
                self.kept.append(path)
                return
        except MountPointError:
            self.kept.append(path)
            return
        if found.st_nlink == 1:
            self._unlink(fd, name, path)
            return
        opened = open_file(name, fd) if stat.S_ISREG(found.st_mode) else -1
        try:
            self._unlink(fd, name, path)
            if opened >= 0:
                left = os.fstat(opened)
                self.unlinked[left.st_dev, left.st_ino] = left.st_ctime_ns
        finally:
            if opened >= 0:
                os.close(opened)

    def _unlink(self, fd: int, name: str, path: str) -> None:
        try:
            os.unlink(name, dir_fd=fd)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            self.kept.append(path)  # something is mounted on it

    def _directory(self, fd: int, name: str, path: str) -> None:
        try:
            opened = open_directory(name, fd)
        except MountPointError:
            self.kept.append(path)
            return
        try:
            with writable((opened, ".")):
                self.walk.each(opened, os.listdir(opened), partial(self.remove, opened, path))
        finally:
            os.close(opened)
        try:
            os.rmdir(name, dir_fd=fd)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EBUSY):
                raise
            if not self.kept:  # something appeared between the listing and the removal
                self.kept.append(path)


def _has_hard_links(identities: Mapping[str, Identity]) -> bool:
    """Whether some paths are names of the same file: then the removal of one changes the ctime of another."""
    return len({(its.device, its.inode) for its in identities.values()}) < len(identities)


def _status(fd: int, name: str) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _writing(name: str, fd: int) -> Writing:
    opened = open_file(name, fd)
    try:
        return writing(opened)
    finally:
        os.close(opened)


def remove_tree(fd: int, name: str, progress: Callable[[int], None] | None = None) -> None:
    """Remove a tree unconditionally. Only for what is ours: staging, and versions that leave the attic.

    Args:
        fd: the directory that contains it.
        name: its name there.
        progress: called after each removal of something that is not a directory.

    Raises:
        MountPointError: something is mounted in it; that remains, with the directories above it.
        OSError: from the file system.
    """
    with report_deep_nesting():
        _remove_tree(fd, name, progress)


def _remove_tree(fd: int, name: str, progress: Callable[[int], None] | None) -> None:
    try:
        os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        # For a directory, unlink(2) fails with EISDIR on Linux, with EPERM in POSIX.
        opened = open_directory(name, fd)
        try:
            if os.fstat(opened).st_mode & stat.S_IRWXU != stat.S_IRWXU:
                os.fchmod(opened, stat.S_IRWXU)
            for inner in os.listdir(opened):
                _remove_tree(opened, inner, progress)
        finally:
            os.close(opened)
        os.rmdir(name, dir_fd=fd)
    else:
        if progress:
            progress(1)
