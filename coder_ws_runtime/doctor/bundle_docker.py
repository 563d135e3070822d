"""What a bundle contains about the Docker engine and this container."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.system import docker_api
from coder_ws_runtime.system.container import own_container
from coder_ws_runtime.system.docker_api import DockerApiError

_INFO = (
    *(
        "ServerVersion",
        "OperatingSystem",
        "OSType",
        "Architecture",
        "KernelVersion",
        "Driver",
        "CgroupDriver",
    ),
    *(
        "CgroupVersion",
        "SecurityOptions",
        "DefaultRuntime",
        "NCPU",
        "MemTotal",
        "Containers",
        "Images",
        "Warnings",
    ),
)
_CONTAINER = ("Image", "Created", "RestartCount", "Path", "Platform", "Driver")
_STATE = ("Status", "StartedAt", "OOMKilled", "ExitCode", "Error")
_HOST = (
    *(
        "RestartPolicy",
        "Privileged",
        "Memory",
        "NanoCpus",
        "PidsLimit",
        "CgroupnsMode",
        "Runtime",
        "NetworkMode",
    ),
    *("UsernsMode", "CapAdd", "CapDrop", "SecurityOpt", "ShmSize", "Tmpfs", "Init"),
)
_IMAGE = ("Id", "RepoTags", "RepoDigests", "Created", "Architecture", "Os", "Size")


def describe_engine(socket: Path, patience: float) -> Iterator[str]:
    """Lines about the engine: its components, and its host.

    Args:
        socket: the engine's.
        patience: seconds that one answer may take.
    """
    version = _ask(socket, "/version", patience)
    for part in version.get("Components") or []:
        yield f"{part.get('Name')}: {part.get('Version')}"
    yield f"ApiVersion: {version.get('ApiVersion', version.get('error'))}"
    yield from _fields(_ask(socket, "/info", patience), _INFO)


def describe_container(context: Context, patience: float) -> Iterator[str]:
    """Lines about this container and its image, without its environment, which has the agent's token.

    Args:
        context: the doctor's.
        patience: seconds that one answer may take.
    """
    socket, own = context.layout.docker_socket, own_container(context.layout.proc)
    yield f"id: {own or 'unknown'}"
    if not own:
        return
    shown = _ask(socket, f"/containers/{own}/json", patience)
    yield from _fields(shown, (*_CONTAINER, "error"))
    config = shown.get("Config") or {}
    yield from _fields(config, ("Image", "Hostname", "User", "StopSignal", "StopTimeout"), "Config.")
    yield from _fields(shown.get("State") or {}, _STATE, "State.")
    yield from _fields(shown.get("HostConfig") or {}, _HOST, "HostConfig.")
    for mount in shown.get("Mounts") or []:
        yield " ".join(f"{key}={mount.get(key)}" for key in ("Type", "Name", "Source", "Destination", "RW"))
    if shown.get("Image"):
        yield from _fields(_ask(socket, f"/images/{shown['Image']}/json", patience), _IMAGE, "image.")


def _fields(value: dict[str, Any], names: Sequence[str], prefix: str = "") -> Iterator[str]:
    return (f"{prefix}{name}: {value[name]}" for name in names if value.get(name) not in (None, "", [], {}))


def _ask(socket: Path, resource: str, patience: float) -> dict[str, Any]:
    try:
        answer = docker_api.get(socket, resource, limit=patience)
    except (DockerApiError, OSError) as error:
        return {"error": f"{resource.split('/')[1]}: {error}"}
    return answer if isinstance(answer, dict) else {}
