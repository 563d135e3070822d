"""All checks, in the order in which they are reported."""

from coder_ws_runtime.doctor import docker, home, system
from coder_ws_runtime.doctor.engine import Check

CHECKS: tuple[Check, ...] = (
    system.pid1,
    docker.socket,
    home.links,
)
