"""Look for links to the volume that are not at their own path.

mv(1) across file systems creates a new link there and deletes the old one. For the kernel that is a deletion,
and no descriptor leads to the copy. So this looks for an apparently deleted link, within bounds, where a user
of a workspace may move it.

perl(1) with ``-i.bak`` gives the link a second name, and renames the new file over the first one. A
descriptor of the link still leads to the first name, so this looks for the second one.

While no daemon runs, nobody sees where a program renames a link to.
"""

import heapq
import os
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.identity import link_mark

_SECONDS = 0.3
"""The time limit of a whole search."""
_RECENT = 60.0
"""For this many seconds, a new link counts as the copy of a deleted one."""
_DEPTH = 12
_READ = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# The kernel's own file systems, on which nobody keeps files.
_PSEUDO = frozenset({
    "autofs", "binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs",
    "fusectl", "hugetlbfs", "mqueue", "nsfs", "proc", "pstore", "rpc_pipefs", "securityfs", "sysfs",
    "tracefs",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class FoundLink:
    """A link to the volume."""

    path: str
    text: str
    identity: tuple[int, int]
    """Device and inode."""
    changed: float
    """When its inode changed, in seconds since the epoch."""
    mark: str
    """As `link_mark`."""


class LinkSearch:
    """Searches for links to a volume: once for all links that were deleted before the search began.

    `rm -rf` deletes hundreds of links at once, and no save should wait for hundreds of searches.

    Args:
        volume: the volume.
        roots: where to look. Links are not followed, and mounts are not entered.
    """

    def __init__(self, volume: Path, roots: Callable[[], Iterable[Path]]) -> None:
        self._volume = volume
        self._roots = roots
        self._began = 0.0
        self._found: list[FoundLink] = []

    def has_new_link(self, text: str, after: float) -> bool:
        """Whether a link with a text was created recently; False if time ran out.

        Args:
            text: the link's text.
            after: when the former link was deleted, on the monotonic clock; an earlier search does not count.
        """
        since = time.time() - _RECENT
        return any(link.text == text and link.changed >= since for link in self._links(after))

    def other_name(self, link: os.stat_result, home: Path, after: float) -> str:
        """The path of a link that is known by another one; empty if there is none, or time ran out.

        Args:
            link: what lstat(2) says of it.
            home: where it has to be.
            after: as for `has_new_link`.
        """
        identity, below = (link.st_dev, link.st_ino), f"{home}/"
        found = (link.path for link in self._links(after) if link.identity == identity)
        return next((path for path in found if path.startswith(below)), "")

    def _links(self, after: float) -> list[FoundLink]:
        if not self._began or self._began < after:
            self._began = time.monotonic()
            self._found = find_links(self._volume, self._roots())
        return self._found


def find_links(volume: Path, roots: Iterable[Path], *, deep: bool = True) -> list[FoundLink]:
    """The links whose text begins with the volume's path, as far as they are found in 0.3 s.

    Args:
        volume: the volume.
        roots: where to look. Links are not followed, and mounts are not entered.
        deep: whether to look below them, too, and not only in them.
    """
    return _Search(f"{volume}/", _DEPTH if deep else 0).find(roots)


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """A directory to search: recently changed ones come first, then those near a root."""

    old: bool
    depth: int
    path: str
    device: int


class _Search:
    """A search within bounds for links whose text begins with `prefix`."""

    def __init__(self, prefix: str, depth: int) -> None:
        self.prefix = prefix
        self.depth = depth
        self.found: list[FoundLink] = []
        self.end = time.monotonic() + _SECONDS
        self.since = time.time() - _RECENT
        self.heap: list[_Place] = []
        self.searched: set[str] = set()

    def find(self, roots: Iterable[Path]) -> list[FoundLink]:
        """The links, as far as the time allows."""
        for root in roots:
            found = _status(str(root))
            if found is not None:
                heapq.heappush(self.heap, _Place(found.st_mtime < self.since, 0, str(root), found.st_dev))
        while self.heap and time.monotonic() < self.end:
            with suppress(OSError):  # it was deleted, or we may not read it
                place = heapq.heappop(self.heap)
                if place.path not in self.searched:
                    self.searched.add(place.path)
                    self._in(place)
        return self.found

    def _in(self, place: _Place) -> None:
        """Find the links in one directory; its subdirectories are searched later."""
        opened = os.open(place.path, _READ)
        try:
            with os.scandir(opened) as listing:
                for entry in listing:
                    if entry.is_symlink():
                        self._note(place, entry, os.readlink(entry.name, dir_fd=opened))
                    elif place.depth < self.depth and entry.is_dir(follow_symlinks=False):
                        self._push(place, entry)
        finally:
            os.close(opened)

    def _note(self, place: _Place, entry: os.DirEntry[str], text: str) -> None:
        if text.startswith(self.prefix):
            found = entry.stat(follow_symlinks=False)
            identity = found.st_dev, found.st_ino
            path = f"{place.path}/{entry.name}"
            self.found.append(FoundLink(path, text, identity, found.st_ctime, link_mark(found)))

    def _push(self, place: _Place, entry: os.DirEntry[str]) -> None:
        found = entry.stat(follow_symlinks=False)
        if found.st_dev == place.device:
            old = found.st_mtime < self.since
            heapq.heappush(
                self.heap, _Place(old, place.depth + 1, f"{place.path}/{entry.name}", place.device)
            )


def mount_points() -> list[Path]:
    """The mount points of file systems on which files are kept."""
    try:
        lines = Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()
    except OSError:
        return []
    points: list[Path] = []
    for line in lines:
        head, _, tail = line.partition(" - ")
        kind = tail.split(" ")[0]
        # A path with a space is written differently, and ignored here.
        point = Path(head.split(" ")[4])
        if kind not in _PSEUDO and stat.S_ISDIR(_mode(point)) and point != Path("/"):
            points.append(point)
    return points


def _mode(path: Path) -> int:
    found = _status(str(path))
    return found.st_mode if found else 0


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None
