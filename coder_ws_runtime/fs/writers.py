"""Whether a program has a file open for writing.

What such a program writes next would go to a file that has been moved away, and be lost.
"""

import contextlib
import fcntl
import signal


class BusyError(Exception):
    """A program has a file open for writing. The argument says which."""


def has_writer(fd: int) -> bool:
    """Whether a program has an open file open for writing, or mapped for it.

    A read lease (F_SETLEASE of fcntl(2)) is refused with EAGAIN exactly then. Where leases are not
    to be had (another owner's file, some network file systems) the answer is no.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def ignore_lease_breaks() -> None:
    """Let SIGIO not end us: it comes to who holds a lease when another process opens the file."""
    with contextlib.suppress(ValueError):  # not in the main thread: whoever runs it has seen to it
        signal.signal(signal.SIGIO, signal.SIG_IGN)
