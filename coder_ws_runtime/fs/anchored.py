"""Access what is below a directory, and never anything else.

Programs that we do not know can write to home and volume, and some of our steps run as root. So every path
below them is walked component by component from a directory descriptor, and a symlink on the way is an
error (openat(2) with O_NOFOLLOW).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path

from coder_ws_runtime.fs.errors import BlockedPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


# O_PATH: walking through a directory needs search permission, not read permission.
_WALK = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: if a FIFO has replaced the file, opening it must not block.
_READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Anchor:
    """A directory, and access to what is below it only. Paths are relative and normalised.

    Args:
        path: the directory. Links in *this* path are followed, because it comes from the caller.

    Raises:
        OSError: it does not exist, or is not a directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def parent(self, relative: str) -> _Parent:
        """A descriptor of the directory that contains `relative`, and the last component, in a `with`.

        Raises:
            FileNotFoundError: the directory does not exist.
            BlockedPathError: a component is not a directory.
        """
        return _Parent(self.fd, relative)

    def has_directory(self, directory: str) -> bool:
        """Whether a directory exists; BlockedPathError if something else is in its path."""
        try:
            with open_below(self.fd, directory):
                return True
        except FileNotFoundError:
            return False

    def make_directories(
        self,
        directory: str,
        *,
        owner: Owner,
        like: Anchor | None = None,
        base: str = "",
        durable: bool = True,
    ) -> None:
        """Create what is missing of the path of a directory.

        Args:
            directory: relative path; the empty path is the anchor itself.
            owner: the owner of directories that have no model in `like`.
            like: a new directory gets owner and mode from the directory with the same path there, if it
                exists; otherwise its mode is 0755.
            base: the path here that corresponds to the root of `like`.
            durable: make the new names durable; a home is not: it dies with its container.
        """
        missing: list[str] = []
        while not self.has_directory(directory):
            missing.append(directory)
            directory = directory.rpartition("/")[0]
        for new in reversed(missing):
            mode, its_owner = _as_pattern(new, owner, like, base)
            with self.parent(new) as (fd, name), suppress(FileExistsError):
                make_directory(fd, name, mode, its_owner)
                if durable:
                    sync_directory(fd)

    def status(self, relative: str) -> os.stat_result | None:
        """The result of lstat(2) for a path; None if it or its directory does not exist."""
        try:
            with self.parent(relative) as (fd, name):
                return os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return None


def _as_pattern(directory: str, owner: Owner, like: Anchor | None, base: str) -> tuple[int, Owner]:
    """Mode and owner of a new directory: those of the same path below `like`, if it is there."""
    if like and (not base or directory.startswith(base + "/")):
        with suppress(BlockedPathError):  # a link on the way there: it is no pattern
            pattern = like.status(directory.removeprefix(base).lstrip("/"))
            if pattern and stat.S_ISDIR(pattern.st_mode):
                return stat.S_IMODE(pattern.st_mode), Owner(pattern.st_uid, pattern.st_gid)
    return 0o755, owner


@contextmanager
def open_below(root: int, directory: str) -> Iterator[int]:
    """A descriptor of a directory below another, for walking (O_PATH); `root` for the empty path.

    Raises:
        FileNotFoundError: it does not exist.
        BlockedPathError: a component is not a directory.
    """
    fd = _walk(root, directory)
    try:
        yield fd
    finally:
        if fd != root:
            os.close(fd)


class _Parent:
    """A class, because a generator takes twice as long, and each look at a path opens two."""

    __slots__ = ("_directory", "_fd", "_name", "_root")

    def __init__(self, root: int, relative: str) -> None:
        self._directory, _, self._name = relative.rpartition("/")
        self._root = root

    def __enter__(self) -> tuple[int, str]:
        _refuse_upwards(self._name)
        self._fd = _walk(self._root, self._directory)
        return self._fd, self._name

    def __exit__(self, *_: object) -> None:
        if self._fd != self._root:
            os.close(self._fd)


def _walk(root: int, directory: str) -> int:
    fd = root
    components = directory.split("/") if directory else ()
    for index, component in enumerate(components, 1):
        above = fd
        try:
            _refuse_upwards(component)
            fd = os.open(component, _WALK, dir_fd=above)
        except OSError as error:
            raise _blocked(above, component, "/".join(components[:index]), error) from error
        finally:
            if above != root:
                os.close(above)
    return fd


