"""A cluster by its kubeconfig, asked by kubectl."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from devtools.shell import run

Json = dict[str, Any]


class Kubectl:
    """kubectl with a kubeconfig.

    Args:
        kubeconfig: the file; None: as kubectl finds it.
    """

    def __init__(self, kubeconfig: Path | None = None) -> None:
        self.words = ["kubectl", *([f"--kubeconfig={kubeconfig}"] if kubeconfig else [])]

    def run(
        self,
        *words: str | Path,
        check: bool = True,
        stdin: str | bytes | None = None,
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl with these words."""
        return run([*self.words, *words], check=check, stdin=stdin, timeout=timeout)

    def get(self, *words: str, namespace: str = "") -> Json:
        """An object, or a list of some, as the API has it; empty if there is none."""
        where = ["-n", namespace] if namespace else []
        done = self.run("get", *words, *where, "-o", "json", "--ignore-not-found")
        return json.loads(done.stdout) if done.stdout.strip() else {}

    def items(self, *words: str, namespace: str = "") -> list[Json]:
        """The objects of a list."""
        return list(self.get(*words, namespace=namespace).get("items", []))

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Create objects, or change them to what is given."""
        self.run("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

    def answers(self) -> bool:
        """Whether the API server is ready."""
        return self.run("get", "--raw", "/readyz", "--request-timeout=3s", check=False).returncode == 0

    def node_ready(self, name: str) -> bool:
        """Whether a node can run pods."""
        done = self.run("get", "node", name, "-o", "json", check=False)
        if done.returncode != 0:
            return False
        conditions = json.loads(done.stdout)["status"].get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
