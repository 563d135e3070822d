"""Remove a tree that was copied, and nothing else.

Before a file goes, it is looked at again: only what is still the very file that was copied (inode,
size, time of its last write), and what no program has open for writing, is removed. What came later,
was written since, or may yet be written, stays.
"""

import errno
import os
import stat
from collections.abc import Callable, Mapping

from coder_ws_runtime.fs.anchored import open_directory, report_deep_nesting, writable
from coder_ws_runtime.fs.writers import has_writer, ignore_lease_breaks
from coder_ws_runtime.identity import Identity


def remove_copied(fd: int, name: str, identities: Mapping[str, Identity]) -> list[str]:
    """Remove a tree as far as it is what `identities` says.

    Args:
        fd: the directory that holds the tree.
        name: its name there.
        identities: what was copied, by path within the tree; the root is the empty path.

    Returns:
        The paths within the tree that stay, because they are new or were written since; directories
        that hold them stay too and are not named. Empty: the whole tree is gone.
    """
    ignore_lease_breaks()
    kept: list[str] = []
    with report_deep_nesting():
        _remove(fd, name, "", identities, kept)
    return kept


def _remove(fd: int, name: str, path: str, identities: Mapping[str, Identity], kept: list[str]) -> None:
    try:
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(found.st_mode):
        if identities.get(path) != Identity.of(found) or (
            stat.S_ISREG(found.st_mode) and _has_writer(name, fd)
        ):
            kept.append(path)
        else:
            os.unlink(name, dir_fd=fd)
        return
    if identities.get(path) != Identity.of(found):
        kept.append(path)
        return
    opened = open_directory(name, fd)
    try:
        with writable((opened, ".")):
            for inner in os.listdir(opened):
                _remove(opened, inner, f"{path}/{inner}" if path else inner, identities, kept)
    finally:
        os.close(opened)
    try:
        os.rmdir(name, dir_fd=fd)
    except OSError as error:
        if error.errno != errno.ENOTEMPTY:
            raise
        if not kept:  # something came between the listing and the removal
            kept.append(path)


def _has_writer(name: str, fd: int) -> bool:
    opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=fd)
    try:
        return has_writer(opened)
    finally:
        os.close(opened)


def remove_tree(fd: int, name: str, progress: Callable[[int], None] | None = None) -> None:
    """Remove a tree, whatever it is. Only for what is ours alone: staging, what the attic drops.

    Args:
        fd: the directory that holds it.
        name: its name there.
        progress: told of each thing that is no directory when it is gone.
    """
    with report_deep_nesting():
        _remove_tree(fd, name, progress)


def _remove_tree(fd: int, name: str, progress: Callable[[int], None] | None) -> None:
    try:
        os.unlink(name, dir_fd=fd)
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        # unlink(2) of a directory says EISDIR on Linux, EPERM by POSIX.
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
