"""What the cluster changes on this machine: a network namespace, settings of the kernel, control groups."""

import contextlib
import json
import os
from pathlib import Path

from devtools.images import PREFIX
from devtools.kubernetes.build import LAB
from devtools.shell import run

NAMESPACE = f"{PREFIX}-kubernetes"
# Clones on one machine have networks of their own between the machine and the namespace.
LINK = int(PREFIX[4:6], 16)
HOST, INSIDE = f"10.97.{LINK}.1", f"10.97.{LINK}.2"
API = "10.98.0.1"
# What a kubelet changes for the whole machine.
_SYSCTLS = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)


def connect() -> None:
    """A namespace with the API server's address, and a link to it from this machine."""
    inside = ["ip", "-n", NAMESPACE]
    if not Path(f"/run/netns/{NAMESPACE}").exists():
        run(["ip", "netns", "add", NAMESPACE])
    link, peer = f"cws-k{LINK}", "machine"
    if run(["ip", "link", "show", link], check=False).returncode != 0:
        run(["ip", "link", "add", link, "type", "veth", "peer", "name", peer, "netns", NAMESPACE])
        run(["ip", "addr", "add", f"{HOST}/30", "dev", link])
        run([*inside, "addr", "add", f"{INSIDE}/30", "dev", peer])
        run([*inside, "link", "add", "api", "type", "bridge"])
        run([*inside, "addr", "add", f"{API}/24", "dev", "api"])
    run(["ip", "link", "set", link, "up"])
    for name in ("lo", peer, "api"):
        run([*inside, "link", "set", name, "up"])
    enter = ["nsenter", f"--net=/run/netns/{NAMESPACE}"]
    run([*enter, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
    # Pods are seen by this machine as the namespace.
    rule = ["POSTROUTING", "-s", "10.244.0.0/16", "-o", peer, "-j", "MASQUERADE"]
    if run([*enter, "iptables", "-t", "nat", "-C", *rule], check=False).returncode != 0:
        run([*enter, "iptables", "-t", "nat", "-A", *rule])


def save_sysctls() -> None:
    """Keep what a kubelet changes, unless an earlier run has kept it."""
    kept = LAB / "sysctls.json"
    if not kept.exists():
        values = {name: Path("/proc/sys", name).read_text().strip() for name in _SYSCTLS}
        kept.write_text(json.dumps(values))


def restore_sysctls() -> None:
    """Put back what a kubelet changed."""
    kept = LAB / "sysctls.json"
    if kept.exists():
        for name, value in json.loads(kept.read_text()).items():
            with contextlib.suppress(OSError):
                Path("/proc/sys", name).write_text(value)
        kept.unlink()


def shims(socket: Path) -> list[int]:
    """The processes that hold our containers: containerd's shims name its socket."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if words[0].endswith(b"containerd-shim-runc-v2") and str(socket).encode() in words:
                    found.append(int(entry.name))
    return found


def remove_cgroups() -> None:
    """The kubelet's control groups, the innermost first. One that is in use stays."""
    for top in Path("/sys/fs/cgroup").glob("**/kubepods"):
        for directory, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)
