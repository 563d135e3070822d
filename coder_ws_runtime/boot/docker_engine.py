"""How the workspace starts its own Docker engine: `dockerd`, on the socket that systemd passes to it."""

from pathlib import Path

from coder_ws_runtime.layout import Layout
from coder_ws_runtime.settings import Docker

_DEFAULT_ROUTE = "00000000"
_SUBGROUP = "/engine"
"""The sub-cgroup into which systemd puts the engine itself (DelegateSubgroup=)."""


def command(layout: Layout, options: Docker, *, cgroup: str, unified: bool, network_mtu: int) -> list[str]:
    """The command line of dockerd. Pure.

    Args:
        layout: says where the program and its data are.
        options: the workspace's settings.
        cgroup: the engine's control group, as the process sees it.
        unified: whether the kernel uses cgroup v2.
        network_mtu: the MTU of the workspace's own network in bytes; 0 if unknown.

    Returns:
        the argument vector, program first.
    """
    words = [
        str(layout.dockerd),
        "--host=fd://",
        f"--data-root={layout.docker_data}",
        # Without this, where overlay2 does not work, dockerd silently uses a driver that copies each layer.
        "--storage-driver=overlay2",
        # The systemd driver names control groups by paths that need the workspace to see its own root.
        "--exec-opt=native.cgroupdriver=cgroupfs",
    ]
    if unified and cgroup.endswith(_SUBGROUP):
        # Containers count against the workspace, even if it sees the node's control groups.
        words.append(f"--cgroup-parent={cgroup.removesuffix(_SUBGROUP)}/containers")
    mtu = options.mtu or network_mtu
    if mtu:
        words += [f"--mtu={mtu}", f"--default-network-opt=bridge=com.docker.network.driver.mtu={mtu}"]
    words += [f"--default-address-pool=base={pool},size=24" for pool in options.address_pools]
    return words


def own_cgroup(lines: str) -> str:
    """The cgroup v2 path in a file like /proc/self/cgroup; empty if there is none (cgroups(7))."""
    return next((line[3:] for line in lines.splitlines() if line.startswith("0::")), "")


def network_mtu(routes: str, interfaces: Path) -> int:
    """The MTU of the interface with the default route, in bytes.

    Args:
        routes: a table like /proc/net/route; if it has no default route, the smallest MTU counts.
        interfaces: a directory like /sys/class/net.

    Returns:
        0 if it cannot be determined.
    """
    rows = [line.split() for line in routes.splitlines()[1:]]
    leading = [row[0] for row in rows if len(row) > 7 and row[1] == row[7] == _DEFAULT_ROUTE]  # noqa: PLR2004 - Mask
    names = leading or _outward(interfaces)
    return min((mtu for name in names if (mtu := _mtu(interfaces / name))), default=0)


def _outward(interfaces: Path) -> list[str]:
    try:
        found = sorted(entry.name for entry in interfaces.iterdir())
    except OSError:
        return []
    return [name for name in found if name != "lo" and not name.startswith(("docker", "br-", "veth"))]


def _mtu(interface: Path) -> int:
    try:
        return int((interface / "mtu").read_text())
    except (OSError, ValueError):
        return 0
