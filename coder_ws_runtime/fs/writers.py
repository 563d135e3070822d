"""Whether a program has a file open for writing.

What such a program writes next would go to a file that was moved away, and be lost.

Where the kernel grants a lease, it gives the answer: for our own files (or with CAP_LEASE), on file systems
that support leases. Elsewhere we look at the open files of all processes, as far as we may read them. Neither
shows a process of another container or host; :attr:`Writing.UNKNOWN` does not cover that either.
"""

import contextlib
import fcntl
import os
import re
import signal
import stat
import time
from collections.abc import Iterator
from enum import Enum
from pathlib import Path

_PROC = Path("/proc")
_FRESH = 0.2
"""How many seconds the result of one look at all processes is used."""


class Writing(Enum):
    """Whether a program has a file open for writing."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"
    """The kernel grants no lease, and we may not see the open files of some processes."""


def has_writer(fd: int) -> bool:
    """Whether a program is known to have a file open for writing, or mapped for writing."""
    return writing(fd) is Writing.YES


def writing(fd: int) -> Writing:
    """Whether a program has a file open for writing, or mapped for writing.

    In that case, a read lease (F_SETLEASE of fcntl(2)) is refused with EAGAIN. But EAGAIN may also mean that
    the file system grants no leases (NFS without delegations); EACCES means that the file belongs to another
    user.

    Args:
        fd: the file, open for reading only.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return Writing.YES if _gives_leases(fd) else _seen_in_processes(fd)
    except OSError:
        return _seen_in_processes(fd)
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return Writing.NO


_leases: dict[int, bool] = {}
"""By device: whether its file system grants leases."""


def _gives_leases(fd: int) -> bool:
    """Whether a file's file system grants leases. Local ones do; for network ones the server decides."""
    device = os.fstat(fd).st_dev
    if device not in _leases:
        _leases[device] = not _type_of(fd).startswith(_REMOTE) or _leases_a_new_file(fd)
    return _leases[device]


_REMOTE = ("nfs", "cifs", "smb", "9p", "ceph", "fuse", "virtiofs", "lustre", "gluster", "afs")


def _type_of(fd: int) -> str:
    """The type of an open file's file system, e.g. ``nfs4`` (proc_pid_mountinfo(5)); empty if unknown."""
    with contextlib.suppress(OSError):
        info = (_PROC / f"self/fdinfo/{fd}").read_text(encoding="ascii")
        number = re.search(r"^mnt_id:\s*(\d+)$", info, re.MULTILINE)
        for line in (_PROC / "self/mountinfo").read_text(errors="replace").splitlines():
            if number and line.startswith(f"{number[1]} "):
                return line.partition(" - ")[2].partition(" ")[0]
    return ""


def _leases_a_new_file(fd: int) -> bool:
    """Ask for a lease on a new file that nobody else can have; without one, EAGAIN means a writer."""
    try:
        place = os.path.dirname(os.readlink(f"/proc/self/fd/{fd}"))
        name = f"{place}/.{os.getpid()}.home-persist-lease"
        made = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        finally:
            os.close(made)
            os.unlink(name)
        try:
            fcntl.fcntl(opened, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        finally:
            os.close(opened)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


class _Processes:
    """The files that processes have open for writing, from one look at all of them."""

    def __init__(self) -> None:
        self.at = time.monotonic()
        self.written: set[tuple[int, int]] = set()
        self.complete = True
        for pid in filter(str.isdigit, os.listdir(_PROC)):
            try:
                self._look(_PROC / pid)
            except (FileNotFoundError, ProcessLookupError):
                continue
            except OSError:
                self.complete = self.complete and _is_kernel_thread(_PROC / pid)

    def _look(self, process: Path) -> None:
        for number in os.listdir(process / "fd"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                mode = os.lstat(process / "fd" / number).st_mode
                if mode & stat.S_IWUSR:  # this link has the access mode of the open file
                    found = os.stat(process / "fd" / number)
                    self.written.add((found.st_dev, found.st_ino))
        self.written.update(_mapped(process))


def _mapped(process: Path) -> Iterator[tuple[int, int]]:
    """The files that a process has mapped shared for writing (proc_pid_maps(5)); they may be closed."""
    with open(process / "maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            _, permissions, _, device, inode, *_ = line.split(maxsplit=5)
            if permissions[1] == "w" and permissions[3] == "s" and inode != "0":
                major, minor = (int(part, 16) for part in device.split(":"))
                yield os.makedev(major, minor), int(inode)


def _is_kernel_thread(process: Path) -> bool:
    """Whether it is a kernel thread, which has no open files: kthreadd (2), or a child of it."""
    try:
        fields = (process / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:  # it has ended
        return True
    return fields[1] == "2" or (process.name == "2" and fields[1] == "0")


_looked: _Processes | None = None


def _seen_in_processes(fd: int) -> Writing:
    global _looked  # noqa: PLW0603 - one look at all processes serves for all files of a tree
    if _looked is None or time.monotonic() - _looked.at > _FRESH:
        _looked = _Processes()
    found = os.fstat(fd)
    if (found.st_dev, found.st_ino) in _looked.written:
        return Writing.YES
    return Writing.NO if _looked.complete else Writing.UNKNOWN


def ignore_lease_breaks() -> None:
    """Ignore SIGIO, which would end us: the holder of a lease gets it when another process opens the file."""
    with contextlib.suppress(ValueError):  # not in the main thread: the caller has done it
        signal.signal(signal.SIGIO, signal.SIG_IGN)
