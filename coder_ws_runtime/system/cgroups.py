"""The control groups of the workspace, seen from inside (cgroups(7))."""

from pathlib import Path

from coder_ws_runtime.layout import Layout


def own_groups(layout: Layout) -> Path:
    """The workspace's top control group: everything in it is counted and limited together.

    On cgroup v2, a privileged pod sees the node's root, and PID 1's path shows where the pod is below it. If
    the visible root is already the workspace's own, that path does not exist below it.
    """
    line = next((one for one in _text(layout.proc / "1/cgroup").splitlines() if one.startswith("0::/")), "")
    # systemd has moved itself into a group below.
    path = line.removeprefix("0::/").removesuffix("init.scope").strip("/")
    below = layout.cgroups / path
    return below if path and (below / "memory.current").exists() else layout.cgroups


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
