"""One bounded walk through the home, for all checks of its content."""

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.doctor.checks.home import declarations
from coder_ws_runtime.doctor.context import Context, account
from coder_ws_runtime.persist.manifest.entry import DETOURS
from coder_ws_runtime.system.budget import Budget
from coder_ws_runtime.system.processes import started

_SECONDS = 0.25
"""How many seconds the walk may work; after that, its result is reported as a lower bound."""
_CACHES = frozenset({".cache"})
"""Not counted, because it may be lost at any time."""
_SHARED = {".local/share/": 3, ".local/state/": 3, ".local/": 2, ".config/": 2}
"""Directories that many programs share, each with the number of components of one program's own path."""


@dataclass
class Seen:
    """The result of a walk through the home."""

    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes on disk of what is not kept, by path; a directory's path ends with a slash."""
    foreign: dict[str, int] = field(default_factory=dict)
    """The UID of what does not belong to the user, by path; for a directory and its content, only its top."""
    whole: bool = True
    """Whether the walk was completed in time."""

    @property
    def total(self) -> int:
        """Total bytes on disk."""
        return sum(self.sizes.values())


def home_walk(context: Context) -> Seen:
    """The walk through this workspace's home."""
    user = context.ask(account)
    kept = kept_paths(context)
    return walk(
        context.layout.home,
        kept,
        context.ask(container_made),
        Budget(_SECONDS),
        uid=user.uid if user else None,
    )


def kept_paths(context: Context) -> set[str]:
    """Declared paths, relative to the home; what is declared as not kept is below DETOURS."""
    return {entry.path for entry in context.ask(declarations).entries} | {DETOURS}


def container_made(context: Context) -> float:
    """When the container was created, in seconds since the epoch; older files came with the image.

    Docker leaves a file that shows it. Other runtimes do not; but a pod's container is never started a second
    time, so it is as old as its first program.
    """
    try:
        return context.layout.container_mark.stat().st_ctime
    except OSError:
        return started(context.layout.proc, 1)


def walk(home: Path, kept: Collection[str], since: float, budget: Budget, *, uid: int | None = None) -> Seen:
    """Add up the size of what is not kept, and find what does not belong to the user.

    Args:
        home: where to begin. Links are not followed, and mounts below it are not entered.
        kept: declared paths, relative to the home; the walk does not enter them.
        since: only later changes count, in seconds since the epoch.
        budget: how long it may work.
        uid: the user's ID; None: do not look at owners.
    """
    seen = Seen()
    try:
        device = home.stat().st_dev
    except OSError:
        return seen
    pending = [("", False)]
    while pending:
        if budget.is_used_up:
            seen.whole = False
            break
        directory, known = pending.pop()
        for path, status in _entries(home, directory):
            is_directory = stat.S_ISDIR(status.st_mode)
            if is_directory and status.st_dev != device:
                continue
            newer = status.st_ctime > since
            foreign = uid is not None and status.st_uid != uid and newer
            if foreign and not known:
                seen.foreign[path] = status.st_uid
            if path in kept or path in _CACHES:
                continue
            if is_directory:
                pending.append((path, known or foreign))
            elif newer:
                name = _declarable(path)
                seen.sizes[name] = seen.sizes.get(name, 0) + status.st_blocks * 512
    return seen


def _entries(home: Path, directory: str) -> Iterator[tuple[str, os.stat_result]]:
    """The content of a directory of the home: paths relative to the home, without links."""
    try:
        with os.scandir(home / directory) as listing:
            for entry in listing:
                if not entry.is_symlink():
                    path = f"{directory}/{entry.name}" if directory else entry.name
                    yield path, entry.stat(follow_symlinks=False)
    except OSError:
        return


def _declarable(path: str) -> str:
    """The path to declare to keep a file: its program's directory, or the file itself at the top level."""
    parts = path.split("/")
    depth = next((depth for top, depth in _SHARED.items() if path.startswith(top)), 1)
    return path if len(parts) <= depth else "/".join(parts[:depth]) + "/"
