"""Links that are not where they were, or that lead to what does not last. Reads, and changes nothing."""

import os
import time
from collections.abc import Mapping

from coder_ws_runtime.fs.anchored import Anchor, open_directory

_DEPTH = 5
_ENTRIES = 20_000
_SECONDS = 0.3


def find_link(home: Anchor, text: str, old: str) -> str:
    """Where a managed link is that was renamed to a directory which nobody watches.

    The search is bounded in depth, number and time: a home may be large, and what is not found loses nothing.

    Args:
        home: the home.
        text: what the link says.
        old: where it was, relative to the home.

    Returns:
        Its place, relative to the home; empty if it was not found.
    """
    return _Search(text, old).below(home.fd, ".", "", 0)


class _Search:
    def __init__(self, text: str, old: str) -> None:
        self.text = text
        self.old = old
        self.left = _ENTRIES
        self.until = time.monotonic() + _SECONDS

    def below(self, fd: int, name: str, path: str, depth: int) -> str:
        try:
            opened = open_directory(name, fd, mounted=name == ".")
        except OSError:  # not ours to read, mounted, or gone
            return ""
        try:
            inner = self._inside(opened, path, depth)
            if isinstance(inner, str):
                return inner
            # Near the surface first: that is where programs and people rename to.
            found = (self.below(opened, one, f"{path}/{one}" if path else one, depth + 1) for one in inner)
            return next(filter(None, found), "")
        except OSError:
            return ""
        finally:
            os.close(opened)

    def _inside(self, fd: int, path: str, depth: int) -> str | list[str]:
        """Where the link is in a directory, or the names of the directories to look into."""
        inner: list[str] = []
        with os.scandir(fd) as listing:
            for entry in listing:
                self.left -= 1
                if self.left < 0 or time.monotonic() > self.until:
                    return ""
                where = f"{path}/{entry.name}" if path else entry.name
                if entry.is_symlink():
                    if where != self.old and os.readlink(entry.name, dir_fd=fd) == self.text:
                        return where
                elif depth < _DEPTH and entry.is_dir(follow_symlinks=False):
                    inner.append(entry.name)
        return inner


def links_that_die(home: Anchor, path: str, links: Mapping[str, str]) -> dict[str, str]:
    """Which links lead to what ends with the container: to content of the home that is not persisted.

    Args:
        home: the home.
        path: the declared path whose content the links are in.
        links: what they say, by path within that.

    Returns:
        Those links, by path within the declared path.
    """
    root = os.path.realpath(home.path)
    device = os.fstat(home.fd).st_dev
    lost: dict[str, str] = {}
    for inner, text in links.items():
        target = os.path.realpath(os.path.join(root, os.path.dirname(os.path.join(path, inner)), text))
        try:
            found = os.stat(target)
        except OSError:  # it leads nowhere already
            continue
        if target.startswith(f"{root}/") and found.st_dev == device:
            lost[inner] = text
    return lost
