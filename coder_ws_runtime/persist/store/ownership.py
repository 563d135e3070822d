"""What belongs to another user although it should be ours, and the command that corrects it.

A whole volume may belong to another UID because it was restored, or used by another image. Parts of it may,
because a program ran with sudo, or because Docker created the parents of a nested mount, as root.
"""

import os
import shlex
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.fs.anchored import Anchor, Owner, open_directory, report_deep_nesting
from coder_ws_runtime.system.budget import Budget

_NAMED = 5
"""A remedy names at most this many paths one by one; otherwise find(1) finds them."""
_BUDGET = 0.5
"""How many seconds a search may work."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """What belongs to other users."""

    owners: Mapping[str, int]
    """Absolute paths, and the uid of each. Each is the highest: what is above it is ours."""
    root: str
    """Where we looked."""
    complete: bool = True
    """Whether we looked at everything."""

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
    """A user in messages: the name if there is one, and the number."""
    import pwd  # noqa: PLC0415 - only messages need it

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def find_foreign(anchor: Anchor, relative: str, owner: Owner, budget: Budget | None = None) -> Foreign | None:
    """What belongs to others in the path of something, or else in the tree at it; None if nothing does.

    Args:
        anchor: the home or the volume; it is checked too.
        relative: a path below it; empty for all of it.
        owner: the expected owner.
        budget: how long it may work; what was not checked by then is not counted.
    """
    search = _Search(anchor, owner, budget or Budget(_BUDGET))
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
    except OSError:  # it does not exist, or cannot be read although it is ours: not the cause
        pass
    finally:
        os.close(fd)
    return search.result()


class _Search:
    def __init__(self, anchor: Anchor, owner: Owner, budget: Budget) -> None:
        self.anchor = anchor
        self.owner = owner
        self.budget = budget
        self.owners: dict[str, int] = {}
        self.complete = True

    def note(self, found: os.stat_result, path: str) -> bool:
        """Whether this one belongs to another user."""
        if found.st_uid == self.owner.uid:
            return False
        self.owners[f"{self.anchor.path}/{path}".rstrip("/")] = found.st_uid
        return True

    def inside(self, fd: int, path: str, device: int) -> None:
        """Check the content of a directory; mounts in it are not entered."""
        if self.budget.is_used_up:
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
