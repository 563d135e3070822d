"""The check of the kind of engine: Docker, rootless Docker, or Podman in place of Docker."""

from __future__ import annotations

from coder_ws_runtime.doctor.checks.docker import server_version
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Remedy, Verdict, found, ok, skipped, warning
from coder_ws_runtime.system import docker_api
from coder_ws_runtime.system.docker_api import DockerApiError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_PODMAN = "Podman Engine"
"""Podman's name among the components in GET /version."""


@check("docker.engine", "the kind of engine", needs=[Need.LIVE, Need.SOCKET], limit=20)
def engine(context: Context) -> Verdict:
    """The engine is Docker; or it is Podman, and the client uses the classic builder, which works there."""
    try:
        version = server_version(context)
        options = _object(docker_api.get(context.layout.docker_socket, "/info")).get("SecurityOptions")
    except (PermissionError, DockerApiError):
        return skipped("the Docker daemon does not answer; see docker.server")
    components = [part for part in version.get("Components") or [] if isinstance(part, dict)]
    podman = next((part for part in components if part.get("Name") == _PODMAN), None)
    rootless = " without root" if any("rootless" in str(option) for option in options or []) else ""
    if podman is None:
        return ok(f"Docker {version.get('Version')}{rootless}")
    name = f"Podman {podman.get('Version')}{rootless}"
    if context.env.get("DOCKER_BUILDKIT") == "0":
        return ok(f"{name}, used with DOCKER_BUILDKIT=0")
    remedy = Remedy(
        "use the classic builder, which Podman has; to set it for all terminals, use the template's env",
        ("export DOCKER_BUILDKIT=0",),
    )
    problem = f"the engine is {name}, which has no BuildKit: docker build ends without an image"
    evidence = [f"{_PODMAN} {podman.get('Version')}"]
    return found([warning("docker.podman-no-buildkit", problem, remedy, evidence=evidence)], "")


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON value
    return value if isinstance(value, dict) else {}
