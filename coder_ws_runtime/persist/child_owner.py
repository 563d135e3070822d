"""Whose content is in the place of a child's link on the volume, where every workspace of the owner writes.

It is this workspace's if no other one is running, and everything in it changed after the others were last
running.
"""

import os
import stat
from collections.abc import Iterator

from coder_ws_runtime.fs.anchored import open_directory
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.lease import leases


def is_own(session: Session, fd: int, name: str) -> bool:
    """Whether only this workspace can have put something on the volume.

    Args:
        session: home and volume, opened.
        fd: a directory of the volume.
        name: what is in it.
    """
    until = _last_running_elsewhere(session)
    return all(found.st_ctime > until for found in _statuses(fd, name))


def _last_running_elsewhere(session: Session) -> float:
    """When another workspace can last have been running: infinite if one is, 0 if none is known."""
    own = session.id or os.uname().nodename
    others = [lease for lease in leases(session.volume.path) if lease.workspace_id != own]
    return max((float("inf") if lease.in_use else lease.until for lease in others), default=0.0)


def _statuses(fd: int, name: str) -> Iterator[os.stat_result]:
    """Of a name, and of everything below it."""
    found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    yield found
    if stat.S_ISDIR(found.st_mode):
        opened = open_directory(name, fd)
        try:
            for inner in os.listdir(opened):
                yield from _statuses(opened, inner)
        finally:
            os.close(opened)
