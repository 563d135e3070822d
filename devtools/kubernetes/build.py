"""What the cluster is made of: Kubernetes itself, built from its Go module, and Debian's packages."""

import io
import os
import shutil
import tarfile
from pathlib import Path

from devtools.engine import Engine
from devtools.shell import ROOT, STATE, DevError, apt_install, run, say

SOURCE = ROOT / "tests/kubernetes/cluster"
LAB = STATE / "kubernetes"
"""All that the cluster is and keeps; `./dev down --all` removes it."""
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet")
PAUSE = "localhost/cws-pause:1"
_PACKAGES = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "kubectl": "kubernetes-client",
    "dnsmasq": "dnsmasq-base",
    "openssl": "openssl",
    "nsenter": "util-linux",
    "ip": "iproute2",
    "iptables": "iptables",
}
_CNI = Path("/usr/lib/cni")
# Kubernetes 1.35 needs this one.
_GO = (1, 25)


def tools() -> None:
    """Install what the cluster runs on.

    Raises:
        DevError: something cannot be had here; the hint is how to get it.
    """
    if os.geteuid() != 0:
        raise DevError("a cluster on this machine needs root", "sudo ./dev …, or KUBECONFIG for another one")
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    lacking = [package for program, package in _PACKAGES.items() if not shutil.which(program, path=path)]
    if not (_CNI / "bridge").exists():
        lacking.append("containernetworking-plugins")
    if lacking:
        apt_install(lacking, "The cluster runs on them")


def program() -> Path:
    """Build Kubernetes and return the directory of its programs. With Go's build cache that takes seconds.

    Raises:
        DevError: there is no Go that can build it, or the build failed.
    """
    go = shutil.which("go")
    version = run([go, "env", "GOVERSION"], check=False).stdout.strip() if go else ""
    numbers = version.removeprefix("go").split(".")[:2]
    if len(numbers) != 2 or not all(map(str.isdecimal, numbers)) or tuple(map(int, numbers)) < _GO:
        raise DevError(
            f"Kubernetes is built with Go 1.25 or newer, and here is {version or 'none'}",
            "install it (go.dev/dl), or set KUBECONFIG to use a cluster that runs already",
        )
    directory = LAB / "bin"
    directory.mkdir(parents=True, exist_ok=True)
    binary = directory / "kubernetes"
    if not binary.exists():
        say("building Kubernetes from its Go module: some 10 minutes on 2 cores the first time")
    command: list[str | Path] = ["nice", str(go), "build", "-C", SOURCE, "-mod=readonly", "-buildvcs=false"]
    run([*command, "-o", binary, "."])
    # Static: it is the only file of its image.
    run([*command, "-ldflags=-s -w", "-o", directory / "pause", "./pause"], env={"CGO_ENABLED": "0"})
    for name in COMPONENTS:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(binary.name)
    return directory


def pause_image(engine: Engine) -> str:
    """Make the image of the container that holds a pod's namespaces, and return its name."""
    if not engine.has_image(PAUSE):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(LAB / "bin/pause", "pause")
        engine.docker("import", "--change", 'ENTRYPOINT ["/pause"]', "-", PAUSE, stdin=archive.getvalue())
    return PAUSE
