"""An owner's two workspaces on two nodes, with the home on NFS: both save, one is cut off and comes back, and
at last one dies, and its workspace moves to the other.

The nodes have kernels of their own, under User Mode Linux, and so has the NFS server.
"""

import json
import shlex
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from devtools.images import PREFIX, tag
from devtools.kubernetes.cluster import Cluster
from devtools.kubernetes.kubectl import Kubectl
from devtools.kubernetes.machines import NAS, Machine, prepare
from devtools.kubernetes.workspace import KubernetesWorkspace
from devtools.shell import run
from tests.conftest import missing
from tests.kubernetes.conftest import AnyCluster, plan_into

pytestmark = pytest.mark.two_nodes

NAMESPACE = f"{PREFIX}-two-nodes"
POOL = f"{PREFIX}.example/pool"
"""The start of a label; a workspace may run on nodes that have the label with its name."""
LEASE = 20
"""Seconds after which the NFS server forgets a client that says nothing."""
PATIENCE = 600.0
SWEPT = 330.0
"""Seconds until the daemon links a declared file that another node has made: NFS tells of nothing."""
LEASED = 90.0
"""Seconds until the daemon, which polls the volume every 10 s, has its lease again; all is slow here."""
SEEN = 60.0
"""Seconds until a client of NFS sees a name that another one has made; it caches for 30."""


@dataclass(frozen=True)
class Nodes:
    """The nodes, as a workspace needs to know them."""

    kubectl: Kubectl
    volume_root: Path = Path("/run/disk/volumes")


@dataclass(frozen=True)
class Pair:
    """Two workspaces of one owner, and the node of the first."""

    one: KubernetesWorkspace
    two: KubernetesWorkspace
    first: Machine


@pytest.fixture(scope="module")
def machines(cluster: AnyCluster) -> Iterator[dict[str, Machine]]:
    if not isinstance(cluster, Cluster):
        missing("the embedded cluster; KUBECONFIG names another one")
    disk = prepare(cluster, tag("base"))
    made = {
        "nas": Machine(cluster, "nas", "nas", 20),
        "n1": Machine(cluster, "n1", "node", 11),
        "n2": Machine(cluster, "n2", "node", 12),
    }
    try:
        for name, machine in made.items():
            machine.disk.unlink(missing_ok=True)
            if machine.job == "node":
                run(["cp", "--sparse=always", disk, machine.disk])
            machine.start(memory="1G" if name == "nas" else "3G", lease=LEASE)
        wait(lambda: all(cluster.kubectl.node_ready(name) for name in ("n1", "n2")), "the nodes are ready")
        yield made
    finally:
        for machine in reversed(made.values()):
            machine.stop()
            machine.disk.unlink(missing_ok=True)
            if machine.job == "node":
                cluster.kubectl.run("delete", "node", machine.name, "--ignore-not-found", check=False)


@pytest.fixture(scope="module")
def pair(
    cluster: AnyCluster, machines: dict[str, Machine], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    kubectl = cluster.kubectl
    spec = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    kubectl.apply(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"{NAMESPACE}-homes"},
            "spec": {
                **spec,
                "capacity": {"storage": "5Gi"},
                "persistentVolumeReclaimPolicy": "Retain",
                "claimRef": {"namespace": NAMESPACE, "name": "homes"},
                "mountOptions": ["vers=4.2", "hard"],
                "nfs": {"server": NAS, "path": "/"},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "homes", "namespace": NAMESPACE},
            "spec": {
                **spec,
                "resources": {"requests": {"storage": "5Gi"}},
                "volumeName": f"{NAMESPACE}-homes",
            },
        },
    )
    spaces = []
    for name, node in (("one", "n1"), ("two", "n2")):
        record = tmp_path_factory.mktemp(name) / "planned.json"
        kubectl.run("label", "node", node, f"{POOL}-{name}=yes", "--overwrite")
        selector = json.dumps({f"{POOL}-{name}": "yes"})
        plan_into(record, {"memory": "1"}, {"engine": "none", "node_selector": selector})
        image = f"docker.io/{tag('base')}"
        spaces.append(
            KubernetesWorkspace(
                Nodes(kubectl),
                name,
                image=image,
                namespace=NAMESPACE,
                record=record,
                patience=PATIENCE,
            )
        )
    for space in spaces:
        space.settings["workspace"]["access_url"] = ""
        space.start(wait=False)
    for space in spaces:
        space.wait_rolled_out()
        space.wait_ready()
    one, two = spaces
    yield Pair(one, two, machines["n1"])
    for space in spaces:
        space.delete()
    kubectl.run("delete", "namespace", NAMESPACE, "--timeout=300s", check=False)
    for volume in kubectl.items("persistentvolumes"):
        if volume["metadata"]["name"].startswith(NAMESPACE):
            kubectl.run("delete", "persistentvolume", volume["metadata"]["name"], check=False)


