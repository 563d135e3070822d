"""All checks, in the order in which they are reported.

A new check is a decorated function, and a line here.
"""

from coder_ws_runtime.doctor.checks import (
    agent,
    disk,
    docker,
    engine,
    home,
    jetbrains,
    network,
    system,
    tools,
    unsaved,
)
from coder_ws_runtime.doctor.engine import Check

CHECKS: tuple[Check, ...] = (
    system.pid1,
    system.state,
    system.units,
    system.boot_order,
    system.hooks,
    system.settings,
    system.locale,
    agent.token,
    agent.init_script,
    agent.process,
    agent.build,
    docker.cli,
    docker.socket,
    docker.group,
    docker.server,
    engine.engine,
    docker.bind_mounts,
    home.volume,
    home.manifests,
    home.links,
    home.daemon,
    home.orphans,
    unsaved.unsaved,
    jetbrains.files,
    jetbrains.locks,
    *tools.CHECKS,
    network.dns,
    network.host,
    network.coder,
    network.clock,
    network.web_shell,
    disk.volume,
    disk.projects,
    disk.root,
    disk.tmp,
    disk.memory,
)
