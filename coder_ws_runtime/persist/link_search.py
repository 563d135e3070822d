"""Look for links to the volume that are not at their own path.

mv(1) across file systems creates a new link there and deletes the old one. For the kernel that is a deletion,
and no descriptor leads to the copy. So this looks for an apparently deleted link where a user of a workspace
may move it. Any other link with the same text shows that the content is still in use. If the time does not
suffice for all of that, nobody knows, and the content stays.

perl(1) with ``-i.bak`` gives the link a second name, and renames the new file over the first one. A
descriptor of the link still leads to the first name, so this looks for the second one.

While no daemon runs, nobody sees where a program renames a link to.
"""

import errno
import heapq
import os
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.identity import link_mark
from coder_ws_runtime.persist.store.names import RESERVED_SUFFIXES, STATE
from coder_ws_runtime.system.mounts import unescaped

_SECONDS = 0.3
"""The time limit of a search: a save or a resolve waits for it."""
_SECONDS_OF_DELETION = 2.0
"""The same for a deletion, which is rare and has waited for ten seconds: some 80,000 directories."""
_RECENT = 60.0
"""Directories that changed in the last 60 seconds are searched first."""
_NOT_OURS = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM)
"""The directory was deleted or replaced meanwhile, or no program of the user may read it."""
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
        self._last: _Search | None = None

    def may_have(self, text: str, after: float) -> bool:
        """Whether there is a link with a text; also True if time ran out before all was searched.

        Args:
            text: the link's text.
            after: when the former link was deleted, on the monotonic clock; an earlier search does not count.
        """
        found = self._search(after, _SECONDS_OF_DELETION)
        return not found.complete or any(
            link.text == text and not link.path.endswith(RESERVED_SUFFIXES) for link in found.links
        )

    def other_name(self, link: os.stat_result, home: Path, after: float) -> str:
        """The path of a link that is known by another one; empty if there is none, or time ran out.

        Args:
            link: what lstat(2) says of it.
            home: where it has to be.
            after: as for `may_have`.
        """
        identity, below = (link.st_dev, link.st_ino), f"{home}/"
        links = self._search(after, _SECONDS).links
        found = (link.path for link in links if link.identity == identity)
        return next((path for path in found if path.startswith(below)), "")

    def _search(self, after: float, seconds: float) -> "_Search":
        """The last search, if it began late enough, and had as much time or needed less; else a new one."""
        last = self._last
        if last is None or last.began < after or not (last.complete or last.seconds >= seconds):
            self._last = last = _Search(self._volume, seconds)
            last.find(self._roots())
        return last


def find_links(volume: Path, roots: Iterable[Path], *, deep: bool = True) -> list[FoundLink]:
    """The links whose text begins with the volume's path, as far as they are found in 0.3 s.

    Args:
        volume: the volume.
        roots: where to look. Links are not followed, and mounts are not entered.
        deep: whether to look below them, too, and not only in them.
    """
    return _Search(volume, _SECONDS, deep=deep).find(roots)


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """A directory to search: recently changed ones come first, then those near a root."""

    old: bool
    depth: int
    path: str
    device: int


class _Search:
    """A search within a time limit for links whose text begins with the volume's path.

    What is in the attic, and the other records of home-persist, is not searched.
    """

    def __init__(self, volume: Path, seconds: float, *, deep: bool = True) -> None:
        self.prefix = f"{volume}/"
        self.deep = deep
        self.seconds = seconds
        self.links: list[FoundLink] = []
        self.complete = False
        """Whether all was searched that we may read."""
        self.began = time.monotonic()
        self.since = time.time() - _RECENT
        self.heap: list[_Place] = []
        self.searched = {os.path.join(os.path.realpath(volume), STATE)}

    def find(self, roots: Iterable[Path]) -> list[FoundLink]:
        """The links, as far as the time allows."""
        for root in roots:
            found = _status(str(root))
            if found is not None:
                heapq.heappush(self.heap, _Place(found.st_mtime < self.since, 0, str(root), found.st_dev))
        end = self.began + self.seconds
        whole = True
        while self.heap and time.monotonic() < end:
            place = heapq.heappop(self.heap)
            if place.path not in self.searched:
                self.searched.add(place.path)
                try:
                    self._in(place)
                except OSError as error:
                    whole = whole and error.errno in _NOT_OURS
        self.complete = whole and not self.heap
        self.heap, self.searched = [], set()  # they may be large, and the daemon keeps the search
        return self.links

    def _in(self, place: _Place) -> None:
        """Find the links in one directory; its subdirectories are searched later."""
        opened = os.open(place.path, _READ)
        try:
            with os.scandir(opened) as listing:
                for entry in listing:
                    try:
                        if entry.is_symlink():
                            self._note(place, entry, os.readlink(entry.name, dir_fd=opened))
                        elif self.deep and entry.is_dir(follow_symlinks=False):
                            self._push(place, entry)
                    except FileNotFoundError:
                        continue
        finally:
            os.close(opened)

    def _note(self, place: _Place, entry: os.DirEntry[str], text: str) -> None:
        if text.startswith(self.prefix):
            found = entry.stat(follow_symlinks=False)
            identity = found.st_dev, found.st_ino
            self.links.append(FoundLink(f"{place.path}/{entry.name}", text, identity, link_mark(found)))

    def _push(self, place: _Place, entry: os.DirEntry[str]) -> None:
        found = entry.stat(follow_symlinks=False)
        if found.st_dev == place.device:
            old = found.st_mtime < self.since
            heapq.heappush(
                self.heap, _Place(old, place.depth + 1, f"{place.path}/{entry.name}", place.device)
            )


def mount_points(proc: Path) -> list[Path]:
    """The mount points of file systems on which files are kept; none without information in `proc`."""
    try:
        lines = os.fsdecode((proc / "self/mountinfo").read_bytes()).split("\n")
    except OSError:
        return []
    points: list[Path] = []
    for line in lines:
        head, dash, tail = line.partition(" - ")
        if dash:
            point = Path(unescaped(head.split(" ")[4]))
            kind = tail.split(" ")[0]
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
