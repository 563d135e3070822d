"""A cluster that runs already: the one that KUBECONFIG names."""

import os
from pathlib import Path

from devtools.engine import Engine
from devtools.images import PREFIX
from devtools.kubernetes.kubectl import Kubectl
from devtools.shell import DevError, run, say


class GivenCluster:
    """A cluster of one node, made by kind or by somebody else, who answers for its images then.

    Args:
        engine: the Docker engine that has the images, and kind's nodes.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.kubectl = Kubectl()
        self.volume_root = Path(f"/var/lib/{PREFIX}-volumes")
        (self.node,) = [one["metadata"]["name"] for one in self._nodes()]
        context = self.kubectl.run("config", "current-context").stdout.strip()
        self._kind = context.removeprefix("kind-") if context.startswith("kind-") else ""

    def _nodes(self) -> list[dict[str, dict[str, str]]]:
        nodes = self.kubectl.items("nodes")
        if len(nodes) != 1:
            raise DevError(
                f"the cluster has {len(nodes)} nodes, and volumes are made by hand on one",
                "kind create cluster, and set KUBECONFIG to it",
            )
        return nodes

    @property
    def host(self) -> str:
        """This machine's address, as pods reach it."""
        if self._kind:
            form = "{{range .IPAM.Config}}{{.Gateway}} {{end}}"
            words = self.engine.docker("network", "inspect", "kind", "-f", form).stdout.split()
            return next(word for word in words if ":" not in word)
        address = os.environ.get("KUBERNETES_TEST_HOST", "")
        if not address:
            raise DevError("how do pods reach this machine?", "set KUBERNETES_TEST_HOST to its address")
        return address

    def load(self, image: str) -> float:
        """Give an image to kind's node; another cluster has to have it."""
        if self._kind:
            run(["kind", "load", "docker-image", "--name", self._kind, image])
        else:
            say(f"the cluster is not kind's: its node has to have {image}")
        return 0.0
