"""Leases: which workspaces of the owner are running, and when each was last seen.

One file per workspace, ``.home-persist/leases/<workspace id>.lock``. The daemon holds a lock (flock(2)) on
it, which ends with the process, however that ends. The file's modification time is the time at which the
workspace was last seen: every resolve sets it, and so does the daemon at each sweep. The content is the
workspace's name.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.persist.store.names import LEASES, LOCK_SUFFIX, STATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coder_ws_runtime.persist.store.volume import Volume

_NAME_LIMIT = 256
# The errors of a network file system for a descriptor that its server no longer knows.
_LOST = (errno.EIO, errno.ESTALE, errno.ENOLCK, errno.EBADF)


@dataclass(frozen=True, slots=True)
class LeaseState:
    """The information in one workspace's lease."""

    workspace_id: str
    held: bool
    seen: float
    """When the workspace was last seen, in seconds since the epoch."""
    workspace_name: str = ""
    """Empty if unknown."""


class Renewal(Enum):
    """The result of `Lease.renew`; the value is the code in reports."""

    KEPT = "lease.kept"
    TAKEN = "lease.taken"
    """It was free."""
    RETAKEN = "lease.retaken"
    """It was lost: the file was removed, or the server dropped the lock. We hold it again."""
    LOST = "lease.lost"
    """It was lost, and another process holds it now."""
    ELSEWHERE = "lease.held-elsewhere"
    """Another process of this workspace holds it."""


class Lease:
    """The lease of this workspace, held until it is closed.

    Args:
        volume: the owner's volume.
        workspace_id: this workspace; without an ID, the host name is used.
        workspace_name: written to the file, for when the workspace has been deleted.
    """

    def __init__(self, volume: Volume, workspace_id: str, workspace_name: str = "") -> None:
        self._volume = volume
        self._workspace_name = workspace_name
        self._name = _file_name(workspace_id)
        self._fd = _open(volume, self._name)
        self.held = False
        self.renew()

    def renew(self) -> Renewal:
        """Record that the workspace is running; take the lease if we do not hold it or have lost it.

        Raises:
            OSError: the volume cannot be written.
        """
        had = self.held
        if had and self._is_valid():
            renewal = Renewal.KEPT
        elif self._take():
            renewal = Renewal.RETAKEN if had else Renewal.TAKEN
        else:
            renewal = Renewal.LOST if had else Renewal.ELSEWHERE
        with suppress(OSError):
            os.utime(self._fd)
        return renewal

    def _take(self) -> bool:
        """Lock the file that has the name now; returns whether that succeeded."""
        _close(self._fd)
        self._fd = _open(self._volume, self._name)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.held = False
            return False
        self.held = True
        with suppress(OSError):  # on a full volume it has no name, but is held all the same
            _write_name(self._fd, self._workspace_name)
        return True

    def _is_valid(self) -> bool:
        """Whether our lock still exists, on the file that other processes see."""
        try:
            mine = os.fstat(self._fd)
            with self._volume.directory(LEASES) as directory:
                there = os.stat(self._name, dir_fd=directory, follow_symlinks=False)
            if (mine.st_dev, mine.st_ino) != (there.st_dev, there.st_ino):  # `gc` took us for deleted
                return False
            # NFS refuses I/O on a file whose lock the server has lost. Only I/O shows it: the client's own
            # table still has the lock.
            os.pwrite(self._fd, self._workspace_name.encode()[:1] or b" ", 0)
            os.fsync(self._fd)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError as error:
            return error.errno not in _LOST and not isinstance(error, BlockingIOError)
        return True

    def close(self) -> None:
        """Give it back."""
        _close(self._fd)


def note_seen(volume: Volume, workspace_id: str, workspace_name: str = "") -> None:
    """Record that a workspace is in use now, whether or not its daemon runs.

    Args:
        volume: the owner's volume.
        workspace_id: as for `Lease`.
        workspace_name: as for `Lease`.

    Raises:
        OSError: the volume cannot be written.
    """
    opened = _open(volume, _file_name(workspace_id))
    try:
        os.utime(opened)
        if os.fstat(opened).st_size == 0 and workspace_name:
            with suppress(OSError):
                _write_name(opened, workspace_name)
    finally:
        _close(opened)


def _file_name(workspace_id: str) -> str:
    return f"{workspace_id or os.uname().nodename}{LOCK_SUFFIX}"


def _write_name(fd: int, workspace_name: str) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, workspace_name.encode(), 0)


def _close(fd: int) -> None:
    with suppress(OSError):  # on NFS, close(2) reports earlier write errors; the descriptor is closed
        os.close(fd)


def _open(volume: Volume, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with volume.directory(LEASES) as fd:
        opened = os.open(name, flags, 0o644, dir_fd=fd)
        volume.owner.chown(name, fd)
    return opened


@contextmanager
def retired(volume: Volume, workspace_id: str) -> Iterator[bool]:
    """Hold the lease of a deleted workspace, and remove it at the end.

    Yields:
        Whether we hold it; False: the workspace is running after all, and its lease stays.
    """
    name = f"{workspace_id}{LOCK_SUFFIX}"
    with volume.directory(LEASES) as fd:
        was_there = _status(name, fd) is not None
    opened = _open(volume, name)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield True
        except BaseException:
            if not was_there:  # we created it; it would mean that the workspace was just seen
                with volume.directory(LEASES) as fd, suppress(OSError):
                    os.unlink(name, dir_fd=fd)
            raise
        with volume.directory(LEASES) as fd:
            os.unlink(name, dir_fd=fd)
    finally:
        _close(opened)


def _status(name: str, fd: int) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def leases(volume: Path) -> list[LeaseState]:
    """The leases on a volume; none if it does not exist or has none."""
    directory = volume / STATE / LEASES
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    return [
        state
        for name in names
        if name.endswith(LOCK_SUFFIX) and (state := _state(directory / name, name.removesuffix(LOCK_SUFFIX)))
    ]


def _state(file: Path, workspace_id: str) -> LeaseState | None:
    """The information in a lease file; even one that we may not open shows when its workspace was seen."""
    try:
        # flock(2) on NFS needs a descriptor that is open for writing.
        fd = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        try:
            return LeaseState(workspace_id, held=False, seen=file.lstat().st_mtime)
        except OSError:
            return None
    try:
        workspace_name = os.pread(fd, _NAME_LIMIT, 0).decode(errors="replace").strip()
        return LeaseState(workspace_id, _is_held(fd), os.fstat(fd).st_mtime, workspace_name)
    except OSError:
        return None
    finally:
        _close(fd)


def _is_held(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def is_held(volume: Path, workspace_id: str) -> bool:
    """Whether the lease of this workspace is held, which means that its daemon runs."""
    own = workspace_id or os.uname().nodename
    return any(lease.held for lease in leases(volume) if lease.workspace_id == own)


def held_elsewhere(volume: Path, workspace_id: str) -> list[str]:
    """IDs of the owner's other workspaces that are running."""
    own = workspace_id or os.uname().nodename
    return [lease.workspace_id for lease in leases(volume) if lease.held and lease.workspace_id != own]
