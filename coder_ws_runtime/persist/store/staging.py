"""Where copies are made before they are published: ``.home-persist/staging/<token>/``.

A lock file next to each directory shows other processes that it is in use. What a dead process left there is
a copy of content that is still at its origin, so it is removed.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

from coder_ws_runtime.fs.anchored import Owner, open_directory
from coder_ws_runtime.persist.store.locks import open_lock
from coder_ws_runtime.persist.store.names import LOCK_SUFFIX

_GONE = (errno.ENOENT, errno.ESTALE)


class Staging:
    """One process's directory for copies that are not published yet.

    Args:
        parent: a descriptor of the directory that contains all of them.
        owner: its owner.
    """

    def __init__(self, parent: int, owner: Owner) -> None:
        self._count = 0
        with ExitStack() as stack:
            self._parent = os.dup(parent)
            stack.callback(os.close, self._parent)
            self.token, self._lock = _lock_new_token(parent)
            stack.callback(os.close, self._lock)
            owner.chown(f"{self.token}{LOCK_SUFFIX}", parent)
            os.mkdir(self.token, 0o700, dir_fd=parent)
            owner.chown(self.token, parent)
            self.fd = open_directory(self.token, parent, mounted=True)
            stack.pop_all()

    def name(self) -> str:
        """A new name in it."""
        self._count += 1
        return str(self._count)

    def is_there(self) -> bool:
        """Whether it still is the directory with its name.

        If a server loses our lock (NFS, after an interruption), other processes may clear it.
        """
        try:
            mine, there = os.fstat(self.fd), os.stat(self.token, dir_fd=self._parent, follow_symlinks=False)
            os.stat(f"{self.token}{LOCK_SUFFIX}", dir_fd=self._parent, follow_symlinks=False)
        except OSError as error:
            if error.errno in _GONE:
                return False
            raise
        return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)

    def discard(self, name: str, progress: Callable[[int], None] | None = None) -> None:
        """Remove one copy, complete or not; `progress` is called for each file."""
        from coder_ws_runtime.fs.removing import remove_tree  # noqa: PLC0415 - most runs copy nothing

        try:
            remove_tree(self.fd, name, progress)
        except OSError as error:
            if error.errno not in _GONE:
                raise

    def close(self) -> None:
        """Remove it with its content."""
        from coder_ws_runtime.fs.removing import remove_tree  # noqa: PLC0415 - as above

        os.close(self.fd)
        # A full or failing disk is reported elsewhere; the next run clears what remains.
        with suppress(OSError):
            remove_tree(self._parent, self.token)
            os.unlink(f"{self.token}{LOCK_SUFFIX}", dir_fd=self._parent)
        os.close(self._lock)
        os.close(self._parent)


def _lock_new_token(parent: int) -> tuple[str, int]:
    """A unique token, and a descriptor of its lock file, whose lock we hold."""
    while True:
        token = os.urandom(8).hex()
        lock = open_lock(parent, f"{token}{LOCK_SUFFIX}")
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Between the two calls, another process may have taken it for a left-over one.
        if os.fstat(lock).st_nlink:
            return token, lock
        os.close(lock)


def clear(fd: int) -> None:
    """Remove what dead processes left in the directory `fd`, which contains all of them."""
    for token in _left_over(fd):
        from coder_ws_runtime.fs.removing import remove_tree  # noqa: PLC0415 - as above

        with suppress(OSError):  # we may not remove it
            remove_tree(fd, token)
            os.unlink(f"{token}{LOCK_SUFFIX}", dir_fd=fd)


def left_over(fd: int) -> int:
    """How many bytes dead processes left in the directory `fd`."""
    from coder_ws_runtime.fs.usage import measure  # noqa: PLC0415 - as above

    total = 0
    for token in _left_over(fd):
        with suppress(OSError):
            total += measure(fd, token).size
    return total


def _left_over(fd: int) -> Iterator[str]:
    """The tokens of dead processes; while the caller handles one, no other process uses it."""
    for lock_name in os.listdir(fd):
        if not lock_name.endswith(LOCK_SUFFIX):
            continue
        try:
            lock = os.open(lock_name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield lock_name.removesuffix(LOCK_SUFFIX)
        except OSError:  # in use
            pass
        finally:
            os.close(lock)
