"""Leases: which workspaces of the owner are running.

A running workspace holds a lock (flock(2)) on ``.home-persist/leases/<workspace id>.lock``; it ends
with the process that holds it, however that ends. The file's time of modification is when the lease
was last known to be held.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from coder_ws_runtime.persist.store.volume import STATE, Volume

_SUFFIX = ".lock"
_NAME_LIMIT = 256


@dataclass(frozen=True, slots=True)
class LeaseState:
    """What is known of one workspace's lease."""

    workspace_id: str
    held: bool
    seen: float
    """When it was last known to be held, in seconds since the epoch."""
    called: str = ""
    """What its user called the workspace; empty if not known."""


class Lease:
    """The lease of this workspace, held until it is closed.

    Args:
        volume: the owner's volume.
        workspace_id: this workspace; without an id the host name stands for it.
        called: what its user calls it; kept in the file, for when the workspace is gone.
    """

    def __init__(self, volume: Volume, workspace_id: str, called: str = "") -> None:
        self._volume = volume
        self._called = called
        self._name = f"{workspace_id or os.uname().nodename}{_SUFFIX}"
        self._fd = _open(volume, self._name)
        self.held = False
        self.renew()

    def renew(self) -> None:
        """Note that it is held now; take it if another process of this workspace had it before."""
        if not os.fstat(self._fd).st_nlink:  # removed by `gc`, which took us for gone
            os.close(self._fd)
            self._fd = _open(self._volume, self._name)
            self.held = False
        if not self.held:
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            self.held = True
            with suppress(OSError):  # on a full volume it has no name, and is held all the same
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, self._called.encode(), 0)
        os.utime(self._fd)

    def close(self) -> None:
        """Give it back."""
        os.close(self._fd)


def _open(volume: Volume, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with volume.directory("leases") as fd:
        opened = os.open(name, flags, 0o644, dir_fd=fd)
        volume.owner.chown(name, fd)
    return opened


@contextmanager
def retired(volume: Volume, workspace_id: str) -> Iterator[bool]:
    """Hold the lease of a workspace that is gone, and remove it at the end.

    Yields:
        Whether it could be had; False: the workspace is running after all, and its lease stays.
    """
    name = f"{workspace_id}{_SUFFIX}"
    opened = _open(volume, name)
    try:
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
        with volume.directory("leases") as fd:
            os.unlink(name, dir_fd=fd)
    finally:
        os.close(opened)


def leases(volume: Path) -> list[LeaseState]:
    """The leases on a volume; none if it is not there or has none."""
    directory = volume / STATE / "leases"
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    found: list[LeaseState] = []
    for name in names:
        if not name.endswith(_SUFFIX):
            continue
        try:
            # flock(2) on NFS needs a descriptor open for writing.
            fd = os.open(directory / name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            continue
        try:
            called = os.pread(fd, _NAME_LIMIT, 0).decode(errors="replace")
            identity = name.removesuffix(_SUFFIX)
            found.append(LeaseState(identity, _is_held(fd), os.fstat(fd).st_mtime, called))
        finally:
            os.close(fd)
    return found


def _is_held(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def is_held(volume: Path, workspace_id: str) -> bool:
    """Whether the lease of this workspace is held, that is, whether its daemon runs."""
    own = workspace_id or os.uname().nodename
    return any(lease.held for lease in leases(volume) if lease.workspace_id == own)


def held_elsewhere(volume: Path, workspace_id: str) -> list[str]:
    """The ids of the owner's other workspaces that are running."""
    own = workspace_id or os.uname().nodename
    return [lease.workspace_id for lease in leases(volume) if lease.held and lease.workspace_id != own]
