"""How the workspace's own Docker engine is started: `dockerd`, on the socket that systemd hands over."""

from pathlib import Path

from coder_ws_runtime.layout import Layout
from coder_ws_runtime.settings import Docker

_DEFAULT_ROUTE = "00000000"
_SUBGROUP = "/engine"
"""Where the unit has systemd put the engine itself (DelegateSubgroup=), below the unit's control group."""


def command(layout: Layout, options: Docker, *, cgroup: str, unified: bool, network_mtu: int) -> list[str]:
    """The command line of dockerd. Pure.

    Args:
        layout: where the program is, and its data.
        options: the workspace's settings.
        cgroup: the control group that the engine runs in, as the process sees it.
        unified: whether control groups are those of version 2.
        network_mtu: the MTU of the workspace's own network in bytes; 0: not known.

    Returns:
        the words, the program first.
    """
    words = [
        str(layout.dockerd),
        "--host=fd://",
        f"--data-root={layout.docker_data}",
        # Without it dockerd falls back to copying each layer where it cannot use overlay2, and says nothing.
        "--storage-driver=overlay2",
        # The other driver asks systemd by paths that are right only where the workspace sees its own root.
        "--exec-opt=native.cgroupdriver=cgroupfs",
    ]
    if unified and cgroup.endswith(_SUBGROUP):
        # What containers use belongs to the workspace, also where it sees the node's control groups.
        words.append(f"--cgroup-parent={cgroup.removesuffix(_SUBGROUP)}/containers")
    mtu = options.mtu or network_mtu
    if mtu:
        words += [f"--mtu={mtu}", f"--default-network-opt=bridge=com.docker.network.driver.mtu={mtu}"]
    words += [f"--default-address-pool=base={pool},size=24" for pool in options.address_pools]
    return words


def own_cgroup(lines: str) -> str:
    """The control group of version 2 in a file as /proc/self/cgroup; empty if there is none (cgroups(7))."""
    return next((line[3:] for line in lines.splitlines() if line.startswith("0::")), "")


def network_mtu(routes: str, interfaces: Path) -> int:
    """The MTU of the interface that leads out, in bytes.

    Args:
        routes: a table as /proc/net/route; without a default route there, the smallest MTU counts.
        interfaces: a directory as /sys/class/net.

    Returns:
        0 if it cannot be told.
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
