"""The present paths of the managed symlinks, wherever they were renamed to.

Each link is held open through a descriptor of the link itself (O_PATH and O_NOFOLLOW of open(2)). So the
kernel shows where it is: ``/proc/self/fd/N`` has its present path after any number of renames of the link or
of a directory above it, even to directories that nobody watches; and shows whether it was deleted or
replaced. Events alone do not: a rename to a directory that is not watched has only a departure, and a full
queue has nothing.
"""

import os
import resource
import stat
import time
from contextlib import suppress
from enum import Enum

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.persist.link_search import LinkSearch

_LINK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_UNKNOWN = 1.0
"""For a link without an event, a search this many seconds ago counts."""
_FILES = 65536
"""How many descriptors the daemon asks for: one for each link."""


class State(Enum):
    """What has happened to a link."""

    THERE = "there"
    """It is where it was made."""
    MOVED = "moved"
    GONE = "gone"
    """It was deleted, or something was renamed over it."""
    UNKNOWN = "unknown"
    """It is not followed: there was no link, or no free descriptor."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What has happened to a link, and its new path if it was moved."""

    state: State
    path: str = ""
    """Relative to the home, for MOVED; empty: it is somewhere outside the home."""


class Links:
    """The managed symlinks of one home, by their declared path.

    Args:
        home: the home.
        search: finds links whose former name is gone.
    """

    def __init__(self, home: Anchor, search: LinkSearch) -> None:
        self.home = home
        self._search = search
        self._changed: dict[str, float] = {}
        """When an event came for a path, on the monotonic clock."""
        self._handles: dict[str, int] = {}
        self._new: set[str] = set()
        """Paths whose link was made since they were last settled."""
        self._others: dict[str, str] = {}
        """What was found for links whose former name is gone, by declared path."""
        _allow_descriptors()

    def follow(self, path: str, target: str, place: str = "") -> None:
        """Follow the link at a path from now on, if its text is `target`; otherwise follow none.

        Args:
            path: the declared path.
            target: the text of its link.
            place: where that is now, if it was renamed.
        """
        handle = self._handles.get(path)
        is_new = path in self._new
        self._new.discard(path)
        if handle is not None and os.fstat(handle).st_nlink and (is_new or self._path(handle) == path):
            return
        with suppress(OSError), self.home.parent(place or path) as (fd, name):
            self._follow(path, target, fd, name)
            return
        self.forget(path)

    def follow_new(self, path: str, target: str, fd: int, name: str) -> None:
        """Follow a link from the moment in which it is made; it may be renamed as soon as it is in place.

        Args:
            path: the declared path.
            target: the text of its link.
            fd: the directory in which it is now.
            name: its name there.
        """
        self._follow(path, target, fd, name)
        self._new.add(path)

    def _follow(self, path: str, target: str, fd: int, name: str) -> None:
        self.forget(path)
        try:
            handle = os.open(name, _LINK, dir_fd=fd)
        except OSError:  # it does not exist, or no descriptor is free: then only events help
            return
        if self._is_ours(handle, target):
            self._handles[path] = handle
        else:
            os.close(handle)

    def _is_ours(self, handle: int, target: str) -> bool:
        """Whether a descriptor is of a link with this text, on the home's file system.

        Mounts below the home are not followed: an open descriptor would prevent unmounting.
        """
        found = os.fstat(handle)
        if not stat.S_ISLNK(found.st_mode) or found.st_dev != os.fstat(self.home.fd).st_dev:
            return False
        return os.readlink("", dir_fd=handle) == target

    def note_change(self, path: str) -> None:
        """Record that an event came for a path: searches before that do not count."""
        self._changed[path] = time.monotonic()

    def changed(self, path: str) -> float:
        """When an event came for a path, on the monotonic clock; about now, if nobody knows."""
        return self._changed.get(path, time.monotonic() - _UNKNOWN)

    def forget(self, path: str) -> None:
        """Stop following the link of a path."""
        self._others.pop(path, None)
        self._changed.pop(path, None)
        self._new.discard(path)
        handle = self._handles.pop(path, None)
        if handle is not None:
            os.close(handle)

    def find(self, path: str) -> Whereabouts:
        """What has happened to the link of a path."""
        handle = self._handles.get(path)
        if handle is None:
            return Whereabouts(State.UNKNOWN)
        if not os.fstat(handle).st_nlink:
            return Whereabouts(State.GONE)
        if _is_deleted(handle):
            now = self._other_name(path, handle)
            return Whereabouts(State.MOVED, now) if now else Whereabouts(State.GONE)
        now = self._path(handle)
        return Whereabouts(State.THERE) if now == path else Whereabouts(State.MOVED, now)

    def _other_name(self, path: str, handle: int) -> str:
        """The path of a link whose former name is gone, relative to the home: it had a second one."""
        if path not in self._others:
            found = self._search.other_name(os.fstat(handle), self.home.path, self.changed(path))
            self._others[path] = found.removeprefix(f"{self.home.path}/")
        return self._others[path]

    def moved(self) -> dict[str, str]:
        """The new paths of all links that were moved, by their declared path."""
        found = {path: self.find(path) for path in self._handles}
        return {path: place.path for path, place in found.items() if place.state is State.MOVED}

    def _path(self, handle: int) -> str:
        """A link's path relative to the home; empty if it is not below the home."""
        home = os.readlink(f"/proc/self/fd/{self.home.fd}").rstrip("/")
        now = os.readlink(f"/proc/self/fd/{handle}")
        return now.removeprefix(f"{home}/") if now.startswith(f"{home}/") else ""

    def close(self) -> None:
        """Stop following all links."""
        for path in list(self._handles):
            self.forget(path)


def _is_deleted(handle: int) -> bool:
    """Whether the kernel reports it as deleted: on overlayfs, the link count of an image's file stays 1."""
    now = os.readlink(f"/proc/self/fd/{handle}")
    return now.endswith(" (deleted)") and not os.path.lexists(now)


def _allow_descriptors() -> None:
    """Raise the soft limit of open files up to the hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
