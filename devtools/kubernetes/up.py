"""`./dev up --kubernetes`: a cluster on this machine with a workspace in it, as the template plans it."""

import time

from devtools import images, mirror, recorded
from devtools.engine import Engine
from devtools.kubernetes.build import LAB
from devtools.kubernetes.cluster import Cluster
from devtools.kubernetes.workspace import KubernetesWorkspace
from devtools.shell import DevError, say

_NAMESPACE = "coder-workspaces"
_ID = "00000000-0000-4000-8000-000000000001"
"""It stays the same, so that the workspace's claims are found again."""


def up(engine: Engine) -> int:
    """Build, start, wait, show. What runs already is kept.

    Raises:
        DevError: something is missing, or the doctor found failures.
    """
    say("building the base image with a Docker engine")
    image = mirror.build(engine, "base-engine")
    cluster = Cluster(engine)
    seconds = cluster.start()
    say(f"the cluster is ready, from etcd to kubelet ({seconds:.1f} s)")
    say(f"the node has the image ({cluster.load(image):.1f} s)")
    cluster.kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}})
    began = time.monotonic()
    space = workspace(cluster, image).start()
    say(f"the workspace is ready ({time.monotonic() - began:.1f} s)")
    report = space.exec("ws-doctor")
    print(report.stdout, end="")
    kubectl = f"kubectl --kubeconfig={LAB}/admin.conf -n {_NAMESPACE}"
    print(f"\nEnter:   {kubectl} exec -it {space.pod} -c workspace -- runuser -l coder")
    print(f"Look:    {kubectl} get pods,pvc")
    print("Remove:  ./dev down          (its volumes stay; ./dev down --all removes them too)")
    if report.returncode != 0:
        raise DevError("the doctor found failures", "the remedies are in the report above")
    return 0


def workspace(cluster: Cluster, image: str) -> KubernetesWorkspace:
    """The workspace; no server of Coder belongs to it."""
    space = KubernetesWorkspace(
        cluster,
        "dev",
        image=f"docker.io/{image}",
        namespace=_NAMESPACE,
        workspace_id=_ID,
        record=recorded.fresh(recorded.KUBERNETES),
    )
    space.settings["workspace"]["access_url"] = ""
    return space


def down(engine: Engine | None, *, everything: bool) -> None:
    """Stop the cluster, and with `everything` remove its files, volumes too. Needs no engine."""
    if not LAB.exists():
        return
    cluster = Cluster(engine or Engine(["docker"]))
    if cluster.running() or cluster.left_over():
        cluster.stop()
        say("stopped: the cluster; its changes to this machine were undone")
    if everything:
        cluster.remove()
        if engine:
            images.remove(engine)
        say("removed: the cluster's files and volumes")
