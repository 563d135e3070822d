"""A cluster with the image of this checkout, and workspaces in it."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from devtools import engine as engines
from devtools import recorded
from devtools.images import PREFIX, on_this_base, tag
from devtools.kubernetes.cluster import Cluster
from devtools.kubernetes.given import GivenCluster
from devtools.kubernetes.workspace import KubernetesWorkspace
from devtools.shell import run
from tests.conftest import missing
from tests.harness.coder_server import CoderServer
from tests.template import record_kubernetes
from tests.template.record import written
from tests.template.terraform import ready

IMAGE = tag("base-engine")
NAMESPACE = f"{PREFIX}-tests"

AnyCluster = Cluster | GivenCluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[AnyCluster]:
    """The one that KUBECONFIG names, or the embedded one. It was running before, or it is stopped again."""
    engine = engines.find() or missing("no Docker engine is running; ./dev kubernetes starts one")
    if not on_this_base(engine, "base-engine"):
        missing(f"the image {IMAGE} is not built on today's base image; ./dev kubernetes builds it")
    with contextlib.ExitStack() as stack:
        found: AnyCluster
        if os.environ.get("KUBECONFIG"):
            found = GivenCluster(engine)
        else:
            found = Cluster(engine)
            if not found.running():
                stack.callback(found.stop)
            found.start()
        found.load(IMAGE)
        found.kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        stack.callback(_remove_all, found)
        yield found


def _remove_all(cluster: AnyCluster) -> None:
    cluster.kubectl.run("delete", "namespace", NAMESPACE, "--timeout=120s", check=False)
    for volume in cluster.kubectl.items("persistentvolumes"):
        name = volume["metadata"]["name"]
        if name.startswith(f"{NAMESPACE}-"):
            cluster.kubectl.run("delete", "persistentvolume", name, check=False)
            if isinstance(cluster, Cluster):
                run(["rm", "-rf", "--one-file-system", cluster.volume_root / name])


@pytest.fixture(scope="session")
def coder(cluster: AnyCluster) -> Iterator[CoderServer]:
    """Coder's server, as far as the doctor asks it for anything."""
    server = CoderServer(cluster.engine, address=cluster.host)
    yield server
    server.stop()


New = Callable[..., KubernetesWorkspace]


@pytest.fixture(scope="module")
def new(cluster: AnyCluster, coder: CoderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[New]:
    """Makes workspaces that are not started yet; what Terraform has made of them is deleted afterwards.

    With parameters or variables of the template it is planned with them.
    """
    made: list[KubernetesWorkspace] = []

    def one(
        name: str,
        *,
        owner: str = "ada",
        image: str = IMAGE,
        workspace_id: str = "",
        parameters: Mapping[str, object] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> KubernetesWorkspace:
        record = recorded.KUBERNETES
        if parameters or variables:
            record = tmp_path_factory.mktemp("plan") / "planned.json"
            plan_into(record, parameters, variables)
        space = KubernetesWorkspace(
            cluster,
            name,
            image=f"docker.io/{image}" if image == IMAGE else image,
            namespace=NAMESPACE,
            owner=owner,
            workspace_id=workspace_id,
            record=record,
            access_url=f"http://{coder.address}:{coder.port}",
        )
        made.append(space)
        return space

    yield one
    for space in made:
        space.delete(wait=False)
    for space in made:
        space.wait_gone()


def plan_into(
    file: Path,
    parameters: Mapping[str, object] | None = None,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Plan the template with these, as a record."""
    with ready("kubernetes/main.tf") as terraform:
        file.write_text(written(record_kubernetes.record(terraform, parameters, variables)))
