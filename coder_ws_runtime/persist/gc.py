"""What workspaces that are gone have left on the volume: find it, and judge it.

What goes is moved by :mod:`coder_ws_runtime.persist.collect`.

A workspace that is stopped has no container, and its data must stay. The engine's answer counts for
removal only where the settings say that it knows all workspaces that use the volume: a volume on a network
is used by those of other hosts, too, of which this host's engine knows nothing. Even there a workspace
counts as gone only if nothing of it is left: no container with its label, and no volume (its projects)
with its label or its id in the name. Everywhere else the time when it was last seen decides.

The time is the lease's (:mod:`coder_ws_runtime.persist.store.lease`), which every resolve renews.
"""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from coder_ws_runtime.errors import UserError
from coder_ws_runtime.fs.anchored import open_directory
from coder_ws_runtime.fs.usage import Usage, measure
from coder_ws_runtime.persist.store import names
from coder_ws_runtime.persist.store.failures import failure_of
from coder_ws_runtime.persist.store.lease import leases
from coder_ws_runtime.persist.store.volume import Volume
from coder_ws_runtime.system import docker_api

LABEL = "coder.workspace_id"
"""The label that the template gives to a workspace's container."""


class Verdict(Enum):
    """What becomes of a workspace's copies; the value is the word in the table."""

    CURRENT = "kept: this workspace"
    LEASED = "kept: running"
    CONTAINER = "kept: has a container"
    RECENT = "kept: seen too recently"
    GONE = "gone"
    OLD = "not seen for long"

    @property
    def removed(self) -> bool:
        """Whether they go."""
        return self in (Verdict.GONE, Verdict.OLD)


@dataclass(frozen=True, slots=True)
class WorkspaceCopies:
    """What the volume has of one workspace."""

    workspace_id: str
    held: bool
    """Whether its lease is held."""
    seen: float
    """When it was last seen, in seconds since the epoch; without a lease, the time of its newest file."""
    usage: Usage
    workspace_name: str = ""
    """Empty if not known."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What a Docker engine knows."""

    workspaces: frozenset[str] = frozenset()
    """The ids of those that have a container, running or not."""
    projects: frozenset[str] = frozenset()
    """The ids of those that have a volume with their label."""
    volumes: tuple[str, ...] = ()
    """The names of all volumes: without a label, a name that has the id in it counts."""
    knows_all: bool = False
    """Whether a workspace that it does not know does not exist."""

    def has_volume(self, workspace_id: str) -> bool:
        """Whether there is a volume of a workspace."""
        return workspace_id in self.projects or any(workspace_id in name for name in self.volumes)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a workspace must not have been seen, in seconds."""

    old: float = 90 * 86400.0
    """Where the engine cannot tell."""
    gone: float = 86400.0
    """Where the engine knows all workspaces and has nothing of it: a workspace that is updated has no
    container for a moment."""


def judge(copies: WorkspaceCopies, engine: Engine | None, own: str, now: float, bounds: Bounds) -> Verdict:
    """What is to become of a workspace's copies. Pure.

    Args:
        copies: what there is.
        engine: what Docker knows; None: it does not answer.
        own: the id of this workspace.
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
    return Verdict.OLD if age > bounds.old else Verdict.RECENT


def query_engine(socket: Path, *, knows_all: bool) -> Engine:
    """What Docker knows.

    Args:
        socket: of the engine.
        knows_all: whether a workspace that it does not know does not exist, by the settings.

    Raises:
        DockerApiError, PermissionError: it does not tell.
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
        raise docker_api.DockerApiError("answers with something else than containers and volumes") from error


def find_copies(volume: Volume) -> tuple[list[WorkspaceCopies], list[UserError]]:
    """What the volume has of each workspace, and what could not be looked at."""
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
        usage = Usage(0, 0, 0, complete=True)
        try:
            with suppress(FileNotFoundError), volume.anchor.parent(place) as (fd, name):
                usage = measure(fd, name)
            seen = lease.seen if lease else _newest(volume, place)
        except OSError as error:
            problems.append(failure_in(volume, place, error))
            continue
        held, name_ = (lease.held, lease.workspace_name) if lease else (False, "")
        found.append(WorkspaceCopies(workspace_id, held, seen, usage, name_))
    return found, problems


def failure_in(volume: Volume, place: str, error: OSError) -> UserError:
    """What a file system said of a place on the volume."""
    return failure_of(f"{volume.path}/{place}", error, within=((volume.anchor, place, volume.owner),))


def _directories(volume: Volume, directory: str) -> list[str]:
    """The directories in a directory of the volume."""
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
    """When the newest file of a tree was written, in seconds since the epoch; 0 if there is none.

    What cannot be read, or is another file system's, does not count.
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
