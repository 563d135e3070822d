"""The check of bind mounts of other containers: their paths are the host's, not the workspace's."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.doctor.checks.docker import api_number, server_version
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import (
    Finding,
    Remedy,
    Verdict,
    found,
    ok,
    skipped,
    warning,
)
from coder_ws_runtime.settings import Engine
from coder_ws_runtime.system import docker_api
from coder_ws_runtime.system.container import own_container
from coder_ws_runtime.system.docker_api import DockerApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_SUBPATH_API = (1, 45)
"""The API version since which a part of a volume can be mounted (volume-subpath)."""


@check("docker.bind-mounts", "bind mounts of other containers", needs=[Need.LIVE, Need.SOCKET], limit=20)
def bind_mounts(context: Context) -> Verdict:
    """No container mounts a path of the workspace: the host has another directory at that path, or none."""
    if context.settings.engine is Engine.OWN:
        return ok("the workspace has its own engine, so bind mounts use the workspace's paths")
    try:
        version = server_version(context)
        containers = docker_api.get(context.layout.docker_socket, "/containers/json")
    except (PermissionError, DockerApiError):
        return skipped("the Docker daemon does not answer; see docker.server")
    if not isinstance(containers, list):
        return skipped("the Docker daemon gives no list of containers; see docker.server")
    own = own_container(context.layout.proc)
    ours: dict[str, Any] = next((item for item in containers if item.get("Id") == own), {})
    findings = [
        _wrong_mount(context, other, source, ours, version)
        for other in containers
        if other.get("Id") != own
        for source in _workspace_paths(context, other)
    ]
    return found(findings, "no container mounts a path of the workspace from the host")


def _workspace_paths(context: Context, container: dict[str, Any]) -> Iterator[str]:
    """The sources of its bind mounts that are also directories of the workspace."""
    inside = [context.layout.home, context.layout.volume]
    for mount in container.get("Mounts", []):
        source = str(mount.get("Source", ""))
        below = any(Path(source).is_relative_to(directory) for directory in inside)
        if mount.get("Type") == "bind" and below and os.path.lexists(source):
            yield source


def _wrong_mount(
    context: Context, other: dict[str, Any], source: str, ours: dict[str, Any], version: dict[str, Any]
) -> Finding:
    name = str((other.get("Names") or [other.get("Id", "")])[0]).lstrip("/")
    mounts = [item for item in ours.get("Mounts", []) if Path(source).is_relative_to(item["Destination"])]
    volume = max(
        (item for item in mounts if item.get("Name")), key=lambda item: len(item["Destination"]), default=None
    )
    if volume is None:
        how = f"copy what it needs below {context.settings.projects or '~/projects'}, which is a volume"
    elif api_number(version) >= _SUBPATH_API:
        subpath = os.path.relpath(source, volume["Destination"])
        part = "" if subpath == "." else f",volume-subpath={subpath}"
        mount = f"type=volume,source={volume['Name']},target=…{part}"
        how = f"start it with --mount {mount} instead of -v {source}:…"
    else:
        ours_id = ours["Id"][:12]
        how = (
            f"start it with --volumes-from {ours_id}, which provides {volume['Destination']} at the same path"
        )
    return warning(
        "docker.bind-mount",
        f"the container {name} has the host's {source}, not the workspace's, which is another directory",
        Remedy(
            f"if it is yours (the engine also has the containers of others), end it, then {how}",
            (f"docker rm --force {shlex.quote(name)}",),
        ),
        evidence=[f"bind mount of {source}; the paths of bind mounts are the host's"],
        about=name,
    )
