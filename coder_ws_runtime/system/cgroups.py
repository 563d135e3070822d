"""The control groups of the workspace, as they are seen from inside (cgroups(7))."""

from pathlib import Path

from coder_ws_runtime.layout import Layout


def own_groups(layout: Layout) -> Path:
    """The directory of the workspace's own control groups: what is below is counted, and limited, together.

    A privileged pod on version 2 sees the node's root; PID 1 says where below it the pod is. Where the root
    that is seen is the workspace's own already, the path that PID 1 says does not exist below it.
    """
    line = next((one for one in _text(layout.proc / "1/cgroup").splitlines() if one.startswith("0::/")), "")
    # systemd has put itself into a group below.
    path = line.removeprefix("0::/").removesuffix("init.scope").strip("/")
    below = layout.cgroups / path
    return below if path and (below / "memory.current").exists() else layout.cgroups


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
