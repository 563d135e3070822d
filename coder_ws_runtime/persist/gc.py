"""Find what deleted workspaces have left on the volume, and decide what to remove.

:mod:`coder_ws_runtime.persist.collect` moves it.

A stopped workspace has no container, and its data must be kept. So the engine's answer leads to a removal
only if the settings say that the engine knows all workspaces that use the volume: workspaces on other hosts
may use a volume on a network, and this host's engine does not know them. Even then, a workspace counts as
deleted only if nothing of it exists: no container with its label, and no volume (its projects) with its label
or with its ID in the name. In all other cases, the time at which it was last seen decides.

The time is the lease's (:mod:`coder_ws_runtime.persist.store.lease`), which every resolve renews. Whatever
the bound is, the copies of a workspace that may be running on a host that is cut off are kept.
"""

import os
import stat
from contextlib import suppress
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.fs.anchored import open_directory
from coder_ws_runtime.fs.usage import Usage, measure
from coder_ws_runtime.persist.store import names
from coder_ws_runtime.persist.store.failures import failure_of
from coder_ws_runtime.persist.store.lease import leases
from coder_ws_runtime.persist.store.volume import Volume
from coder_ws_runtime.system import docker_api

LABEL = "coder.workspace_id"
"""The label that the template gives a workspace's container."""


class Verdict(Enum):
    """What to do with a workspace's copies; the value is the text in the table."""

    CURRENT = "kept: this workspace"
    LEASED = "kept: running"
    CONTAINER = "kept: has a container"
    RECENT = "kept: seen too recently"
    CUT_OFF = "kept: may be running on a host that is cut off"
    GONE = "gone"
    OLD = "not seen for long"

    @property
    def removed(self) -> bool:
        """Whether they are removed."""
        return self in (Verdict.GONE, Verdict.OLD)


@dataclass(frozen=True, slots=True)
class WorkspaceCopies:
    """The copies that the volume has of one workspace."""

    workspace_id: str
    held: bool
    """Whether its lease is held."""
    seen: float
    """When it was last seen, in seconds since the epoch; without a lease, the time of its newest file."""
    usage: Usage
    workspace_name: str = ""
    """Empty if unknown."""
    cut_off: bool = False
    """Whether it may be running although its lease is not held."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a Docker engine knows."""

    workspaces: frozenset[str] = frozenset()
    """IDs of workspaces that have a container, running or not."""
    projects: frozenset[str] = frozenset()
    """IDs of workspaces that have a volume with their label."""
    volumes: tuple[str, ...] = ()
    """The names of all volumes: one without a label counts if its name contains the ID."""
    knows_all: bool = False
    """Whether a workspace that it does not know does not exist."""

    def has_volume(self, workspace_id: str) -> bool:
        """Whether a workspace has a volume."""
        return workspace_id in self.projects or any(workspace_id in name for name in self.volumes)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a workspace must not have been seen, in seconds."""

    old: float = 90 * 86400.0
    """If the engine cannot tell."""
    gone: float = 86400.0
    """If the engine knows all workspaces and has nothing of this one: while a workspace is updated, it has no
    container for a moment."""


def judge(copies: WorkspaceCopies, engine: Engine | None, own: str, now: float, bounds: Bounds) -> Verdict:
    """Decide about a workspace's copies. Pure.

    Args:
        copies: the copies.
        engine: what Docker knows; None: it does not answer.
        own: this workspace's ID.
        now: seconds since the epoch.
        bounds: how long it must not have been seen.
    """
    if copies.workspace_id == own:
        return Verdict.CURRENT
    if copies.held:
        return Verdict.LEASED
    age = now - copies.seen
    if engine is not None:
        if copies.workspace_id in engine.workspaces:
            return Verdict.CONTAINER
        if engine.knows_all and age > bounds.gone and not engine.has_volume(copies.workspace_id):
            return Verdict.GONE
    if age <= bounds.old:
        return Verdict.RECENT
    return Verdict.CUT_OFF if copies.cut_off else Verdict.OLD


def query_engine(socket: Path, *, knows_all: bool) -> Engine:
    """What Docker knows.

    Args:
        socket: the engine's.
        knows_all: whether, by the settings, a workspace that it does not know does not exist.

    Raises:
        DockerApiError, PermissionError: it gives no answer.
    """
    labelled = quote(f'{{"label":["{LABEL}"]}}')
    containers = docker_api.get(socket, f"/containers/json?all=1&filters={labelled}")
    volumes = docker_api.get(socket, "/volumes")
    try:
        known = volumes["Volumes"] or ()
        return Engine(
            frozenset(container["Labels"][LABEL] for container in containers),
            frozenset(label[LABEL] for volume in known if LABEL in (label := volume["Labels"] or {})),
            tuple(volume["Name"] for volume in known),
            knows_all,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise docker_api.DockerApiError("answers with something other than containers and volumes") from error


def find_copies(volume: Volume) -> tuple[list[WorkspaceCopies], list[UserError]]:
    """The copies that the volume has of each workspace, and what could not be read."""
    known = {lease.workspace_id: lease for lease in leases(volume.path)}
    problems: list[UserError] = []
    ids = set(known)
    for directory in (names.WORKSPACES, f"{names.STATE}/{names.MIGRATIONS}"):
        try:
            ids.update(_directories(volume, directory))
        except OSError as error:
            problems.append(failure_in(volume, directory, error))
    found: list[WorkspaceCopies] = []
    for workspace_id in sorted(ids):
        lease = known.get(workspace_id)
        place = names.copies_root(workspace_id)
        usage = Usage(0, 0, 0, hard_links=False, complete=True)
        try:
            with suppress(FileNotFoundError), volume.anchor.parent(place) as (fd, name):
                usage = measure(fd, name)
            seen = lease.seen if lease else _newest(volume, place)
        except OSError as error:
            problems.append(failure_in(volume, place, error))
            continue
        if lease is None:
            found.append(WorkspaceCopies(workspace_id, held=False, seen=seen, usage=usage))
            continue
        found.append(
            WorkspaceCopies(workspace_id, lease.held, seen, usage, lease.workspace_name, lease.cut_off)
        )
    return found, problems


def failure_in(volume: Volume, place: str, error: OSError) -> UserError:
    """An error of the file system at a path on the volume."""
    return failure_of(f"{volume.path}/{place}", error, within=((volume.anchor, place, volume.owner),))


def _directories(volume: Volume, directory: str) -> list[str]:
    """The directories in a directory on the volume."""
    try:
        with volume.anchor.parent(directory) as (fd, name):
            opened = open_directory(name, fd)
    except FileNotFoundError:
        return []
    try:
        with os.scandir(opened) as listing:
            return [entry.name for entry in listing if entry.is_dir(follow_symlinks=False)]
    finally:
        os.close(opened)


def _newest(volume: Volume, place: str) -> float:
    """When the newest file in a tree was written, in seconds since the epoch; 0 if there is none.

    What cannot be read, or is on another file system, does not count.
    """
    try:
        with volume.anchor.parent(place) as (fd, name):
            opened = open_directory(name, fd)
    except FileNotFoundError:
        return 0.0
    found = os.fstat(opened)
    newest, device = found.st_mtime, found.st_dev
    try:
        for _, directories, files, inner in os.fwalk(".", dir_fd=opened):
            for one in (*directories, *files):
                with suppress(OSError):
                    status = os.stat(one, dir_fd=inner, follow_symlinks=False)
                    newest = max(newest, status.st_mtime)
                    if stat.S_ISDIR(status.st_mode) and status.st_dev != device:
                        directories.remove(one)
    finally:
        os.close(opened)
    return newest
