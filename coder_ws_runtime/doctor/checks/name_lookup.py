"""How the C library looks up names: the hosts file, and the services that it asks (nsswitch.conf(5))."""

import re
from collections.abc import Callable, Iterator

from coder_ws_runtime.doctor import remedies
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Finding, Remedy, failure
from coder_ws_runtime.system import text_file

_ASKING = {"dns", "resolve"}
_LOOPBACK = re.compile(r"^\s*(?:127\.[\d.]+|::1)\s(?:.*\s)?localhost(?:\s|$)", re.MULTILINE)
_UP = 0x1
"""IFF_UP, see netdevice(7)."""


def problems(context: Context, resolves: Callable[[str], str]) -> Iterator[Finding]:
    """Why names cannot be looked up, although a name server may answer; at most one finding.

    Args:
        context: the workspace.
        resolves: gives an address for a name; empty if there is none.
    """
    switch = context.layout.root / "etc/nsswitch.conf"
    line = re.search(r"^\s*hosts:([^#\n]*)", text_file.read(switch), re.MULTILINE)
    if line and not _ASKING & set(line[1].split()):
        command = context.as_root(f"sed -i 's/^\\s*hosts:.*/hosts: files dns/' {switch}")
        problem = "no name can be resolved: programs do not ask the name servers"
        remedy = Remedy("ask the hosts file, then the name servers", (command,))
        yield failure(
            "network.name-servers-unused", problem, remedy, evidence=[f"{switch}: {line[0].strip()}"]
        )
        return
    hosts = context.layout.root / "etc/hosts"
    if not _LOOPBACK.search(text_file.read(hosts)) and not resolves("localhost"):
        text = "restart the workspace, for which a new hosts file is written"
        problem = "localhost has no address, so programs of the workspace do not reach each other"
        evidence = [f"{hosts}: has no line for localhost"]
        yield failure(
            "network.localhost-unknown", problem, remedies.restart_workspace(context, text), evidence=evidence
        )


def loopback_down(context: Context) -> Finding | None:
    """The loopback interface is switched off: no connection inside the workspace works."""
    flags = text_file.read(context.layout.root / "sys/class/net/lo/flags").strip()
    try:
        up = not flags or int(flags, 16) & _UP
    except ValueError:
        return None
    if up:
        return None
    command = context.as_root("ip link set lo up")
    remedy = Remedy("switch it on", (command,))
    problem = "no connection inside the workspace works: the loopback interface is switched off"
    return failure("network.loopback-down", problem, remedy, evidence=[f"lo: flags {flags}"])
