"""Test whether a file system accepts changes, in a child process that may never return.

A system call on a frozen file system (fsfreeze(8)), or on one whose server does not answer, waits in the
kernel and cannot be interrupted. A thread that waits like that keeps its process from exiting.
"""

import os
import select

LIMIT = 2.0
"""The time limit of a change, in seconds."""

_TOUCH = ("/usr/bin/touch", "/bin/touch")


def takes_changes(directory: str, *, limit: float = LIMIT) -> bool:
    """Whether a change of `directory` ends in time, with or without success.

    It sets the directory's access time, which needs no space and leaves nothing behind.

    Args:
        directory: an absolute path; this process does not access it.
        limit: seconds; after that, the child is abandoned.
    """
    touch = next((file for file in _TOUCH if os.access(file, os.X_OK)), "")
    if not touch:
        return True
    nowhere = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
    child = os.posix_spawn(touch, [touch, "-a", "-c", "--", directory], {}, file_actions=nowhere, setpgroup=0)
    ended = os.pidfd_open(child)
    try:
        if not select.select([ended], [], [], limit)[0]:
            return False
        os.waitpid(child, 0)
        return True
    finally:
        os.close(ended)
