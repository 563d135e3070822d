"""Leases: which workspaces of the owner are running, and when each was last seen.

One file per workspace, ``.home-persist/leases/<workspace id>.lock``. The daemon holds a lock (flock(2)) on
it, which ends with the process, however that ends. The file's modification time is the time at which the
workspace was last seen: every resolve sets it, and so does the daemon at each sweep. The first line is the
workspace's name. While the daemon runs, the second line is ``running``; if that stays, the daemon was killed,
at most a sweep after it was seen.

On a network file system, a free lock does not mean that the workspace has ended: the server also frees the
locks of a host that is cut off. So a daemon that is stopped writes ``stopped`` and the time as the second
line, and sets the modification time to the same. The line counts only as long as the two are equal, so it
needs no removal when the workspace is seen again. Without it, the workspace counts as running for `CUT_OFF`
seconds.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from enum import Enum
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.persist.store.names import LEASES, LOCK_SUFFIX, STATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coder_ws_runtime.persist.store.volume import Volume

CUT_OFF = 86400.0
"""For how many seconds a workspace may be running that has neither its lock nor said that it stopped."""

UNSEEN = 300.0
"""For how many seconds a daemon may run without being seen: its sweeps are not further apart."""

_NAME_LIMIT = 256
_RUNNING = "running"
_STOPPED = "stopped "
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
    cut_off: bool = False
    """Whether it may be running although we do not see that its lease is held: on a host that the volume's
    server does not reach."""
    until: float = 0.0
    """The latest time at which it can have been running if it is not in use, in seconds since the epoch."""

    @property
    def in_use(self) -> bool:
        """Whether the workspace is running, or may be."""
        return self.held or self.cut_off


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
        self._name = lease_name(workspace_id)
        self._fd = open_lease(volume, self._name)
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
        close_lease(self._fd)
        self._fd = open_lease(self._volume, self._name)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.held = False
            return False
        self.held = True
        with suppress(OSError):  # on a full volume it has no name, but is held all the same
            _write(self._fd, f"{self._workspace_name}\n{_RUNNING}\n")
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
            os.pwrite(self._fd, self._workspace_name.encode(errors="replace")[:1] or b" ", 0)
            os.fsync(self._fd)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except OSError as error:
            return error.errno not in _LOST and not isinstance(error, BlockingIOError)
        return True

    def reads(self) -> bool:
        """Whether we hold it, as far as reading shows: one request to a server, and no write to its disk."""
        if not self.held:
            return False
        try:
            os.posix_fadvise(self._fd, 0, 0, os.POSIX_FADV_DONTNEED)  # otherwise the page cache answers
            os.pread(self._fd, 1, 0)
        except OSError as error:
            return error.errno not in _LOST
        return True

    def close(self, *, stopped: bool = False) -> None:
        """Give it back.

        Args:
            stopped: the workspace stops; otherwise it may go on without a daemon.
        """
        if stopped and self.held and self._is_valid():
            now = int(time.time())  # whole seconds, which every file system can store
            with suppress(OSError):
                _write(self._fd, f"{self._workspace_name}\n{_STOPPED}{now}\n")
                os.utime(self._fd, (now, now))
        close_lease(self._fd)


def note_seen(volume: Volume, workspace_id: str, workspace_name: str = "") -> None:
    """Record that a workspace is in use now, whether or not its daemon runs.

    Args:
        volume: the owner's volume.
        workspace_id: as for `Lease`.
        workspace_name: as for `Lease`.

    Raises:
        OSError: the volume cannot be written.
    """
    opened = open_lease(volume, lease_name(workspace_id))
    try:
        os.utime(opened)
        if os.fstat(opened).st_size == 0 and workspace_name:
            with suppress(OSError):
                _write(opened, workspace_name)
    finally:
        close_lease(opened)


def lease_name(workspace_id: str) -> str:
    """The name of a workspace's lease file."""
    return f"{workspace_id or os.uname().nodename}{LOCK_SUFFIX}"


def _write(fd: int, content: str) -> None:
    os.ftruncate(fd, 0)
    os.pwrite(fd, content.encode(errors="replace"), 0)


def close_lease(fd: int) -> None:
    """Close a lease file, which frees the lock."""
    with suppress(OSError):  # on NFS, close(2) reports earlier write errors; the descriptor is closed
        os.close(fd)


def open_lease(volume: Volume, name: str) -> int:
    """Open a lease file, and create it if it is not there; the caller closes the descriptor."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with volume.directory(LEASES) as fd:
        opened = os.open(name, flags, 0o644, dir_fd=fd)
        volume.owner.chown(name, fd)
    return opened


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
            seen = file.lstat().st_mtime
        except OSError:
            return None
        cut_off = time.time() - seen < CUT_OFF
        return LeaseState(workspace_id, held=False, seen=seen, cut_off=cut_off, until=seen + UNSEEN)
    try:
        workspace_name, _, rest = os.pread(fd, _NAME_LIMIT, 0).decode(errors="replace").partition("\n")
        held, seen = _is_held(fd), os.fstat(fd).st_mtime
        cut_off = not held and not _has_stopped(rest, seen) and _may_be_cut_off(fd, seen)
        until = _end(rest, seen)
        return LeaseState(workspace_id, held, seen, workspace_name.strip(), cut_off, until)
    except OSError:
        return None
    finally:
        close_lease(fd)


def _has_stopped(line: str, seen: float) -> bool:
    """Whether the workspace said that it stopped, and was not seen since."""
    return seen.is_integer() and line.strip() == f"{_STOPPED}{seen:.0f}"


def _end(line: str, seen: float) -> float:
    """As :attr:`LeaseState.until`."""
    if line.strip() == _RUNNING:
        return seen + UNSEEN
    return seen + 1 if _has_stopped(line, seen) else seen


def _may_be_cut_off(fd: int, seen: float) -> bool:
    """Whether a free lock may mean that its host does not reach the server. A kernel keeps its own locks."""
    if time.time() - seen >= CUT_OFF:
        return False
    from coder_ws_runtime.fs.file_system import is_local, type_of  # noqa: PLC0415 - rarely needed

    return not is_local(type_of(fd))


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
    """IDs of the owner's other workspaces that are running, or may be on a host that is cut off."""
    own = workspace_id or os.uname().nodename
    return [lease.workspace_id for lease in leases(volume) if lease.in_use and lease.workspace_id != own]
