"""Further machines of the cluster, under User Mode Linux: nodes with own kernels, and an NFS server.

The machine that the tests run on has one kernel, which may know neither NFS nor control groups of version 2.
"""

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from devtools.images import ensure_debian
from devtools.kubernetes import build, configuration
from devtools.kubernetes.build import LAB
from devtools.kubernetes.cluster import Cluster
from devtools.kubernetes.daemons import Daemons
from devtools.kubernetes.host import NAMESPACE
from devtools.shell import ROOT, DevError, apt_install, run, say

NAS = "10.98.0.20"
_SOURCE = ROOT / "tests/kubernetes/uml"
_ROOT = LAB / "uml/root"
_DISKS = LAB / "uml/disks"
_MODULES = Path("/usr/lib/uml/modules")
_UP_SECONDS = 120.0


class Machine:
    """One machine: it boots in seconds, and is slow by a factor of ten or so.

    Args:
        cluster: whose network it is in.
        name: of the host.
        job: what it does: `node` or `nas`.
        number: the last part of its address.
    """

    def __init__(self, cluster: Cluster, name: str, job: str, number: int) -> None:
        self.cluster = cluster
        self.name = name
        self.job = job
        self.address = f"10.98.0.{number}"
        self.daemons = Daemons(LAB / "run")
        self.disk = _DISKS / f"{name}.img"
        self._tap = f"tap{number}"
        self._subnet = f"10.244.{number}.0/24"

    def start(self, *, memory: str = "3G", lease: int = 20) -> None:
        """Boot it, with a disk that is there already or an empty one.

        Args:
            memory: how much it has.
            lease: of an NFS server: the seconds after which a silent client loses its locks.

        Raises:
            DevError: it does not come up.
        """
        inside = ["ip", "-n", NAMESPACE]
        run([*inside, "tuntap", "add", self._tap, "mode", "tap"], check=False)
        run([*inside, "link", "set", self._tap, "master", "api", "up"])
        run([*inside, "route", "replace", self._subnet, "via", self.address])
        (_ROOT / f"uml/halt-{self.name}").unlink(missing_ok=True)
        if not self.disk.exists():
            make_disk(self.disk, "8G")
        words = f"init=/uml/init JOB={self.job} NAME={self.name} IP={self.address} LEASE={lease}".split()
        console = ["con=null", "con0=null,fd:1", "con1=null,fd:1", "quiet"]
        network = f"vec0:transport=tap,ifname={self._tap},depth=128,gro=1"
        root = f"root=/dev/root rootfstype=hostfs rootflags={_ROOT} rw".split()
        enter = ["nsenter", f"--net=/run/netns/{NAMESPACE}", "nice"]
        self.daemons.start(
            self.name,
            [*enter, "linux.uml", f"mem={memory}", f"ubd0={self.disk}", *root, *words, network, *console],
        )
        deadline = time.monotonic() + _UP_SECONDS
        while f"{self.name} is up" not in self.daemons.tail(self.name, 1000):
            self.daemons.check(self.name)
            if time.monotonic() > deadline:
                raise DevError(f"{self.name} does not come up:\n{self.daemons.tail(self.name)}")
            time.sleep(0.5)

    def stop(self) -> None:
        """Switch it off."""
        (_ROOT / f"uml/halt-{self.name}").touch()
        deadline = time.monotonic() + 20
        while self.daemons.pid(self.name) and time.monotonic() < deadline:
            time.sleep(0.3)
        self.daemons.stop(self.name)

    def kill(self) -> None:
        """Take away its power."""
        self.daemons.kill(self.name)

    def cut(self) -> None:
        """Pull its network cable, at the far end: an interface that goes down is an error to its driver."""
        run(["ip", "-n", NAMESPACE, "link", "set", self._tap, "nomaster"])

    def plug(self) -> None:
        """Put the cable back."""
        run(["ip", "-n", NAMESPACE, "link", "set", self._tap, "master", "api"])


