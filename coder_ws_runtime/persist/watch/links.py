"""Where the managed symlinks are now, whatever they were renamed to.

Each link is held open by a descriptor of itself (O_PATH and O_NOFOLLOW of open(2)). The kernel then tells
where it is: ``/proc/self/fd/N`` names its present path after any number of renames, of it or of a directory
above it, also into directories that nobody watches; and it is marked there once it was deleted or replaced.
Events alone do not tell that: a rename into a directory that is not watched has a departure only, and a
full queue has nothing.
"""

import os
import resource
import stat
from dataclasses import dataclass
from enum import Enum

from coder_ws_runtime.fs.anchored import Anchor

_LINK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_FILES = 65536
"""How many descriptors the daemon asks for: one for each link."""


class State(Enum):
    """What became of a link."""

    THERE = "there"
    """It is where it was made."""
    MOVED = "moved"
    GONE = "gone"
    """It was deleted, or something was renamed over it."""
    UNKNOWN = "unknown"
    """It is not followed: none was made, or no descriptor was to be had."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What became of a link, and where it is if it was moved."""

    state: State
    path: str = ""
    """Relative to the home, for MOVED; empty: it is somewhere outside the home."""


class Links:
    """The managed symlinks of one home, by their declared path.

    Args:
        home: the home.
    """

    def __init__(self, home: Anchor) -> None:
        self.home = home
        self._handles: dict[str, int] = {}
        _allow_descriptors()

    def follow(self, path: str, target: str) -> None:
        """Follow the link at a path from now on, if there is one that says `target`; else none."""
        handle = self._handles.get(path)
        if handle is not None and os.fstat(handle).st_nlink and self._path(handle) == path:
            return
        self.forget(path)
        try:
            with self.home.parent(path) as (fd, name):
                handle = os.open(name, _LINK, dir_fd=fd)
        except OSError:  # not there, or no descriptor left: then the events are all that we have
            return
        if self._is_ours(handle, target):
            self._handles[path] = handle
        else:
            os.close(handle)

    def _is_ours(self, handle: int, target: str) -> bool:
        """Whether a descriptor is of a link with this text, in the home's file system.

        What is mounted below the home is left alone: an open descriptor would keep it from being unmounted.
        """
        found = os.fstat(handle)
        if not stat.S_ISLNK(found.st_mode) or found.st_dev != os.fstat(self.home.fd).st_dev:
            return False
        return os.readlink("", dir_fd=handle) == target

    def forget(self, path: str) -> None:
        """Follow the link of a path no longer."""
        handle = self._handles.pop(path, None)
        if handle is not None:
            os.close(handle)

    def find(self, path: str) -> Whereabouts:
        """What became of the link that was followed from a path."""
        handle = self._handles.get(path)
        if handle is None:
            return Whereabouts(State.UNKNOWN)
        if not os.fstat(handle).st_nlink or _is_deleted(handle):
            return Whereabouts(State.GONE)
        now = self._path(handle)
        return Whereabouts(State.THERE) if now == path else Whereabouts(State.MOVED, now)

    def moved(self) -> dict[str, str]:
        """Where all those are that were moved, by their declared path."""
        found = {path: self.find(path) for path in self._handles}
        return {path: place.path for path, place in found.items() if place.state is State.MOVED}

    def _path(self, handle: int) -> str:
        """Where a link is, relative to the home; empty if that is not below it."""
        home = os.readlink(f"/proc/self/fd/{self.home.fd}").rstrip("/")
        now = os.readlink(f"/proc/self/fd/{handle}")
        return now.removeprefix(f"{home}/") if now.startswith(f"{home}/") else ""

    def close(self) -> None:
        """Follow none any longer."""
        for path in list(self._handles):
            self.forget(path)


def _is_deleted(handle: int) -> bool:
    """Whether the kernel's path says so: on overlayfs the link count of what an image brought stays 1."""
    now = os.readlink(f"/proc/self/fd/{handle}")
    return now.endswith(" (deleted)") and not os.path.lexists(now)


def _allow_descriptors() -> None:
    """Raise the soft limit of open files, as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
