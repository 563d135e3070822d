"""The volume, and what home-persist itself keeps on it below ``.home-persist/``.

``staging/<token>/``
    Copies that are not published yet. Whatever a dead process left there is a copy of content that
    still lies where it came from, so it is removed.
``locks/``
    One file per path, locked with flock(2) while something is published there.
``attic/``
    See :mod:`coder_ws_runtime.persist.store.attic`.
``leases/``
    See :mod:`coder_ws_runtime.persist.store.lease`.
``manifests/``
    The user's own declarations, see :mod:`coder_ws_runtime.persist.manifest.user`.
``migrations/``
    One file per migration that is done, see :mod:`coder_ws_runtime.persist.migrations.run`.
"""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from coder_ws_runtime.errors import NoVolumeError
from coder_ws_runtime.fs.anchored import Anchor, Owner, open_directory, sync_directory
from coder_ws_runtime.fs.removing import remove_tree
from coder_ws_runtime.fs.usage import measure

STATE = ".home-persist"
_OPEN_LOCK = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class Volume:
    """An owner's volume.

    Args:
        path: where it is mounted.
        owner: who owns what we create on it.
        writing: whether we are to change anything on it.

    Raises:
        NoVolumeError: it is not there or no directory, or we are to write and it is not writable.
    """

    def __init__(self, path: Path, owner: Owner, *, writing: bool = True) -> None:
        self.path = path
        self.owner = owner
        hint = "mount a volume there, or name another directory in HOME_PERSIST_STATE"
        try:
            self.anchor = Anchor(path)
        except OSError as error:
            why = "is not there" if error.errno == errno.ENOENT else error.strerror
            raise NoVolumeError(
                f"the volume {why}", code="volume.missing", place=str(path), hint=hint
            ) from error
        fault = self.fault() if writing else None
        if fault:
            self.anchor.close()
            raise fault
        self._staging: Staging | None = None

    def fault(self) -> NoVolumeError | None:
        """Why nothing can be written on it; None if something can."""
        if os.access(self.path, os.W_OK | os.X_OK):
            return None
        read_only = os.statvfs(self.path).f_flag & os.ST_RDONLY
        owner = f"{self.owner.uid}:{self.owner.gid}"
        return NoVolumeError(
            "the volume is mounted read-only" if read_only else "the volume is not writable for us",
            code="volume.read-only" if read_only else "volume.not-writable",
            place=str(self.path),
            hint="mount it writable" if read_only else f"as root: chown {owner} {self.path}",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._staging:
            self._staging.close()
        self.anchor.close()

    @contextmanager
    def directory(self, name: str) -> Iterator[int]:
        """A descriptor of a directory of ours, e.g. ``attic``; it is made if need be."""
        path = f"{STATE}/{name}"
        self.anchor.make_directories(path, owner=self.owner)
        with self.anchor.parent(path) as (fd, last):
            opened = open_directory(last, fd, mounted=True)
        try:
            yield opened
        finally:
            os.close(opened)

    @contextmanager
    def lock(self, on_volume: str) -> Iterator[None]:
        """Hold the lock of one path; wait for it if another process has it."""
        import hashlib  # noqa: PLC0415 - OpenSSL is slow to load, and most runs lock nothing

        name = hashlib.sha256(on_volume.encode()).hexdigest()[:32]
        with self.directory("locks") as fd:
            lock = os.open(name, _OPEN_LOCK, 0o600, dir_fd=fd)
            self.owner.chown(name, fd)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def write(self, name: str, content: bytes) -> None:
        """Write a file of ours whole and durably, e.g. ``manifests/user.json``, over the old one.

        Raises:
            OSError: it cannot be written; the old one is as it was.
        """
        directory, _, last = name.rpartition("/")
        staged = self.staging.name()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(staged, flags, 0o644, dir_fd=self.staging.fd), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self.owner.chown(staged, self.staging.fd)
            with self.directory(directory) as fd:
                os.replace(staged, last, src_dir_fd=self.staging.fd, dst_dir_fd=fd)
                sync_directory(fd)
        except BaseException:
            self.staging.discard(staged)
            raise

    @property
    def staging(self) -> "Staging":
        """A place for copies that are not published yet; it lasts as long as this object."""
        if self._staging is None:
            with self.directory("staging") as fd:
                self._staging = Staging(fd, self.owner)
        return self._staging

    def left_in_staging(self) -> int:
        """How many bytes dead processes left unpublished."""
        if not self.anchor.status(f"{STATE}/staging"):
            return 0
        with self.directory("staging") as fd:
            total = 0
            for token in _left_over(fd):
                with suppress(FileNotFoundError):
                    total += measure(fd, token).size
            return total

    def clear_staging(self) -> None:
        """Remove copies that dead processes left unpublished."""
        if self.anchor.status(f"{STATE}/staging"):
            with self.directory("staging") as fd:
                _clear_staging(fd)


class Staging:
    """One process's directory for copies that are not published yet.

    A lock file beside it tells other processes that it is in use.
    """

    def __init__(self, parent: int, owner: Owner) -> None:
        self._parent = os.dup(parent)
        self._count = 0
        while True:
            self.token = os.urandom(8).hex()
            self._lock = os.open(f"{self.token}.lock", _OPEN_LOCK | os.O_EXCL, 0o600, dir_fd=parent)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            # Between the two calls another process may have taken it for one that is left over.
            if os.fstat(self._lock).st_nlink:
                break
            os.close(self._lock)
        owner.chown(f"{self.token}.lock", parent)
        os.mkdir(self.token, 0o700, dir_fd=parent)
        owner.chown(self.token, parent)
        self.fd = open_directory(self.token, parent, mounted=True)

    def name(self) -> str:
        """A new name in it."""
        self._count += 1
        return str(self._count)

    def discard(self, name: str, progress: Callable[[int], None] | None = None) -> None:
        """Remove one copy, whole or not; `progress` is told of each file."""
        with suppress(FileNotFoundError):
            remove_tree(self.fd, name, progress)

    def close(self) -> None:
        """Remove it with all that is still in it."""
        os.close(self.fd)
        # A full or failing disk is reported where it matters; the next run clears what stays.
        with suppress(OSError):
            remove_tree(self._parent, self.token)
            os.unlink(f"{self.token}.lock", dir_fd=self._parent)
        os.close(self._lock)
        os.close(self._parent)


def _clear_staging(fd: int) -> None:
    """Remove what dead processes left in the staging directory `fd`."""
    for token in _left_over(fd):
        with suppress(OSError):  # not ours to remove
            remove_tree(fd, token)
            os.unlink(f"{token}.lock", dir_fd=fd)


def _left_over(fd: int) -> Iterator[str]:
    """The tokens of dead processes; while one is looked at, no other process takes it for its own."""
    for lock_name in os.listdir(fd):
        if not lock_name.endswith(".lock"):
            continue
        try:
            lock = os.open(lock_name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield lock_name.removesuffix(".lock")
        except OSError:  # in use
            pass
        finally:
            os.close(lock)
