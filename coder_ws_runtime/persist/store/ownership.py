"""What belongs to another user where everything should be ours, and the command that gives it back.

A volume comes from another uid as a whole (restored, or used by another image), or in parts: a program
ran with sudo, or Docker made the parents of a nested mount, which are root's then.
"""

import os
import shlex
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from coder_ws_runtime.fs.anchored import Anchor, Owner, open_directory

_NAMED = 5
"""Paths that a remedy names one by one; more are found by find(1)."""
_BUDGET = 0.5
"""Seconds for a search."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What belongs to other users."""

    paths: tuple[str, ...]
    """Absolute. Each is the highest: what is above it is ours."""
    uids: frozenset[int]
    """Whose they are."""
    root: str
    """Where was looked."""
    complete: bool = True
    """Whether all of it was looked at."""

    def remedy(self, owner: Owner) -> str:
        """The command, for root, that gives all of it to `owner`, and nothing else."""
        if self.complete and len(self.paths) <= _NAMED:
            return remedy(self.paths, owner)
        root = shlex.quote(self.root)
        return f"sudo find {root} -xdev ! -uid {owner.uid} -exec chown -h {owner.uid}:{owner.gid} {{}} +"


def remedy(paths: Sequence[str], owner: Owner) -> str:
    """The command, for root, that gives the trees at `paths` to `owner`; of links, not what they lead to."""
    return f"sudo chown -R {owner.uid}:{owner.gid} {' '.join(map(shlex.quote, paths))}"


def user_name(uid: int) -> str:
    """How a user is called in messages: the name if there is one, and the number."""
    import pwd  # noqa: PLC0415 - only messages need it

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def find_foreign(anchor: Anchor, relative: str, owner: Owner, *, budget: float = _BUDGET) -> Foreign | None:
    """What belongs to others on the way to a path, else in the tree at it; None if nothing does.

    Args:
        anchor: the home or the volume; it counts as on the way itself.
        relative: a path below it; empty for all of it.
        owner: whose it should be.
        budget: seconds; what is not looked at by then is not counted.
    """
    search = _Search(anchor, owner, time.monotonic() + budget)
    fd = os.dup(anchor.fd)
    try:
        found = os.fstat(fd)
        if search.note(found, ""):
            return search.result()
        parts = relative.split("/") if relative else []
        for number, part in enumerate(parts):
            found = os.stat(part, dir_fd=fd, follow_symlinks=False)
            here = "/".join(parts[: number + 1])
            if search.note(found, here):
                return search.result()
            if not stat.S_ISDIR(found.st_mode):
                return None
            inner = open_directory(part, fd)
            os.close(fd)
            fd = inner
        search.inside(fd, relative, os.fstat(fd).st_dev)
    except OSError:  # not there, or not to be looked at although it is ours: this is not the reason
        pass
    finally:
        os.close(fd)
    return search.result()


class _Search:
    def __init__(self, anchor: Anchor, owner: Owner, until: float) -> None:
        self.anchor = anchor
        self.owner = owner
        self.until = until
        self.paths: list[str] = []
        self.uids: set[int] = set()
        self.complete = True

    def note(self, found: os.stat_result, path: str) -> bool:
        """Whether this one is foreign."""
        if found.st_uid == self.owner.uid:
            return False
        self.paths.append(f"{self.anchor.path}/{path}".rstrip("/"))
        self.uids.add(found.st_uid)
        return True

    def inside(self, fd: int, path: str, device: int) -> None:
        """Look at what a directory holds; what is mounted there is another file system's."""
        if time.monotonic() > self.until:
            self.complete = False
            return
        with os.scandir(fd) as listing:
            for entry in listing:
                with suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    inner = f"{path}/{entry.name}" if path else entry.name
                    if found.st_dev != device or self.note(found, inner):
                        continue
                    if stat.S_ISDIR(found.st_mode):
                        opened = open_directory(entry.name, fd)
                        try:
                            self.inside(opened, inner, device)
                        finally:
                            os.close(opened)

    def result(self) -> Foreign | None:
        if not self.paths:
            return None
        return Foreign(tuple(self.paths), frozenset(self.uids), str(self.anchor.path), self.complete)
