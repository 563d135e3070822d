"""The embedded cluster: control plane and one node on this machine, in a network namespace of their own.

The machine may lack what a node usually has (control groups of version 2, the capability to change resource
limits); the settings of containerd and the kubelet that make up for it say so.
"""

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from devtools.engine import Engine
from devtools.kubernetes import build, configuration, host
from devtools.kubernetes.build import LAB
from devtools.kubernetes.certificates import ensure_certificates
from devtools.kubernetes.daemons import Daemons
from devtools.kubernetes.host import API, HOST, INSIDE, LINK, NAMESPACE
from devtools.kubernetes.kubectl import Kubectl
from devtools.shell import DevError, run

NODE = "here"
_READY_SECONDS = 120.0


class Cluster:
    """The cluster of this checkout.

    Args:
        engine: the Docker engine that has the images.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.bin = LAB / "bin"
        self.daemons = Daemons(LAB / "run")
        self.kubectl = Kubectl(LAB / "admin.conf")
        self.host = HOST
        """This machine's address, as pods reach it."""
        self.volume_root = LAB / "volumes"
        """Where the volumes of pods are on this machine."""
        self.socket = Path(f"/run/{NAMESPACE}/containerd.sock")
        self._inside = ["nsenter", f"--net=/run/netns/{NAMESPACE}", "nice"]

    # Start and stop -------------------------------------------------------------------------------

    def start(self) -> float:
        """Start what does not run, and return the seconds until the node is ready.

        Raises:
            DevError: something is missing, or does not come up.
        """
        build.tools()
        build.program()
        began = time.monotonic()
        for directory in (self.daemons.directory, self.volume_root, self.socket.parent):
            directory.mkdir(parents=True, exist_ok=True)
        host.save_sysctls()
        host.connect()
        ensure_certificates(LAB, [API, INSIDE, "127.0.0.1", "10.96.0.1"], f"https://{INSIDE}:6443")
        self._control_plane()
        self._names()
        self._node()
        self._wait("the node", lambda: self.kubectl.node_ready(NODE))
        return time.monotonic() - began

    def running(self) -> bool:
        """Whether the node's kubelet runs."""
        return bool(self.daemons.pid("kubelet"))

    def left_over(self) -> bool:
        """Whether something of a cluster that does not run is still on the machine."""
        return Path(f"/run/netns/{NAMESPACE}").exists() or (LAB / "sysctls.json").exists()

    def stop(self) -> None:
        """End all of it, and put back what it changed on the machine. Its files stay."""
        if self.daemons.pid("kube-apiserver") and self.daemons.pid("kubelet"):
            with contextlib.suppress(DevError):
                self.kubectl.run("delete", "statefulsets,pods", "--all", "-A", "--timeout=60s", check=False)
        self.daemons.stop("kubelet")
        for pid in host.shims(self.socket):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(os.getpgid(pid), signal.SIGKILL)
        for name in (
            "containerd",
            "dns",
            "kube-scheduler",
            "kube-controller-manager",
            "kube-apiserver",
            "etcd",
        ):
            self.daemons.stop(name)
        # Further machines, of a run that was interrupted.
        for file in self.daemons.directory.glob("*.pid"):
            self.daemons.stop(file.stem)
        host.remove_cgroups()
        run(["ip", "netns", "del", NAMESPACE], check=False)
        run(["ip", "link", "del", f"cws-k{LINK}"], check=False)
        host.restore_sysctls()
        # Mounts of pods were in the node's own mount namespace, and have gone with it.
        for place in (LAB / "etcd", LAB / "node/kubelet", self.socket.parent):
            shutil.rmtree(place, ignore_errors=True)

    def remove(self) -> None:
        """Stop it, and remove its files, but for the programs that took minutes to build."""
        self.stop()
        for place in LAB.iterdir() if LAB.exists() else ():
            if place.name != "bin":
                run(["rm", "-rf", "--one-file-system", place], check=False)

    # Images ---------------------------------------------------------------------------------------

    def load(self, image: str, *, again: bool = False) -> float:
        """Give an image of the Docker engine to the node, and return the seconds it took.

        Args:
            image: its name.
            again: also if the node has it.
        """
        began = time.monotonic()
        wanted = self.engine.inspect(image)["Id"]
        marks = LAB / "images.json"
        known = json.loads(marks.read_text()) if marks.exists() else {}
        name = (
            image
            if "." in image.partition("/")[0] or image.startswith("localhost/")
            else f"docker.io/{image}"
        )
        if known.get(image) == wanted and name in self.ctr("images", "ls", "-q").split():
            if not again:
                return 0.0
            self.ctr("images", "rm", "--sync", name)
            began = time.monotonic()
        archive = LAB / "image.tar"
        try:
            self.engine.docker("save", "-o", archive, image)
            self.ctr("images", "import", archive)
        finally:
            archive.unlink(missing_ok=True)
        marks.write_text(json.dumps({**known, image: wanted}))
        return time.monotonic() - began

    def import_into(self, store: Path, images: list[str]) -> None:
        """Import images into the store of another containerd, which does not run."""
        socket = self.socket.with_name("import.sock")
        config = LAB / "import.toml"
        state = self.socket.with_name("import")
        head = f'version = 2\nroot = "{store}"\nstate = "{state}"\n'
        config.write_text(
            f'{head}disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{socket}"\n'
        )
        archive = LAB / "image.tar"
        self.daemons.start("import", ["nice", "containerd", "--config", config])
        try:
            client: list[str | Path] = ["nice", "ctr", "--address", socket, "--namespace", "k8s.io"]
            self._wait(
                "containerd",
                lambda: run(["ctr", "--address", socket, "version"], check=False).returncode == 0,
            )
            for image in images:
                self.engine.docker("save", "-o", archive, image)
                run([*client, "images", "import", archive])
        finally:
            archive.unlink(missing_ok=True)
            self.daemons.stop("import")

    def ctr(self, *words: str | Path) -> str:
        """Run containerd's client."""
        return run(["nice", "ctr", "--address", self.socket, "--namespace", "k8s.io", *words]).stdout

    # Parts ----------------------------------------------------------------------------------------

    def _control_plane(self) -> None:
        etcd, keys = "http://127.0.0.1:2379", LAB / "keys"
        self.daemons.start(
            "etcd",
            [
                *self._inside,
                "etcd",
                f"--data-dir={LAB}/etcd",
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                "--listen-peer-urls=http://127.0.0.1:2380",
                # What it keeps need not outlive this machine.
                "--unsafe-no-fsync",
            ],
        )
        self.daemons.start(
            "kube-apiserver",
            [
                *self._inside,
                self.bin / "kube-apiserver",
                f"--etcd-servers={etcd}",
                f"--advertise-address={API}",
                f"--tls-cert-file={keys}/api.crt",
                f"--tls-private-key-file={keys}/api.key",
                f"--token-auth-file={keys}/tokens.csv",
                "--authorization-mode=AlwaysAllow",
                "--service-cluster-ip-range=10.96.0.0/16",
                f"--service-account-key-file={keys}/sa.pub",
                f"--service-account-signing-key-file={keys}/sa.key",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--allow-privileged=true",
                # Without it `kubectl exec` and `logs` ask for the node by its name, which no server knows.
                "--kubelet-preferred-address-types=InternalIP",
                "--disable-admission-plugins=ServiceAccount",
                "--endpoint-reconciler-type=none",
            ],
        )
        self._wait("the API server", self.kubectl.answers)
        as_admin = [f"--kubeconfig={LAB}/admin.conf", "--leader-elect=false"]
        self.daemons.start(
            "kube-controller-manager",
            [
                *self._inside,
                self.bin / "kube-controller-manager",
                *as_admin,
                f"--service-account-private-key-file={keys}/sa.key",
                f"--root-ca-file={keys}/ca.crt",
            ],
        )
        self.daemons.start("kube-scheduler", [*self._inside, self.bin / "kube-scheduler", *as_admin])

    def _names(self) -> None:
        """The pods' name server, a stand-in for CoreDNS: it knows the API server's name, and asks nobody."""
        self.daemons.start(
            "dns",
            [
                *self._inside,
                "dnsmasq",
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--pid-file=",
                "--user=root",
                "--no-hosts",
                "--no-resolv",
                "--bind-interfaces",
                f"--listen-address={API}",
                f"--local=/{configuration.DOMAIN}/",
                f"--address=/kubernetes.default.svc.{configuration.DOMAIN}/10.96.0.1",
            ],
        )

    def _node(self) -> None:
        node = LAB / "node"
        (node / "cni").mkdir(parents=True, exist_ok=True)
        (node / "cni/10-pods.conflist").write_text(
            json.dumps(configuration.cni("10.244.1.0/24", node / "addresses"))
        )
        settings = configuration.containerd(
            node / "containerd", self.socket.parent / "state", self.socket, node / "cni"
        )
        (node / "containerd.toml").write_text(settings)
        (node / "kubelet.json").write_text(json.dumps(configuration.kubelet(self.socket)))
        # Not `ip netns exec`, which hides the control groups. What is mounted for pods is seen in there only.
        words = ["nsenter", f"--net=/run/netns/{NAMESPACE}", "unshare", "--mount", "sh", "-c"]
        script = 'mount --make-rshared / && exec nice "$@"'
        pid = self.daemons.start(
            "containerd", [*words, script, "sh", "containerd", "--config", node / "containerd.toml"]
        )
        self._wait("containerd", self._containerd_answers)
        build.pause_image(self.engine)
        self.load(build.PAUSE)
        self.daemons.start(
            "kubelet",
            [
                "nsenter",
                f"--target={pid}",
                "--mount",
                "--net",
                "nice",
                self.bin / "kubelet",
                f"--config={node}/kubelet.json",
                f"--kubeconfig={LAB}/node.conf",
                f"--root-dir={node}/kubelet",
                f"--cert-dir={node}/certificates",
                f"--hostname-override={NODE}",
                f"--node-ip={API}",
            ],
        )

    def _containerd_answers(self) -> bool:
        self.daemons.check("containerd")
        return run(["ctr", "--address", self.socket, "version"], check=False).returncode == 0

    def _wait(self, what: str, answers: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline:
            for file in self.daemons.directory.glob("*.pid"):
                self.daemons.check(file.stem)
            if answers():
                return
            time.sleep(0.3)
        raise DevError(f"{what} does not answer after {_READY_SECONDS:.0f} s", f"look into {LAB}/run/*.log")