def prepare(cluster: Cluster, image: str) -> Path:
    """Make the machines' root file system, and a disk for nodes that has an image already.

    Importing it under User Mode Linux takes minutes; here it takes as long as on the embedded node.

    Args:
        cluster: it runs.
        image: of workspaces.

    Returns:
        the disk's file, to be copied for each node.
    """
    if not shutil.which("linux.uml"):
        apt_install(["user-mode-linux"], "A second node runs under it")
    engine = cluster.engine
    ensure_debian(engine)
    tag = f"{build.PAUSE.rpartition('/')[0]}/cws-uml:1"
    engine.build(_SOURCE / "Dockerfile", tag, _SOURCE)
    if not (_ROOT / "usr/bin/containerd").exists():
        say("unpacking the root file system of further machines")
        _ROOT.mkdir(parents=True, exist_ok=True)
        name = engine.docker("create", tag).stdout.strip()
        try:
            archive = LAB / "uml/root.tar"
            engine.docker("export", "-o", archive, name)
            run(["tar", "-C", _ROOT, "-xf", archive])
            archive.unlink()
        finally:
            engine.docker("rm", name, check=False)
        (_ROOT / "lib/modules").mkdir(parents=True, exist_ok=True)
        run(["cp", "-a", *_MODULES.iterdir(), _ROOT / "lib/modules"])
    inside = _ROOT / "uml"
    for directory in ("bin", "etc", "log"):
        (inside / directory).mkdir(parents=True, exist_ok=True)
    for file in ("init", "node", "nas"):
        shutil.copy(_SOURCE / file, inside / file)
    program = inside / "bin/kubelet"
    if not program.exists() or program.stat().st_mtime < (LAB / "bin/kubernetes").stat().st_mtime:
        shutil.copy2(LAB / "bin/kubernetes", program)
    node_conf = (LAB / "node.conf").read_text()
    (inside / "etc/node.conf").write_text(_with_server(node_conf, "https://10.98.0.1:6443"))
    (inside / "etc/containerd.toml").write_text(_CONTAINERD)
    (inside / "etc/10-pods.conflist").write_text(json.dumps(_CNI))
    (inside / "etc/kubelet.json").write_text(json.dumps(_KUBELET))
    return _loaded_disk(cluster, image)


def _with_server(kubeconfig: str, server: str) -> str:
    head, _, rest = kubeconfig.partition('server: "')
    return f'{head}server: "{server}"{rest.partition(chr(34))[2]}'


def _loaded_disk(cluster: Cluster, image: str) -> Path:
    """A disk with containerd's store, in which the image and that of the sandbox are."""
    wanted = cluster.engine.inspect(image)["Id"].removeprefix("sha256:")[:16]
    disk = _DISKS / f"image-{wanted}.img"
    if disk.exists():
        return disk
    for old in _DISKS.glob("image-*.img"):
        old.unlink()
    say("importing the image into the disk of further nodes")
    made = disk.with_suffix(".part")
    make_disk(made, "12G")
    with _mounted(made) as place:
        cluster.import_into(place / "containerd", [build.PAUSE, image])
    made.rename(disk)
    return disk


def make_disk(file: Path, size: str) -> None:
    """An empty ext4 file system in a sparse file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    run(["truncate", "-s", size, file])
    run(["mkfs.ext4", "-q", "-F", file])


@contextlib.contextmanager
def _mounted(disk: Path) -> Iterator[Path]:
    place = disk.with_suffix(".mount")
    place.mkdir()
    run(["mount", "-o", "loop", disk, place])
    try:
        yield place
    finally:
        run(["umount", place])
        place.rmdir()


_RUN = Path("/run")
_CONTAINERD = configuration.containerd(
    _RUN / "disk/containerd", _RUN / "containerd", _RUN / "containerd.sock", _RUN / "node/cni"
)
# The machine fills in which of the networks is its own.
_CNI = configuration.cni("10.244.SUBNET.0/24", _RUN / "node/addresses")
_KUBELET = configuration.kubelet(_RUN / "containerd.sock")
