"""Inside User Mode Linux: an NFSv4 server and two clients, and the scenarios of a volume on it.

Runs as the only program of that kernel, on the host's own root file system, read-only (hostfs). Each client
has a network namespace of its own, so that cutting one off is a link that goes down. The server is the
kernel's; what mountd would answer is written into its channels, and the clients are mounted without helpers.
Prints one line of JSON for each scenario.

Over 300 lines, because it is the one program of that kernel: server, clients and scenarios end together.
"""

import ctypes
import errno
import json
import os
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store import locks
from coder_ws_runtime.persist.store.file_system import Support, inspect
from coder_ws_runtime.persist.store.lease import Lease, Renewal, leases
from tests.harness.scenario_parts import (
    holding,
    import_everything,
    in_place,
    make_tree,
    save,
    wait_until,
    watching,
)
from tests.harness.scenarios import SCENARIOS
from tests.harness.tree import Tree, content, write

LEASE = 10
"""Seconds after which the server forgets a client that it does not hear of."""
CODER = 1000
SERVER = Path("/run/server")
CLIENTS = (Path("/run/c1"), Path("/run/c2"))
_ADDRESSES = ("10.99.1", "10.99.2")
_FINIT_MODULE = 313
"""The number of finit_module(2) on x86-64, which is what User Mode Linux is built for."""
_FOREVER = 2147483647
_EXPORT = 0x2422
"""Insecure port, no root squash, no subtree check, file system 0 (linux/nfsd/export.h)."""


def run(*words: str | Path) -> None:
    """Run a program of the host."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, words))}: {done.stderr or done.stdout}")


def put(file: str, text: str) -> None:
    """Write into a file of the kernel's, in one call."""
    fd = os.open(file, os.O_WRONLY)
    try:
        os.write(fd, f"{text}\n".encode())
    finally:
        os.close(fd)


def load(*wanted: str) -> None:
    """Load modules of this kernel with what they need, by modules.dep(5); those built in are there."""
    base = Path("/usr/lib/uml/modules") / os.uname().release
    needed: dict[str, list[str]] = {}
    for line in (base / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needed[Path(path).stem] = [path, *others.split()]
    libc = ctypes.CDLL(None, use_errno=True)
    for name in wanted:
        for path in reversed(needed.get(name, [])):
            with (base / path).open("rb") as file:
                if libc.syscall(_FINIT_MODULE, file.fileno(), b"", 0) and ctypes.get_errno() != errno.EEXIST:
                    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)


def serve(disk: str) -> None:
    """Start the server with one exported directory, which belongs to coder."""
    SERVER.mkdir()
    run("mount", "-t", "ext4", disk, SERVER)
    volume = SERVER / "volume"
    volume.mkdir()
    os.chown(volume, CODER, CODER)
    run("mount", "-t", "nfsd", "nfsd", "/proc/fs/nfsd")
    for name in ("nfsv4gracetime", "nfsv4leasetime"):
        put(f"/proc/fs/nfsd/{name}", str(LEASE))
    put("/proc/fs/nfsd/versions", "-3 +4 +4.1 +4.2")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", 2049))
    listener.listen(64)
    put("/proc/fs/nfsd/portlist", f"{listener.fileno()}")
    put("/proc/fs/nfsd/threads", "4")
    for address in _ADDRESSES:
        put("/proc/net/rpc/auth.unix.ip/channel", f"nfsd {address}.2 {_FOREVER} *")
    put("/proc/net/rpc/nfsd.export/channel", f"* {volume} {_FOREVER} {_EXPORT} 65534 65534 0")
    put("/proc/net/rpc/nfsd.fh/channel", f"* 1 \\x00000000 {_FOREVER} {volume}")