def wait(true: Callable[[], bool], what: str, seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not after {seconds:.0f} s: {what}"
        time.sleep(0.5)


def sees(space: KubernetesWorkspace, path: str, content: str) -> Callable[[], bool]:
    return lambda: space.sh(f"cat {path}").stdout.rstrip("\n") == content


def linked(space: KubernetesWorkspace) -> Callable[[], bool]:
    return lambda: space.sh("test -L ~/.claude.json").returncode == 0


def notes_beyond(space: KubernetesWorkspace, number: int) -> Callable[[], bool]:
    return lambda: int(space.sh("cat ~/projects/noted").stdout or 0) > number


def knows_leased(space: KubernetesWorkspace, other: KubernetesWorkspace) -> Callable[[], bool]:
    return lambda: gc(space)[other.workspace_id]["verdict"] == "leased"


def attic(space: KubernetesWorkspace) -> list[dict[str, Any]]:
    return list(json.loads(space.out("home-persist attic list --json"))["items"])


def test_both_boot_on_nodes_of_their_own(pair: Pair, cluster: AnyCluster) -> None:
    nodes = {space.name: space.status()["spec"]["nodeName"] for space in (pair.one, pair.two)}
    assert nodes == {"one": "n1", "two": "n2"}
    for space in (pair.one, pair.two):
        assert "nfs4" in space.out("stat -f -c %T /mnt/home-persist; grep home-persist /proc/mounts")
        assert space.exec("systemctl", "is-system-running", user="root").stdout.strip() == "running"
        assert space.out("readlink ~/.claude") == "/mnt/home-persist/.claude"


def test_the_doctor_knows_where_it_is(pair: Pair) -> None:
    """Here control groups are of version 2, and a privileged pod sees the node's root.

    Only these checks: the others start programs, which takes longer here than the doctor waits.
    """
    only = "home.volume,home.links,disk.memory,disk.volume,docker.socket,network.host"
    report = json.loads(pair.one.exec("ws-doctor", "--json", "--only", only).stdout)
    wrong = [one for one in report["checks"] if one["status"] not in ("ok", "skipped")]
    assert wrong == []
    assert len(report["checks"]) == len(only.split(","))
    group = pair.one.out("cut -d: -f3 /proc/1/cgroup").removesuffix("/init.scope")
    assert "kubepods" in group
    assert pair.one.sh(f"test -e /sys/fs/cgroup{group}/memory.current").returncode == 0


def test_a_program_that_wants_too_much_memory_ends_alone(pair: Pair) -> None:
    """Kubernetes has the kernel end all programs of a container at once, on version 2 of control groups."""
    group = pair.two.out("cut -d: -f3 /proc/1/cgroup").removesuffix("/init.scope")
    assert pair.two.out(f"cat /sys/fs/cgroup{group}/memory.oom.group") == "0"
    done = pair.two.exec("python3", "-c", "x = bytearray(2 << 30); print(len(x))")
    assert done.returncode != 0
    assert pair.two.exec("systemctl", "is-system-running", user="root").stdout.strip() == "running"
    assert pair.two.status()["status"]["containerStatuses"][0]["restartCount"] == 0


def test_both_save_and_both_see(pair: Pair) -> None:
    pair.one.out("echo from one > ~/.claude/one")
    pair.two.out("echo from two > ~/.claude/two")
    wait(sees(pair.two, "~/.claude/one", "from one"), "two sees what one has saved", SEEN)
    wait(sees(pair.one, "~/.claude/two", "from two"), "one sees what two has saved", SEEN)
    # As programs save: a new file, renamed over the link.
    pair.one.out("echo first > t && mv t ~/.claude.json")
    wait(sees(pair.two, "~/.claude.json", "first"), "a save over the link arrives at the other", SWEPT)
    pair.two.out("echo second > t && mv t ~/.claude.json")
    wait(sees(pair.one, "~/.claude.json", "second"), "and the other way round", SEEN)


def gc(space: KubernetesWorkspace, *options: str) -> dict[str, dict[str, Any]]:
    """Have gc remove what it may, and return what it says of each workspace, by its ID."""
    done = json.loads(space.out(shlex.join(["home-persist", "gc", "--yes", "--json", *options])))
    assert done["errors"] == []
    return {one["id"]: one for one in done["workspaces"]}


def own_copies_there(space: KubernetesWorkspace) -> str:
    return space.out("cat ~/.cache/web-shell/own")


def test_gc_removes_nothing_of_the_other(pair: Pair) -> None:
    """Also where only the lock on the server tells that the other runs."""
    for space in (pair.one, pair.two):
        space.out(f"echo {space.name} > ~/.cache/web-shell/own")
    for own, other in ((pair.one, pair.two), (pair.two, pair.one)):
        found = gc(own, "--older-than", "0")
        assert {id_: one["verdict"] for id_, one in found.items()} == {
            own.workspace_id: "current",
            other.workspace_id: "leased",
        }
        assert not any(one["removed"] for one in found.values())
        assert own_copies_there(other) == other.name


def test_a_node_that_is_cut_off_comes_back_and_nothing_is_lost(pair: Pair, cluster: AnyCluster) -> None:
    before = attic(pair.two)
    # Itself, without the test before: the file is there, and both have its link.
    pair.one.out("test -L ~/.claude.json || echo first > ~/.claude.json; echo one > ~/.cache/web-shell/own")
    wait(linked(pair.two), "both have the link", SWEPT)
    # It goes on saving while it is cut off: the file system waits, and nothing is noted before it is saved.
    script = (
        "cd ~/.claude; for i in $(seq 1 100000); do echo $i > cut.t && mv cut.t cut-$((i % 50))"
        " && echo $i > ~/projects/noted; sleep 0.5; done"
    )
    unit = ["systemd-run", "--unit=saving", "--uid=coder", "--setenv=HOME=/home/coder"]
    assert pair.one.exec(*unit, "bash", "-c", script, user="root").returncode == 0
    wait(lambda: bool(pair.one.sh("cat ~/projects/noted").stdout), "it saves")
    pair.first.cut()
    try:
        pair.two.out("echo meanwhile > t && mv t ~/.claude.json; echo meanwhile > ~/.claude/meanwhile")
        time.sleep(2 * LEASE)
        found = gc(pair.two)[pair.one.workspace_id]
        assert (found["verdict"], found["removed"]) == ("recent", False), "its lock is lost, but it was seen"
        found = gc(pair.two, "--older-than", "0")[pair.one.workspace_id]
        assert (found["verdict"], found["removed"]) == ("cut_off", False), "nor by a bound of 0 days"
        pair.two.out("echo after the lease > ~/.claude/after")
    finally:
        pair.first.plug()
    wait(lambda: cluster.kubectl.node_ready("n1"), "the node is back")
    wait(lambda: pair.one.exec("true").returncode == 0, "its pod answers")
    # The server forgot its lock; the daemon takes it again, and from then on gc sees that it runs.
    wait(knows_leased(pair.two, pair.one), "it has its lease again", LEASED)
    noted = int(pair.one.out("cat ~/projects/noted"))
    wait(notes_beyond(pair.one, noted + 3), "it goes on saving")
    pair.one.exec("systemctl", "stop", "saving", user="root")
    last = int(pair.one.out("cat ~/projects/noted"))
    wait(sees(pair.two, f"~/.claude/cut-{last % 50}", str(last)), "what it noted was saved", SEEN)
    wait(sees(pair.one, "~/.claude.json", "meanwhile"), "it sees what the other saved meanwhile", SEEN)
    wait(sees(pair.one, "~/.claude/after", "after the lease"), "and later", SEEN)
    # Two's save has replaced an older version, which is kept as after any save. Nothing else was displaced.
    kept = [item for item in attic(pair.two) if item not in before]
    assert [(item["path"], item["workspace_name"], item["reason"]) for item in kept] == [
        (".claude.json", "two", "superseded")
    ]
    for space in (pair.one, pair.two):
        assert space.out("readlink ~/.claude.json ~/.claude") == (
            "/mnt/home-persist/.claude.json\n/mnt/home-persist/.claude"
        )
    for own in (pair.one, pair.two):
        assert not any(one["removed"] for one in gc(own, "--older-than", "0").values())
    assert own_copies_there(pair.one) == "one"


def test_both_save_one_path_while_one_is_cut_off(pair: Pair, cluster: AnyCluster) -> None:
    """The later save wins on both, the earlier one is in the attic."""
    pair.one.out("test -L ~/.claude.json || echo first > ~/.claude.json")
    wait(linked(pair.two), "both have the link", SWEPT)
    # Programs in a node that is cut off cannot be started from outside of it.
    save = "sleep 15; cd; echo by the one cut off > t; mv t .claude.json"
    unit = ["systemd-run", "--unit=late", "--uid=coder", "--setenv=HOME=/home/coder"]
    assert pair.one.exec(*unit, "bash", "-c", save, user="root").returncode == 0
    pair.first.cut()
    try:
        pair.two.out("echo by the connected one > t && mv t ~/.claude.json")
        time.sleep(2 * LEASE)
    finally:
        pair.first.plug()
    wait(lambda: cluster.kubectl.node_ready("n1"), "the node is back")
    for space in (pair.one, pair.two):
        wait(sees(space, "~/.claude.json", "by the one cut off"), "the later save is everywhere", SWEPT)
        wait(linked(space), "by a link", SWEPT)
    newest = next(item for item in attic(pair.two) if item["path"] == ".claude.json")
    content = pair.two.out(
        f"cat {shlex.quote('/mnt/home-persist/.home-persist/attic/' + newest['batch'])}/.claude.json"
    )
    assert content == "by the connected one"


def test_the_server_ends_and_comes_back_and_nothing_is_lost(pair: Pair, machines: dict[str, Machine]) -> None:
    """The server's disk stays. Programs that save wait for it."""
    for space in (pair.one, pair.two):
        script = (
            f"cd ~/.claude; for i in $(seq 1 100000); do echo $i > {space.name}.t && mv {space.name}.t"
            f" {space.name}-$((i % 50)) && echo $i > ~/projects/noted; sleep 0.5; done"
        )
        unit = ["systemd-run", "--unit=through", "--uid=coder", "--setenv=HOME=/home/coder"]
        assert space.exec(*unit, "bash", "-c", script, user="root").returncode == 0
    before = attic(pair.two)
    machines["nas"].stop()
    machines["nas"].start(memory="1G", lease=LEASE)
    for space in (pair.one, pair.two):
        noted = int(space.out("cat ~/projects/noted"))
        wait(notes_beyond(space, noted + 3), "it goes on saving")
        space.exec("systemctl", "stop", "through", user="root")
        last = int(space.out("cat ~/projects/noted"))
        other = pair.two if space is pair.one else pair.one
        saved = sees(other, f"~/.claude/{space.name}-{last % 50}", str(last))
        wait(saved, "what it noted was saved, and the other sees it", SEEN)
    assert [item for item in attic(pair.two) if item not in before] == []
    for own, other in ((pair.one, pair.two), (pair.two, pair.one)):
        wait(knows_leased(own, other), "the other's lease is held", LEASED)
        assert own.out("readlink ~/.claude") == "/mnt/home-persist/.claude"


STAGING = "/mnt/home-persist/.home-persist/staging"


def stop_while_it_copies(space: KubernetesWorkspace) -> str:
    """Have the daemon copy a large save, stop it meanwhile, and return the directory of the partial copy."""
    save = "cd; head -c 128M /dev/zero | tr '\\0' x > t; mv t .claude.json"
    unit = ["systemd-run", "--unit=large", "--uid=coder", "--setenv=HOME=/home/coder"]
    assert space.exec(*unit, "sh", "-c", save, user="root").returncode == 0
    # Only names are read: NFS answers stat(2) after all that is written has arrived. What the other daemon
    # copies is small, and so not there any more at the second look.
    script = (
        f"cd {STAGING}; until set -- */*; [ \"$1\" != '*/*' ]; do sleep 0.1; done; sleep 0.5;"
        " systemctl kill --kill-whom=all --signal=STOP home-persist-watch;"
        ' sleep 1; set -- */*; echo "$1"'
    )
    done = space.exec("timeout", "120", "sh", "-c", script, user="root")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip().partition("/")[0]


def test_a_node_dies_and_its_workspace_moves_to_the_other(pair: Pair, cluster: AnyCluster) -> None:
    """The last test: the node is gone after it.

    The home is on the server. Projects are a directory of each node here; a volume that follows is not tried.
    """
    kubectl = cluster.kubectl
    pair.one.out("echo saved > ~/.claude/before")
    for space in (pair.one, pair.two):
        space.out(f"echo {space.name} > ~/.cache/web-shell/own")
    claims = pair.one.claims()
    before = attic(pair.two)
    pair.two.out("test -L ~/.claude.json || echo older > ~/.claude.json; cat ~/.claude.json > /tmp/older")
    partial = stop_while_it_copies(pair.one)
    assert pair.two.out(f"ls {STAGING}/{partial}"), "the server has a part"
    pair.first.kill()
    wait(lambda: not kubectl.node_ready("n1"), "the node is known as lost")
    time.sleep(LEASE)
    # It may be only cut off, as far as anyone knows: neither the cluster nor gc takes anything of it.
    assert pair.one.status()["spec"]["nodeName"] == "n1"
    found = gc(pair.two, "--older-than", "0")[pair.one.workspace_id]
    assert (found["verdict"], found["removed"]) == ("cut_off", False)
    assert partial not in pair.two.out(f"ls {STAGING}").split(), "what it has not published is removed"
    # What docs/kubernetes.md tells an administrator to do.
    kubectl.run("label", "node", "n2", f"{POOL}-one=yes")
    kubectl.run("taint", "node", "n1", "node.kubernetes.io/out-of-service=nodeshutdown:NoExecute")
    wait(lambda: pair.one.status().get("spec", {}).get("nodeName") == "n2", "the pod has moved")
    pair.one.wait_rolled_out()
    assert pair.one.wait_ready() == "running"
    assert pair.one.claims() == claims
    assert pair.one.out("cat ~/.claude/before ~/.cache/web-shell/own") == "saved\none"
    assert pair.one.out("readlink ~/.claude ~/.claude.json") == (
        "/mnt/home-persist/.claude\n/mnt/home-persist/.claude.json"
    )
    assert pair.one.out("cat ~/.claude.json") == pair.two.out("cat /tmp/older")
    assert [item for item in attic(pair.two) if item not in before] == []
    pair.one.out("echo from the other node > t && mv t ~/.claude.json")
    wait(sees(pair.two, "~/.claude.json", "from the other node"), "it saves", SEEN)
    for own, other in ((pair.one, pair.two), (pair.two, pair.one)):
        wait(knows_leased(own, other), "the other's lease is held", LEASED)
        assert not any(one["removed"] for one in gc(own, "--older-than", "0").values())
        assert own_copies_there(other) == other.name
