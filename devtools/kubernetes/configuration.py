"""What the node's programs are configured with."""

from pathlib import Path

from devtools.kubernetes import build
from devtools.kubernetes.host import API

DOMAIN = "cluster.local"
"""What the names of services end in."""


def cni(subnet: str, given: Path) -> dict[str, object]:
    """The network of a node's pods, for the CNI plugins.

    Args:
        subnet: the addresses of the node's pods.
        given: the directory in which the plugins note which of them are in use.
    """
    addresses = {
        "type": "host-local",
        "dataDir": str(given),
        "ranges": [[{"subnet": subnet}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {"type": "bridge", "bridge": "pods", "isGateway": True, "ipam": addresses, "mtu": 1450}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge, {"type": "loopback"}]}


def containerd(root: Path, state: Path, socket: Path, cni_files: Path) -> str:
    """The settings of containerd.

    Args:
        root: where it keeps images and containers.
        state: where it keeps what a restart of the machine may lose.
        socket: where it listens.
        cni_files: the directory with the file of `cni`.
    """
    return f"""version = 2
root = "{root}"
state = "{state}"
[grpc]
address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{build.PAUSE}"
# A machine without CAP_SYS_RESOURCE may not lower a score.
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{cni_files}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
"""


def kubelet(socket: Path) -> dict[str, object]:
    """The settings of the kubelet; `socket` is where containerd listens."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": "/",
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "containerRuntimeEndpoint": f"unix://{socket}",
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        # Names of the machine's own name server would not be reached from here.
        "resolvConf": "",
        "clusterDNS": [API],
        "clusterDomain": DOMAIN,
        "evictionHard": {"memory.available": "50Mi"},
        "imageGCHighThresholdPercent": 100,
        "nodeStatusUpdateFrequency": "4s",
        # A machine under User Mode Linux is slow.
        "runtimeRequestTimeout": "10m",
    }
