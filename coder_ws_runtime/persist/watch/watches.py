"""The directories that the daemon watches, and what an event there means for a declared path.

A watch on a link does not report a rename over it, so the daemon watches the directory that contains the
link, and every directory above it up to the home, to notice if one is deleted and created again. For a file
that neither side has, it watches the volume, where another workspace of this host may write it.
"""

import errno
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress

from coder_ws_runtime.fs import inotify
from coder_ws_runtime.fs.anchored import Anchor, open_below
from coder_ws_runtime.fs.inotify import Event, Inotify
from coder_ws_runtime.persist.store.names import aside_name
from coder_ws_runtime.persist.watch.change import Change, Sign


class Watches:
    """The watches of one home.

    Args:
        home: the home.
        volume: the volume.
    """

    def __init__(self, home: Anchor, volume: Anchor) -> None:
        self.home = home
        self.volume = volume
        self.inotify: Inotify | None = None
        self.inotify_error = ""
        """Why the kernel does not report all changes; empty if it does."""
        self._declarations: list[int] = []
        self._directories: dict[int, str] = {}
        self._loose: set[int] = set()
        """Watches of directories that are no longer at their old path."""
        self._manifests: set[int] = set()
        # By directory and name in it: the declared paths at or below that name.
        self._names: dict[str, dict[str, set[str]]] = {}
        self._unread = Change()
        self._departed: dict[int, str] = {}
        """The declared paths that were renamed to something else, by the cookie of the events."""
        self._awaited: dict[str, str] | None = {}
        self._on_volume: dict[int, str] = {}
        self._names_on_volume: dict[str, dict[str, set[str]]] = {}

    def watch_manifests(self, directory: int) -> None:
        """Watch a directory with declarations from the next `watch` on; `close` closes its descriptor."""
        self._declarations.append(directory)

    def watch(self, paths: Iterable[str]) -> None:
        """Watch for exactly these declared paths. Directories that do not exist are skipped.

        If a limit of inotify is reached, which all programs of the user share, `inotify_error` says so.
        """
        self._names = _by_directory({path: path for path in paths})
        self._try(self._names)

    def watch_again(self, stale: Collection[str]) -> list[str]:
        """Watch the directories at and below some that appeared, disappeared or moved.

        Returns:
            The declared paths directly in a newly watched directory. What was written to it before was not
            reported.
        """
        before = set(self._directories.values())
        self._try([directory for directory in self._names if _is_below(directory, stale)])
        return [
            path
            for directory in set(self._directories.values()) - before
            for name, paths in self._names[directory].items()
            for path in paths
            if path == _join(directory, name)
        ]

    def _try(self, directories: Collection[str]) -> None:
        """Watch these directories, and no others at these paths."""
        try:
            self._watch(directories)
            self.inotify_error = ""
        except OSError as error:
            self.inotify_error = error.strerror or str(error)

    def _watch(self, directories: Collection[str]) -> None:
        self.inotify = self.inotify or Inotify()
        self._manifests = set()
        for declared in self._declarations:
            try:
                self._manifests.add(self.inotify.add(declared))
            except PermissionError:
                continue  # the sweep reads the declarations too, and reports that it may not
        wanted = set(directories)
        kept = {number: name for number, name in self._directories.items() if name not in wanted}
        found: dict[int, str] = {}
        try:
            for directory in directories:
                try:
                    with open_below(self.home.fd, directory) as fd:
                        found[self.inotify.add(fd)] = directory
                except OSError as error:
                    # The sweep checks one that does not exist or that we may not read.
                    if error.errno == errno.ENOSPC:
                        raise
        finally:
            before = self._directories.keys() | self._loose
            self._directories = {
                number: name for number, name in (kept | found).items() if name in self._names
            }
            self._loose = set()
            for number in before - self._directories.keys() - self._manifests:
                self.inotify.remove(number)

    def await_files(self, targets: Mapping[str, str]) -> list[str]:
        """Watch the volume for exactly these files, which neither side has.

        If inotify has no watch to spare, or another host writes the file, the sweep finds it.

        Args:
            targets: by declared path, the file's path on the volume.

        Returns:
            The declared paths for which a directory is newly watched: the file may already be there.
        """
        if self._awaited == targets or not self.inotify:
            return []
        self._awaited = dict(targets)
        self._names_on_volume = _by_directory(targets)
        before = self._on_volume
        self._on_volume = {}
        for directory in self._names_on_volume:
            with suppress(OSError), open_below(self.volume.fd, directory) as fd:
                self._on_volume[self.inotify.add(fd, inotify.ARRIVALS)] = directory
        for number in before.keys() - self._on_volume.keys():
            self.inotify.remove(number)
        new = [self._names_on_volume[self._on_volume[number]] for number in self._on_volume.keys() - before]
        return sorted({path for names in new for paths in names.values() for path in paths})

    @property
    def descriptors(self) -> list[int]:
        """A descriptor that becomes readable when there are changes."""
        return [self.inotify.fd] if self.inotify else []

    def changes(self) -> Change:
        """What has happened since the last call; does not wait."""
        change = self._read()
        self._unread, self._departed = Change(), {}
        return change

    @property
    def has_unread(self) -> bool:
        """Whether `peek` has read something that `changes` has not returned yet."""
        return self._unread != Change()

    def peek(self, path: str) -> Change:
        """What `changes` would return now, and still does; with each rename that showed at a path before."""
        # A rename shows before it is reported (on a busy machine, of 4,244 that showed, 63 were not reported
        # yet), but its directories are locked until then. So this one, which changes nothing, waits for it.
        with suppress(OSError), self.home.parent(path) as (fd, name):
            os.rename(name, name, src_dir_fd=fd, dst_dir_fd=fd)
        return self._read()

    def _read(self) -> Change:
        change = self._unread
        while self.inotify and (events := list(self.inotify.read())):
            for event in events:
                if event.mask & inotify.OVERFLOW:
                    change.overflow = True
                elif event.watch in self._manifests:
                    change.manifests = change.manifests or event.name.endswith(".json")
                elif event.watch in self._directories:
                    self._interpret(event, change)
                elif event.watch in self._on_volume:
                    self._note_arrival(event, change)
        change.moved = set(self._departed.values())
        return change

    def _note_arrival(self, event: Event, change: Change) -> None:
        """Something is new in a directory on the volume, or the directory was removed."""
        if event.mask & inotify.GONE:
            self._on_volume.pop(event.watch)
        else:
            concerned = self._names_on_volume[self._on_volume[event.watch]].get(event.name, set())
            change.arrived |= concerned
            if not event.mask & inotify.DIRECTORY or not concerned:
                return
        self._awaited = None  # the watched directories are not the right ones

    def _interpret(self, event: Event, change: Change) -> None:
        """Add the meaning of one event."""
        directory = self._directories[event.watch]
        if event.mask & inotify.GONE:
            self._leave(directory, change)
            return
        place = _join(directory, event.name)
        if event.mask & inotify.MOVED_TO and event.cookie in self._departed:
            path = self._departed[event.cookie]
            if event.name == aside_name(os.path.basename(path)):  # we did it
                del self._departed[event.cookie]
            else:
                change.renamed[path] = place
        concerned = self._names.get(directory, {}).get(event.name, set())
        if not concerned:
            return
        if event.mask & inotify.DIRECTORY and not event.mask & inotify.CLOSE_WRITE:
            self._leave(place, change)
        for path in concerned:
            if path != place:
                change.signs.setdefault(path, Sign.ABOVE)
                continue
            change.signs.pop(path, None)  # the latest one counts, and is the last in order
            change.signs[path] = _sign(event.mask)
            change.renamed.pop(path, None)
            if event.mask & inotify.MOVED_FROM:
                self._departed[event.cookie] = path

    def _leave(self, directory: str, change: Change) -> None:
        """A directory appeared, disappeared or moved: until it is watched again, ignore events from there."""
        change.stale.add(directory)
        for number, name in list(self._directories.items()):
            if _is_below(name, {directory}):
                del self._directories[number]
                self._loose.add(number)
        inside = self._names.get(directory)
        for path in set().union(*inside.values()) if inside else ():
            change.above.add(path)
            change.signs.setdefault(path, Sign.ABOVE)

    def close(self) -> None:
        """Stop watching."""
        for fd in self._declarations:
            os.close(fd)
        if self.inotify:
            self.inotify.close()


def _by_directory(targets: Mapping[str, str]) -> dict[str, dict[str, set[str]]]:
    """The keys whose value is at or below a name, by directory and name, from the top."""
    found: dict[str, dict[str, set[str]]] = {}
    for path, target in targets.items():
        parts = target.split("/")
        for depth, name in enumerate(parts):
            found.setdefault("/".join(parts[:depth]), {}).setdefault(name, set()).add(path)
    return found


def _sign(mask: int) -> Sign:
    if mask & inotify.MOVED_FROM:
        return Sign.MOVED
    if mask & inotify.DELETE:
        return Sign.DELETED
    if mask & (inotify.MOVED_TO | inotify.CLOSE_WRITE):
        return Sign.SAVED
    return Sign.FILLING if mask & inotify.DIRECTORY else Sign.CREATED


def _join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name


def _is_below(directory: str, tops: Collection[str]) -> bool:
    """Whether a directory is one of some, or below one of them."""
    return any(not top or directory == top or directory.startswith(f"{top}/") for top in tops)
