"""Which directories the daemon watches, and what an event there means for which declared path.

A watch on a link itself sees no rename over it, so the directory that holds it is watched; and every
directory above that one up to the home, so that one which is deleted and made anew is seen too.
"""

import errno
import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from coder_ws_runtime.fs import inotify
from coder_ws_runtime.fs.anchored import Anchor, open_below
from coder_ws_runtime.fs.inotify import Event, Inotify


@dataclass(slots=True)
class Change:
    """What a batch of events means."""

    paths: dict[str, int] = field(default_factory=dict)
    """Declared paths to look at, with the masks of their events together."""
    above: set[str] = field(default_factory=set)
    """Those among them for which something happened to a directory above them."""
    manifests: bool = False
    """Declarations changed."""
    overflow: bool = False
    """Events were lost: look at everything."""


class Watches:
    """The watches of one home.

    Args:
        home: the home.
    """

    def __init__(self, home: Anchor) -> None:
        self.home = home
        self.inotify: Inotify | None = None
        self.blind = ""
        """Why the kernel does not tell of all changes; empty if it does."""
        self._declarations: list[int] = []
        self._directories: dict[int, str] = {}
        self._manifests: set[int] = set()
        # By directory and name in it: the declared paths at or below that name.
        self._names: dict[str, dict[str, set[str]]] = {}

    def watch_manifests(self, directory: int) -> None:
        """Watch a directory with declarations, given by a descriptor, from the next `arm` on."""
        self._declarations.append(os.dup(directory))

    def arm(self, paths: Iterable[str]) -> None:
        """Watch for these declared paths, and for these only. Directories that are not there are left.

        Where a limit of inotify is reached, which all programs of the user share, `blind` says so.
        """
        self._names = {}
        for path in paths:
            parts = path.split("/")
            for depth, name in enumerate(parts):
                inside = self._names.setdefault("/".join(parts[:depth]), {})
                inside.setdefault(name, set()).add(path)
        try:
            self._watch()
            self.blind = ""
        except OSError as error:
            self.blind = error.strerror or str(error)

    def _watch(self) -> None:
        """Watch what is to be watched; OSError where a limit is reached."""
        self.inotify = self.inotify or Inotify()
        self._manifests = {self.inotify.add(fd) for fd in self._declarations}
        before = self._directories
        self._directories = {}
        for directory in self._names:
            try:
                with open_below(self.home.fd, directory) as fd:
                    self._directories[self.inotify.add(fd)] = directory
            except OSError as error:
                # One that is not there, or that we may not read, is looked at by the sweep.
                if error.errno == errno.ENOSPC:
                    raise
        for watch in before.keys() - self._directories.keys():
            self.inotify.remove(watch)

    @property
    def descriptors(self) -> list[int]:
        """What becomes readable when there are changes."""
        return [self.inotify.fd] if self.inotify else []

    def changes(self) -> Change:
        """What has happened since the last call; does not wait."""
        change = Change()
        while self.inotify and (events := list(self.inotify.read())):
            for event in events:
                if event.mask & inotify.OVERFLOW:
                    change.overflow = True
                elif event.watch in self._manifests:
                    change.manifests = change.manifests or event.name.endswith(".json")
                else:
                    self._meaning(event, change)
        return change

    def _meaning(self, event: Event, change: Change) -> None:
        """Add what one event means."""
        directory = self._directories.get(event.watch)
        if directory is None:
            return
        inside = self._names.get(directory, {})
        mask: int = event.mask
        if event.mask & inotify.GONE:
            concerned = set().union(*inside.values())
            above = concerned
            mask = inotify.DELETE
        else:
            concerned = inside.get(event.name, set())
            above = concerned - {f"{directory}/{event.name}" if directory else event.name}
            if not mask & ~inotify.CLOSE_WRITE:
                above = set()
        for path in concerned:
            change.paths[path] = change.paths.get(path, 0) | mask
        change.above |= above

    def close(self) -> None:
        """Stop watching."""
        for fd in self._declarations:
            os.close(fd)
        if self.inotify:
            self.inotify.close()
