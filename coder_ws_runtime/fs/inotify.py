"""One inotify instance (inotify(7)) on many directories.

The bindings are from watchdog. Its observers do not fit: they use an instance and two threads for each
directory, wake up every second, and ignore a queue overflow.
"""

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from watchdog.observers.inotify_c import (
    InotifyConstants,
    inotify_add_watch,
    inotify_init,
    inotify_rm_watch,
)

from coder_ws_runtime.dataclass import dataclass

if TYPE_CHECKING:  # newer than the oldest watchdog that we support
    from watchdog.observers.inotify_c import WatchDescriptor

CLOSE_WRITE = InotifyConstants.IN_CLOSE_WRITE
CREATE = InotifyConstants.IN_CREATE
DELETE = InotifyConstants.IN_DELETE
MOVED_FROM = InotifyConstants.IN_MOVED_FROM
MOVED_TO = InotifyConstants.IN_MOVED_TO
DIRECTORY = InotifyConstants.IN_ISDIR
OVERFLOW = InotifyConstants.IN_Q_OVERFLOW
GONE = InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_IGNORED

_MASK = (
    CLOSE_WRITE
    | CREATE
    | DELETE
    | MOVED_FROM
    | MOVED_TO
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)
ARRIVALS = (
    CREATE
    | MOVED_TO
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ONLYDIR
)
"""For a directory in which only what is new matters."""
# struct inotify_event: wd, mask, cookie, len; a name padded with NULs follows.
_HEADER = struct.Struct("iIII")
_BUFFER = 1 << 16


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a watch."""

    watch: int
    mask: int
    name: str
    """The name in the directory; empty for the directory itself."""
    cookie: int = 0
    """The same number for the two events of one rename; 0 for others."""


class Inotify:
    """An inotify instance; `fd` becomes readable when there are events."""

    def __init__(self) -> None:
        self.fd = inotify_init()
        if self.fd < 0:
            raise _error("fs.inotify.max_user_instances")
        fcntl.fcntl(self.fd, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
        fcntl.fcntl(self.fd, fcntl.F_SETFL, os.O_NONBLOCK)

    def add(self, directory: int, mask: int = _MASK) -> int:
        """Watch a directory, given by a descriptor (O_PATH is enough); the same directory keeps its number.

        Raises:
            OSError: ENOSPC if ``fs.inotify.max_user_watches`` is reached.
        """
        # By descriptor, so that a symlink in its path cannot redirect the watch.
        watch = inotify_add_watch(self.fd, b"/proc/self/fd/%d" % directory, mask)
        if watch < 0:
            raise _error("fs.inotify.max_user_watches")
        return int(watch)

    def remove(self, watch: int) -> None:
        """Stop watching; does nothing if the directory was deleted."""
        inotify_rm_watch(self.fd, cast("WatchDescriptor", watch))

    def read(self) -> Iterator[Event]:
        """The events that are waiting; empty if there are none."""
        try:
            buffer = os.read(self.fd, _BUFFER)
        except BlockingIOError:
            return
        offset = 0
        while offset < len(buffer):
            watch, mask, cookie, length = _HEADER.unpack_from(buffer, offset)
            offset += _HEADER.size
            name = buffer[offset : offset + length].rstrip(b"\0")
            offset += length
            yield Event(watch, mask, os.fsdecode(name), cookie)

    def close(self) -> None:
        """Close the instance, which ends all watches."""
        os.close(self.fd)


def _error(limit: str) -> OSError:
    """The error of inotify(7); EMFILE and ENOSPC mean a limit of the host."""
    number = ctypes.get_errno()
    if number in (errno.EMFILE, errno.ENOSPC):
        return OSError(number, f"inotify's limit is reached: raise {limit} on the host")
    return OSError(number, os.strerror(number))
