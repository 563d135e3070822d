"""What workspaces that are gone have left on the volume: find it, judge it, remove it.

A workspace that is stopped has no container, and its data must stay. So Docker's word alone counts only
where nothing of the workspace is left: no container with its label, and no volume (its projects) with its
label or its id in the name. Where Docker cannot tell, the age of the lease does.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from urllib.parse import quote

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import open_directory, sync_directory
from coder_ws_runtime.fs.removing import remove_tree
from coder_ws_runtime.fs.usage import Usage, measure
from coder_ws_runtime.persist.failures import failure_of
from coder_ws_runtime.persist.store.lease import leases, retired
from coder_ws_runtime.persist.store.volume import STATE, Volume
from coder_ws_runtime.system import docker_api

WORKSPACES = ".workspaces"
LABEL = "coder.workspace_id"
"""The label that the template gives to a workspace's container."""


class Verdict(Enum):
    """What becomes of a workspace's copies; the value is the word in the table."""

    CURRENT = "kept: this workspace"
    LEASED = "kept: running"
    CONTAINER = "kept: has a container"
    RECENT = "kept: too recent to tell"
    GONE = "gone"
    OLD = "not seen for long"

    @property
    def removed(self) -> bool:
        """Whether it goes."""
        return self in (Verdict.GONE, Verdict.OLD)


@dataclass(frozen=True, slots=True)
class Left:
    """What the volume has of one workspace."""

    workspace_id: str
    held: bool
    """Whether its lease is held."""
    seen: float
    """When it was last known to run, in seconds since the epoch; else when its newest file was written."""
    usage: Usage
    called: str = ""
    """What its user called it; empty if not known."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What Docker knows."""

    workspaces: frozenset[str] = frozenset()
    """The ids of those that have a container, running or not."""
    projects: frozenset[str] = frozenset()
    """The ids of those that have a volume with their label."""
    volumes: tuple[str, ...] = ()
    """The names of all volumes: without a label, a name that has the id in it counts."""

    def has_volume(self, workspace_id: str) -> bool:
        """Whether there is a volume of a workspace."""
        return workspace_id in self.projects or any(workspace_id in name for name in self.volumes)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a workspace must not have been seen, in seconds."""

    old: float = 90 * 86400.0
    """Where Docker cannot tell."""
    gone: float = 86400.0
    """Where Docker has nothing of it: a workspace that is updated has no container for a moment."""


def judge(left: Left, engine: Engine | None, own: str, now: float, bounds: Bounds) -> Verdict:
    """What is to become of a workspace's copies. Pure.

    Args:
        left: what there is.
        engine: what Docker knows; None: it does not answer.
        own: the id of this workspace.
        now: seconds since the epoch.
        bounds: how long it must not have been seen.
    """
    if left.workspace_id == own:
        return Verdict.CURRENT
    if left.held:
        return Verdict.LEASED
    age = now - left.seen
    if engine is not None:
        if left.workspace_id in engine.workspaces:
            return Verdict.CONTAINER
        if age > bounds.gone and not engine.has_volume(left.workspace_id):
            return Verdict.GONE
    return Verdict.OLD if age > bounds.old else Verdict.RECENT


def ask(socket: Path) -> Engine:
    """What Docker knows.

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
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise docker_api.DockerApiError("answers with something else than containers and volumes") from error


def look(volume: Volume) -> list[Left]:
    """What the volume has of each workspace. Raises OSError."""
    known = {lease.workspace_id: lease for lease in leases(volume.path)}
    found: list[Left] = []
    for workspace_id in sorted({*_names(volume, WORKSPACES), *_names(volume, f"{STATE}/migrations"), *known}):
        lease = known.get(workspace_id)
        place = f"{WORKSPACES}/{workspace_id}"
        usage = Usage(0, 0, 0, complete=True)
        with suppress(FileNotFoundError), volume.anchor.parent(place) as (fd, name):
            usage = measure(fd, name)
        seen = lease.seen if lease else _newest(volume, place)
        held, called = (lease.held, lease.called) if lease else (False, "")
        found.append(Left(workspace_id, held, seen, usage, called))
    return found


def _names(volume: Volume, directory: str) -> list[str]:
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
    """When the newest file of a tree was written, in seconds since the epoch; 0 if there is none."""
    try:
        with volume.anchor.parent(place) as (fd, name):
            opened = open_directory(name, fd)
    except FileNotFoundError:
        return 0.0
    newest = os.fstat(opened).st_mtime
    try:
        for _, names, files, inner in os.fwalk(".", dir_fd=opened):
            for one in (*names, *files):
                with suppress(FileNotFoundError):
                    newest = max(newest, os.stat(one, dir_fd=inner, follow_symlinks=False).st_mtime)
    finally:
        os.close(opened)
    return newest


def remove(volume: Volume, workspace_id: str, progress: Callable[[int], None] | None = None) -> None:
    """Remove all that the volume has of a workspace, for good.

    Its copies are first renamed into the staging directory, so that they are there whole or not at all; if
    we die while they are removed, the next run of any command goes on.

    Args:
        volume: the owner's volume.
        workspace_id: whose copies.
        progress: told of each file that is gone.

    Raises:
        RefusedError: it is running after all, or the file system refuses.
    """
    place = f"{volume.path}/{WORKSPACES}/{workspace_id}"
    try:
        with retired(volume, workspace_id) as gone:
            if not gone:
                raise RefusedError("is running after all; kept", code="gc.running", place=place)
            name = volume.staging.name()
            with (
                suppress(FileNotFoundError),
                volume.anchor.parent(f"{WORKSPACES}/{workspace_id}") as (fd, last),
            ):
                kernel.rename_new(fd, last, volume.staging.fd, name)
                sync_directory(fd)
            volume.staging.discard(name, progress)
            for rest in (f"migrations/{workspace_id}", f"manifests/workspace-{workspace_id}.json"):
                with suppress(FileNotFoundError), volume.anchor.parent(f"{STATE}/{rest}") as (fd, last):
                    remove_tree(fd, last)
    except OSError as error:
        raise failure_of(place, error) from error