def connect(number: int, options: str, *, delegations: bool) -> None:
    """Mount the server for a client with a network of its own."""
    address, name, target = _ADDRESSES[number], f"c{number + 1}", CLIENTS[number]
    target.mkdir()
    run("ip", "netns", "add", name)
    run("ip", "link", "add", f"v{number}", "type", "veth", "peer", "name", "e0", "netns", name)
    run("ip", "address", "add", f"{address}.1/24", "dev", f"v{number}")
    run("ip", "link", "set", f"v{number}", "up")
    run("ip", "-n", name, "address", "add", f"{address}.2/24", "dev", "e0")
    for device in ("e0", "lo"):
        run("ip", "-n", name, "link", "set", device, "up")
    # A client that cannot be called back gets no delegation (nfs(5), clientaddr).
    called_back = f"{address}.2" if delegations else "0.0.0.0"
    given = f"{options},nosharecache,addr={address}.1,clientaddr={called_back}"
    identity = f"echo node-{name} > /sys/fs/nfs/net/nfs_client/identifier"
    run("ip", "netns", "exec", name, "sh", "-c", identity)
    # Not by `ip netns exec`, which has a mount namespace of its own.
    network = f"--net=/run/netns/{name}"
    run("nsenter", network, "mount", "-i", "-t", "nfs4", "-o", given, f"{address}.1:/", target)


def cut(number: int, state: str) -> None:
    """Take the network of a client down, or up."""
    run("ip", "link", "set", f"v{number}", state)


def as_coder(work: Callable[[], None]) -> str:
    """Do it as coder in a process of its own; returns what went wrong, empty if nothing did."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            os.setgroups([])
            os.setresgid(CODER, CODER, CODER)
            os.setresuid(CODER, CODER, CODER)
            work()
        except BaseException:  # noqa: BLE001 - a child must not come back
            os.write(writing, traceback.format_exc()[-4000:].encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        told = pipe.read().decode(errors="replace")
    os.waitpid(child, 0)
    return told


def report(name: str, work: Callable[[], None]) -> None:
    """Do it, and print how it ended."""
    began = time.monotonic()
    told = as_coder(work)
    line = {"scenario": name, "error": told, "seconds": round(time.monotonic() - began, 1)}
    print(f"\nRESULT {json.dumps(line)}", flush=True)


# Scenarios of two clients --------------------------------------------------------------------------


def homes(name: str) -> tuple[Tree, Tree]:
    """Two workspaces, each with its own client of the server."""
    made = tuple(
        make_tree(Path(f"/run/homes/{name}-{number}"), client / name, f"w{number}")
        for number, client in enumerate(CLIENTS, 1)
    )
    return made[0], made[1]


def two_clients() -> None:
    """What one saves, the other has when it looks."""
    one, two = homes("two-clients")
    for tree in (one, two):
        tree.manifest(".d/", "f")
    write(one.home, {".d/a": "1", "f": "one"})
    write(two.home, {".d/b": "2", "f": "two"})
    in_place(one)
    in_place(two)
    assert content(two.volume) == {".d/a": "1", ".d/b": "2", "f": "one"}
    assert two.attic() == {"f": "two"}
    save(two.home / "f", "newer")
    in_place(two)
    wait_until(lambda: (one.home / "f").read_text() == "newer", 70)


def a_paused_holder_on_the_other_client() -> None:
    """The lock reaches the other host, and so does its holder's name."""
    one, two = homes("paused")
    locks.WAIT = 2.0
    for tree in (one, two):
        tree.manifest(".a/", "f")
    write(two.home, {".a/x": "1", "f": "2"})
    with holding(one, "f"):
        (error,) = two.resolve().errors
        assert error.code == "path.busy-elsewhere", str(error)
        assert "name-w1" in error.message, str(error)
    in_place(two)
    assert content(two.volume) == {".a/x": "1", "f": "2"}


def a_lease_is_seen_by_the_other_client() -> None:
    """While it is held, and no longer when it is given back."""
    one, two = homes("leases")
    with Session(one.layout, one.settings) as first, Session(two.layout, two.settings):
        lease = Lease(first.volume, "w1", "one")
        (state,) = leases(two.volume)
        assert (state.workspace_id, state.held, state.workspace_name) == ("w1", True, "one")
        lease.close()
        wait_until(lambda: leases(two.volume)[0].cut_off)
        lease = Lease(first.volume, "w1", "one")
        assert lease.reads()
        lease.close(stopped=True)
        wait_until(lambda: not leases(two.volume)[0].in_use)


def a_daemon_heals() -> None:
    """A save by rename in one workspace is in the other's home."""
    one, two = homes("daemon")
    for tree in (one, two):
        tree.manifest("f")
    write(one.home, {"f": "1"})
    in_place(one)
    in_place(two)
    with watching(one):
        save(one.home / "f", "2")
        wait_until(lambda: (two.volume / "f").read_text() == "2", 70)
        save(one.home / "f", "3")
    assert (one.volume / "f").read_text() == "3"