def _refuse_upwards(component: str) -> None:
    """Nothing below an anchor leads out of it, even if someone else wrote the path."""
    if component == "..":
        raise OSError(errno.EINVAL, "a path must not lead upwards", component)


def _blocked(fd: int, component: str, where: str, error: OSError) -> OSError:
    """An error that names what is in the way, instead of ENOTDIR or ELOOP."""
    if error.errno not in (errno.ENOTDIR, errno.ELOOP):
        return error
    try:
        found = os.stat(component, dir_fd=fd, follow_symlinks=False)
    except OSError:
        return error
    return BlockedPathError(where, is_link=stat.S_ISLNK(found.st_mode))


class Owner:
    """The owner of what we create. There is nothing to do unless we are root and the owner is not."""

    __slots__ = ("gid", "is_other", "uid")

    def __init__(self, uid: int, gid: int) -> None:
        self.uid = uid
        self.gid = gid
        self.is_other = uid != 0 and os.geteuid() == 0
        """Whether what we create has to be given to the owner."""

    @classmethod
    def of(cls, fd: int) -> Owner:
        """The owner of an open file or directory."""
        found = os.fstat(fd)
        return cls(found.st_uid, found.st_gid)

    def chown(self, name: str, fd: int) -> None:
        """Give `name` in the directory `fd` to the owner, if we may; a link itself, not its target."""
        if self.is_other:
            os.chown(name, self.uid, self.gid, dir_fd=fd, follow_symlinks=False)


def make_directory(fd: int, name: str, mode: int, owner: Owner) -> None:
    """Create a directory with a mode and an owner. Raises FileExistsError if something is there."""
    os.mkdir(name, 0o700, dir_fd=fd)
    owner.chown(name, fd)  # before the mode: it may clear bits of that
    made = os.open(name, _READ_DIR, dir_fd=fd)
    try:
        os.fchmod(made, mode)
    finally:
        os.close(made)


def open_directory(name: str, fd: int, *, mounted: bool = False) -> int:
    """A descriptor for reading the directory `name` in the directory `fd`; never through a link.

    Args:
        name: one component.
        fd: the directory that contains it.
        mounted: whether it may be a mount point. Walks of a tree never enter one.

    Raises:
        MountPointError: it is a mount point.
        OSError: as from open(2).
    """
    if mounted:
        return os.open(name, _READ_DIR, dir_fd=fd)
    return _open_unmounted()(fd, name, _READ_DIR)


def open_file(name: str, fd: int) -> int:
    """A descriptor for reading the file `name` in the directory `fd`; like `open_directory`."""
    return _open_unmounted()(fd, name, _READ_FILE)


@cache
def _open_unmounted() -> Callable[[int, str, int], int]:
    from coder_ws_runtime.fs.kernel import open_unmounted  # noqa: PLC0415 - ctypes is slow to import

    return open_unmounted


@contextmanager
def report_deep_nesting() -> Iterator[None]:
    """Turn RecursionError into an OSError, in the walk of a tree that is too deep."""
    try:
        yield
    except RecursionError as error:
        raise OSError(errno.ENAMETOOLONG, "directories are nested too deeply") from error


@contextmanager
def writable(*places: tuple[int, str]) -> Iterator[None]:
    """Let us write to directories that are ours but not writable, as in a Go module cache.

    Args:
        places: each is a directory's descriptor and a name in it, ``.`` for itself; what is not a
            directory, not ours, or already writable is left as it is.
    """
    with ExitStack() as stack:
        for fd, name in places:
            with suppress(OSError):
                opened = os.open(name, _READ_DIR, dir_fd=fd)
                stack.callback(os.close, opened)
                found = os.fstat(opened)
                if found.st_uid == os.geteuid() and not found.st_mode & stat.S_IWUSR:
                    os.fchmod(opened, stat.S_IMODE(found.st_mode) | stat.S_IWUSR | stat.S_IXUSR)
                    stack.callback(os.fchmod, opened, stat.S_IMODE(found.st_mode))
        yield


def sync_directory(fd: int) -> None:
    """Make the names in a directory durable, with fsync(2). `fd` may be an O_PATH descriptor."""
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
    try:
        os.fsync(readable)
    finally:
        os.close(readable)
