"""A real workspace on a real cluster: the objects that the template plans, applied to the API."""

import copy
import hashlib
import json
import subprocess
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from devtools import recorded
from devtools.kubernetes.kubectl import Kubectl
from devtools.kubernetes.translate import to_object
from devtools.shell import DevError
from devtools.workspace import AGENT_STAND_IN

READY_SECONDS = 180.0
CLASS = "cws-by-hand"
"""The storage class of claims that get a volume made by hand."""
_URL = "https://coder.recorded.example"
_SECRET, _SET = "kubernetes_secret_v1", "kubernetes_stateful_set_v1"

Json = dict[str, Any]


class Anywhere(Protocol):
    """A cluster, as far as a workspace needs to know it."""

    @property
    def kubectl(self) -> Kubectl:
        """What talks to it."""

    @property
    def volume_root(self) -> Path:
        """A directory on the node for volumes that are made by hand."""


class KubernetesWorkspace:
    """One workspace. Start it with :meth:`start`; :meth:`stop` and :meth:`delete` do what Coder has done.

    Args:
        cluster: where it runs.
        name: what its user calls it.
        image: repository and tag, as the node knows it.
        namespace: exists already.
        owner: workspaces of one owner share the home.
        workspace_id: Coder's id; a new one by default.
        record: the template's plan.
        access_url: of Coder; empty: none.
        patience: seconds that a start or a stop may take.
    """

    def __init__(
        self,
        cluster: Anywhere,
        name: str,
        *,
        image: str,
        namespace: str,
        owner: str = "ada",
        workspace_id: str = "",
        record: Path = recorded.KUBERNETES,
        access_url: str = "",
        patience: float = READY_SECONDS,
    ) -> None:
        self.patience = patience
        self.cluster = cluster
        self.kubectl = cluster.kubectl
        self.name = name
        self.owner = owner
        self.namespace = namespace
        self.workspace_id = workspace_id or str(uuid.uuid4())
        self.pod = f"coder-{self.workspace_id}-0"
        places = {
            "registry.example/recorded:base-engine": image,
            "registry.example/recorded:base": image,
            "recorded-namespace": namespace,
            "recorded-homes": "homes",
            "recorded-class": CLASS,
            _URL: access_url,
        }
        plan = recorded.load(record, name=name, owner=owner, workspace_id=self.workspace_id, others=places)
        self.planned: dict[str, Json] = plan
        """The template's resources by state (`start`, `stop`) and type."""
        self.data: dict[str, str] = plan["start"][_SECRET]["data"]
        self.data["agent-init.sh"] = AGENT_STAND_IN
        self.settings: Json = json.loads(self.data["workspace.json"])

    # Life -----------------------------------------------------------------------------------------

    def objects(self, state: str) -> dict[str, Json]:
        """The objects of the API in a state, by the type of their resource."""
        planned = copy.deepcopy(self.planned[state])
        files = {**self.data, "workspace.json": json.dumps(self.settings)}
        if _SECRET in planned:
            planned[_SECRET]["data"] = files
        (spec,) = planned[_SET]["spec"]
        digest = hashlib.sha256(json.dumps([state, files]).encode()).hexdigest()
        spec["template"][0]["metadata"][0]["annotations"]["com.coder.files"] = digest
        return {kind: to_object(kind, attributes) for kind, attributes in planned.items()}

    def claims(self) -> list[str]:
        """The names of the claims that the controller makes for it."""
        templates = self.objects("start")[_SET]["spec"]["volumeClaimTemplates"]
        return [f"{one['metadata']['name']}-{self.pod}" for one in templates]

    def start(self, *, wait: bool = True) -> "KubernetesWorkspace":
        """Apply the plan of a start; volumes that no provisioner makes are made."""
        provide(self.cluster, self.namespace, "homes", "ReadWriteMany", owned=True)
        for claim in self.claims():
            provide(self.cluster, self.namespace, claim, "ReadWriteOnce")
        self.kubectl.apply(*self.objects("start").values())
        if wait:
            self.wait_rolled_out()
            self.wait_ready()
        return self

    def stop(self, *, wait: bool = True) -> float:
        """Apply the plan of a stop, and return the seconds until the pod is gone."""
        began = time.monotonic()
        after = self.objects("stop")
        self.kubectl.apply(*after.values())
        self._remove({kind: one for kind, one in self.objects("start").items() if kind not in after})
        if wait:
            self.wait_gone()
        return time.monotonic() - began

    def delete(self, *, wait: bool = True) -> None:
        """Delete what Terraform has made, as the provider does: it waits for the objects, not for the pod."""
        self._remove(self.objects("start"))
        if wait:
            self.wait_gone()

    def _remove(self, objects: Mapping[str, Json]) -> None:
        for one in objects.values():
            name = f"{one['kind'].lower()}/{one['metadata']['name']}"
            self.kubectl.run("delete", name, "-n", self.namespace, "--ignore-not-found", "--wait=false")

    # Waiting --------------------------------------------------------------------------------------

    def status(self) -> Json:
        """The pod as the API has it; empty if there is none."""
        return self.kubectl.get("pod", self.pod, namespace=self.namespace)

    def wait_rolled_out(self) -> None:
        """Wait as the provider does, until as many pods are ready as are wanted.

        Raises:
            DevError: it takes too long; with the pod's events.
        """
        name = f"statefulset/coder-{self.workspace_id}"
        deadline = time.monotonic() + self.patience
        while time.monotonic() < deadline:
            now = self.kubectl.get(name, namespace=self.namespace)["status"]
            current = now.get("updateRevision") == now.get("currentRevision")
            if now.get("readyReplicas") == 1 and current:
                return
            time.sleep(0.3)
        raise DevError(f"{self.pod} is not ready after {self.patience:.0f} s:\n{self.events()}")

    def wait_ready(self) -> str:
        """Wait until the boot is over, and return what `systemctl is-system-running` says."""
        deadline = time.monotonic() + self.patience
        done = self.exec("true", user="root")
        while time.monotonic() < deadline:
            done = self.exec("systemctl", "is-system-running", user="root")
            if done.stdout.strip() in ("running", "degraded", "maintenance"):
                return done.stdout.strip()
            time.sleep(0.3)
        raise DevError(f"{self.pod} is still {done.stdout.strip() or done.stderr}")

    def wait_gone(self) -> None:
        """Wait until there is no pod."""
        deadline = time.monotonic() + self.patience
        while self.status():
            if time.monotonic() > deadline:
                raise DevError(f"{self.pod} is still there:\n{self.events()}")
            time.sleep(0.2)

    def events(self) -> str:
        """What the cluster says of the pod, one event a line: its reason and its message."""
        listed = self.kubectl.items("events", namespace=self.namespace)
        own = [one for one in listed if one["involvedObject"]["name"] == self.pod]
        return "\n".join(f"{one.get('reason')}: {one.get('message')}" for one in own)

    # Inside ---------------------------------------------------------------------------------------

    def exec(
        self,
        *words: str,
        user: str = "coder",
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside; how it ends is the caller's concern."""
        flags = ["-i"] if stdin is not None else []
        pairs = [f"{name}={value}" for name, value in (env or {}).items()]
        as_user = ["runuser", "-u", user, "--", "env", f"HOME=/home/{user}", f"USER={user}"]
        command = [*(as_user if user != "root" else ["env"]), *pairs, *words]
        where = ["-n", self.namespace, self.pod, "-c", "workspace"]
        return self.kubectl.run("exec", *flags, *where, "--", *command, check=False, stdin=stdin)

    def sh(self, script: str, *, user: str = "coder") -> subprocess.CompletedProcess[str]:
        """Run a script in the user's login shell."""
        return self.exec("bash", "-lc", f"cd; {script}", user=user)

    def out(self, script: str, *, user: str = "coder") -> str:
        """What a script prints, without the last newline.

        Raises:
            AssertionError: it ended with another status than 0.
        """
        done = self.sh(script, user=user)
        assert done.returncode == 0, f"{script!r} ended with {done.returncode}: {done.stderr or done.stdout}"
        return done.stdout.rstrip("\n")


def provide(cluster: Anywhere, namespace: str, claim: str, mode: str, *, owned: bool = False) -> None:
    """Make a volume for a claim: a directory of the node, which nothing deletes with the claim.

    Args:
        cluster: where.
        namespace: of the claim.
        claim: its name.
        mode: ReadWriteMany or ReadWriteOnce.
        owned: whether the claim is to be made, too, as a platform engineer makes that of the homes. One that
            is there is left as it is.
    """
    name = f"{namespace}-{claim}"
    spec = {"accessModes": [mode], "storageClassName": CLASS}
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            **spec,
            "capacity": {"storage": "100Gi"},
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"namespace": namespace, "name": claim},
            "hostPath": {"path": f"{cluster.volume_root}/{name}", "type": "DirectoryOrCreate"},
        },
    }
    made = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": claim, "namespace": namespace},
        "spec": {**spec, "resources": {"requests": {"storage": "1Gi"}}, "volumeName": name},
    }
    if owned and cluster.kubectl.get("persistentvolumeclaim", claim, namespace=namespace):
        return
    if not cluster.kubectl.get("persistentvolume", name):
        cluster.kubectl.apply(volume)
    if owned:
        cluster.kubectl.apply(made)
