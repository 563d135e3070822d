"""What belongs to another user where everything should be ours, and the command that gives it back.

A volume comes from another uid as a whole (restored, or used by another image), or in parts: a program
ran with sudo, or Docker made the parents of a nested mount, which are root's then.
"""

import os
import shlex
import stat
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from coder_ws_runtime.fs.anchored import Anchor, Owner, open_directory, report_deep_nesting

_NAMED = 5
"""Paths that a remedy names one by one; more are found by find(1)."""
_BUDGET = 0.5
"""Seconds for a search."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What belongs to other users."""

    owners: Mapping[str, int]
    """Absolute paths, and the uid of each. Each is the highest: what is above it is ours."""
    root: str
    """Where was looked."""
    complete: bool = True
    """Whether all of it was looked at."""

    @property
    def paths(self) -> tuple[str, ...]:
        """What belongs to others."""
        return tuple(self.owners)

    @property
    def uids(self) -> frozenset[int]:
        """Whose it is."""
        return frozenset(self.owners.values())

    def remedy(self, owner: Owner) -> str:
        """The command that gives all of it to `owner`, and nothing else."""
        few = self.complete and len(self.paths) <= _NAMED
        return remedy(self.paths if few else [self.root], owner)


def remedy(paths: Iterable[str], owner: Owner) -> str:
    """The command that gives what is not `owner`'s in some trees to `owner`."""
    return f"sudo {give(paths, str(owner.uid), str(owner.gid))}"


def give(paths: Iterable[str], user: str, group: str = "", *, but: Iterable[str] = ()) -> str:
    """The command, for root, that gives what is another user's in some trees to a user.

    Of links, not what they lead to; nothing of what is mounted in the trees.

    Args:
        paths: the trees.
        user: name or number.
        group: name or number; empty: the user's own (chown(1)).
        but: mount points in the trees, which `-xdev` does not leave out themselves (find(1)).
    """
    words = " ".join(shlex.quote(path) for path in paths)
    mounts = "".join(f" ! -path {shlex.quote(point)}" for point in sorted(but))
    return f"find {words} -xdev ! -user {user}{mounts} -exec chown -h {user}:{group} {{}} +"


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
        self.owners: dict[str, int] = {}
        self.complete = True

    def note(self, found: os.stat_result, path: str) -> bool:
        """Whether this one is foreign."""
        if found.st_uid == self.owner.uid:
            return False
        self.owners[f"{self.anchor.path}/{path}".rstrip("/")] = found.st_uid
        return True

    def inside(self, fd: int, path: str, device: int) -> None:
        """Look at what a directory holds; what is mounted there is another file system's."""
        if time.monotonic() > self.until:
            self.complete = False
            return
        with os.scandir(fd) as listing:
            for entry in listing:
                with suppress(OSError), report_deep_nesting():
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
        return Foreign(self.owners, str(self.anchor.path), self.complete) if self.owners else None
