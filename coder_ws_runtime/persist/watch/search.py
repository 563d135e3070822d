"""Look for a link that was copied to another file system, or that has another name.

mv(1) across file systems creates a new link there and deletes the old one. For the kernel that is a deletion,
and no descriptor leads to the copy. So this looks for an apparently deleted link, within bounds, where a user
of a workspace may move it.

perl(1) with ``-i.bak`` gives the link a second name, and renames the new file over the first one. A
descriptor of the link still leads to the first name, so this looks for the second one.
"""

import heapq
import os
import stat
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass

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


def has_new_link(text: str, roots: Iterable[Path]) -> bool:
    """Whether a link with the text `text` was created recently in some trees; False if time ran out.

    Args:
        text: the link's text.
        roots: where to look. Links are not followed, and mounts are not entered.
    """

    def is_it(directory: int, entry: os.DirEntry[str]) -> bool:
        recent = entry.stat(follow_symlinks=False).st_ctime >= since
        return recent and os.readlink(entry.name, dir_fd=directory) == text

    since = time.time() - _RECENT
    return bool(_Search(is_it).find(roots))


def other_name(link: os.stat_result, roots: Iterable[Path]) -> str:
    """The path of a link that is known by another one; empty if there is none, or time ran out.

    Args:
        link: what lstat(2) says of it.
        roots: as for `has_new_link`.
    """

    def is_it(_: int, entry: os.DirEntry[str]) -> bool:
        found = entry.stat(follow_symlinks=False)
        return (found.st_dev, found.st_ino) == (link.st_dev, link.st_ino)

    return _Search(is_it).find(roots)


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    """A directory to search: recently changed ones come first, then those near a root."""

    old: bool
    depth: int
    path: str
    device: int


class _Search:
    """A search within bounds; `is_it` is asked of each link, with the directory that has it."""

    def __init__(self, is_it: Callable[[int, os.DirEntry[str]], bool]) -> None:
        self.is_it = is_it
        self.end = time.monotonic() + _SECONDS
        self.since = time.time() - _RECENT
        self.heap: list[_Place] = []

    def find(self, roots: Iterable[Path]) -> str:
        """The path of the link; empty if it is not there."""
        for root in roots:
            found = _status(str(root))
            if found is not None:
                heapq.heappush(self.heap, _Place(found.st_mtime < self.since, 0, str(root), found.st_dev))
        while self.heap and time.monotonic() < self.end:
            with suppress(OSError):  # it was deleted, or we may not read it
                path = self._in(heapq.heappop(self.heap))
                if path:
                    return path
        return ""

    def _in(self, place: _Place) -> str:
        """The path of the link in one directory; its subdirectories are searched later."""
        opened = os.open(place.path, _READ)
        try:
            with os.scandir(opened) as listing:
                for entry in listing:
                    if entry.is_symlink():
                        if self.is_it(opened, entry):
                            return f"{place.path}/{entry.name}"
                    elif place.depth < _DEPTH and entry.is_dir(follow_symlinks=False):
                        self._push(place, entry)
        finally:
            os.close(opened)
        return ""

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
