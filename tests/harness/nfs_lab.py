"""A real NFSv4 server and two clients, in a kernel of their own: User Mode Linux.

Neither a module nor a server of the host's is touched, and nothing is installed beside the program
`linux.uml`: the host's own root file system is that kernel's, read-only, so its Python and this checkout run
there.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from devtools.shell import ROOT

_DISK = 256 << 20
_INIT = """#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /var/lib; mkdir -p /var/lib/nfs/v4recovery /run/netns
ip link set lo up
cd {checkout}
{python} -B -m tests.harness.nfs_inside /dev/ubda '{options}' {delegations}
echo o > /proc/sysrq-trigger
sleep 5
"""


def run(place: Path, options: str, *, delegations: bool, seconds: float = 540) -> list[dict[str, Any]]:
    """Boot it, run all scenarios, and return how each ended.

    Args:
        place: an empty directory.
        options: of the clients' mounts, e.g. ``vers=4.2``.
        delegations: whether the clients get any; without, `options` have to say ``vers=4.0``.
        seconds: in which it has to be over.

    Returns:
        For each `scenario` its name, the `error` (a traceback, or empty) and the `seconds` that it took.

    Raises:
        RuntimeError: it did not come to its end; the message has the last of what it printed.
    """
    disk, init, log = place / "disk", place / "init", place / "log"
    with disk.open("wb") as file:
        file.truncate(_DISK)
    subprocess.run(["mkfs.ext4", "-q", "-F", disk], check=True, capture_output=True)
    text = _INIT.format(checkout=ROOT, python=sys.executable, options=options, delegations=int(delegations))
    init.write_text(text)
    init.chmod(0o755)
    command = [
        "linux.uml", "mem=1G", f"ubd0={disk}", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
        f"init={init}", "con=null", "con0=null,fd:1", "con1=null,fd:1", "quiet",
    ]  # fmt: skip
    environment = {**os.environ, "TMPDIR": str(place), "HOME": str(place)}
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
        ) as machine,
    ):
        try:
            machine.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(machine.pid, 9)
    lines = log.read_text(errors="replace").splitlines()
    found = [json.loads(line.removeprefix("RESULT ")) for line in lines if line.startswith("RESULT ")]
    if "DONE" not in lines:
        tail = "\n".join(lines[-40:])
        raise RuntimeError(f"the NFS lab did not come to its end; it printed last:\n{tail}")
    return found
