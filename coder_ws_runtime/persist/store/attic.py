"""The attic: what lost, kept for a while; :mod:`coder_ws_runtime.persist.store.attic_items` looks after it.

``.home-persist/attic/<time>-<workspace>/<path>`` on the volume, where `path` is relative to the home.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from coder_ws_runtime.fs.anchored import Anchor, open_directory, sync_directory
from coder_ws_runtime.persist.store.volume import STATE, Volume

DIRECTORY = f"{STATE}/attic"


def stamp(now: float, workspace: str) -> str:
    """The name of a batch: UTC with milliseconds, so that names sort by time, and the workspace.

    Args:
        now: seconds since the epoch.
        workspace: name or id of the workspace that the batch comes from.
    """
    label = re.sub(r"[^A-Za-z0-9._]+", "-", workspace).strip("-") or "unnamed"
    clock = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
    return f"{clock}.{int(now * 1000) % 1000:03d}Z-{label}"


def batches(volume: Anchor) -> list[str]:
    """The names of the batches, the newest first."""
    try:
        with volume.parent(DIRECTORY) as (fd, name):
            opened = open_directory(name, fd)
    except FileNotFoundError:
        return []
    try:
        return sorted(os.listdir(opened), reverse=True)
    finally:
        os.close(opened)


def in_attic(volume: Anchor, path: str) -> bool:
    """Whether any batch has something of a path; relative to the home."""
    return any(volume.status(f"{DIRECTORY}/{batch}/{path}") is not None for batch in batches(volume))


class Attic:
    """Where this process puts what lost.

    Args:
        volume: the volume.
        workspace: name or id of the workspace, for the batches' names.
    """

    def __init__(self, volume: Volume, workspace: str) -> None:
        self.volume = volume
        self.workspace = workspace
        self.batch = ""
        self.count = 0
        """How many things were put in."""
        self._taken: set[str] = set()
        self._above: set[str] = set()

    @contextmanager
    def place(self, path: str) -> Iterator[tuple[int, str]]:
        """A free place for the content of a path: a directory's descriptor, and the name in it.

        The directory itself is durable; the caller syncs the name.
        """
        parts = path.split("/")
        above = {"/".join(parts[:length]) for length in range(1, len(parts))}
        if not self.batch or path in self._taken | self._above or above & self._taken:
            self._new_batch()
        self._taken.add(path)
        self._above |= above
        inside = f"{DIRECTORY}/{self.batch}/{path}"
        anchor: Anchor = self.volume.anchor
        anchor.make_directories(inside.rpartition("/")[0], owner=self.volume.owner)
        with anchor.parent(inside) as (fd, name):
            yield fd, name
        self.count += 1

    def since(self, count: int) -> str:
        """The batch of what was put in after the first `count` things; empty if nothing was."""
        return self.batch if self.count > count else ""

    def _new_batch(self) -> None:
        """Begin a batch that no other process has."""
        with self.volume.directory("attic") as fd:
            while True:
                self.batch = stamp(time.time(), self.workspace)
                try:
                    os.mkdir(self.batch, 0o700, dir_fd=fd)
                except FileExistsError:
                    time.sleep(0.001)
                    continue
                self.volume.owner.chown(self.batch, fd)
                sync_directory(fd)
                self._taken.clear()
                self._above.clear()
                return