def the_file_system_is_known() -> None:
    """NFSv4 is supported, whatever else the server lacks."""
    found = inspect(Path("/proc"), CLIENTS[0])
    assert (found.kind, found.support) == ("nfs4", Support.SUPPORTED), found


def a_cut_is_noticed(down: int, up: int) -> None:
    """After a cut longer than the server's lease: what was held is lost, noticed, and taken again.

    Args:
        down: a descriptor that asks the parent, which is root, to cut the first client off, and waits.
        up: likewise to connect it again.
    """
    one, two = homes("cut")
    for tree in (one, two):
        tree.manifest("f", ".d/")
    with Session(one.layout, one.settings) as first:
        lease = Lease(first.volume, "w1", "one")
        token = first.volume.staging.token
        assert lease.held
        _ask(down)
        time.sleep(2.5 * LEASE)
        # The other host sees a workspace that does not run, and clears what it left.
        wait_until(lambda: not leases(two.volume)[0].held, 3 * LEASE)
        assert leases(two.volume)[0].in_use, "and that may run all the same"
        with Session(two.layout, two.settings) as second:
            second.volume.clear_staging()
        assert not (two.layout.state / "staging" / token).exists()
        _ask(up)
        assert not lease.reads(), "the daemon's poll notices it"
        first_renewal = lease.renew()
        assert first_renewal is Renewal.RETAKEN, first_renewal
        assert lease.renew() is Renewal.KEPT
        assert lease.reads()
        assert leases(two.volume)[0].held, "and the other host sees it"
        # What was open on the server is gone; the next copy opens it again.
        first.volume.write("manifests/x.json", b"{}")
        write(one.home, {"f": "after the cut", ".d/x": "1"})
        report_ = one.resolve()
        assert not report_.errors, [str(error) for error in report_.errors]
        lease.close()
    assert content(two.volume) == {"f": "after the cut", ".d/x": "1"}


def _ask(fd: int) -> None:
    os.write(fd, b"x")
    time.sleep(1)


def cut_scenario() -> None:
    """Run the cut: the parent does with the network what the child asks for."""
    pipes = [os.pipe() for _ in range(2)]
    began = time.monotonic()
    reading, writing = os.pipe()
    helper = os.fork()
    if helper == 0:
        for (asked, other), state in zip(pipes, ("down", "up"), strict=True):
            os.close(other)
            if os.read(asked, 1):
                cut(0, state)
        os._exit(0)
    for asked, _ in pipes:
        os.close(asked)
    os.close(reading)
    os.close(writing)
    told = as_coder(lambda: a_cut_is_noticed(pipes[0][1], pipes[1][1]))
    for _, asking in pipes:
        os.close(asking)
    os.waitpid(helper, 0)
    cut(0, "up")
    line = {"scenario": "a_cut_is_noticed", "error": told, "seconds": round(time.monotonic() - began, 1)}
    print(f"\nRESULT {json.dumps(line)}", flush=True)


def on_one_client(name: str) -> None:
    """A scenario of any file system."""
    SCENARIOS[name](make_tree(Path(f"/run/homes/{name}"), CLIENTS[0] / name))


TWO_CLIENTS = (
    the_file_system_is_known,
    two_clients,
    a_paused_holder_on_the_other_client,
    a_lease_is_seen_by_the_other_client,
    a_daemon_heals,
)


def main(disk: str, options: str, delegations: str) -> None:
    """All of it.

    Args:
        disk: a block device with ext4, for the server.
        options: of the clients' mounts, e.g. ``vers=4.2``.
        delegations: ``1``, or ``0`` for clients that get none (with ``vers=4.0``).
    """
    import_everything()
    load("ext4", "veth", "nfsd", "nfsv4")
    serve(disk)
    for number in range(len(CLIENTS)):
        connect(number, options, delegations=delegations == "1")
    Path("/run/homes").mkdir()
    os.chown("/run/homes", CODER, CODER)
    print(f"\nMOUNTED {Path('/proc/mounts').read_text().count('nfs4')}", flush=True)
    for work in TWO_CLIENTS:
        report(work.__name__, work)
    locks.WAIT = 2.0
    for name in SCENARIOS:
        report(name, partial(on_one_client, name))
    cut_scenario()
    print("\nDONE", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
