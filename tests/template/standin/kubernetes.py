"""What hashicorp/kubernetes does beyond its schema (3.2). Nothing is run: resources are only recorded."""

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from tests.template.standin.servicer import RefusedError, Rules

Json = dict[str, Any]

_POD = "spec.template.spec."
_LABEL = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?")
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_PROBE = {
    "failure_threshold": 3,
    "period_seconds": 10,
    "success_threshold": 1,
    "timeout_seconds": 1,
}
_CONTAINER = {
    "stdin": False,
    "stdin_once": False,
    "termination_message_path": "/dev/termination-log",
    "tty": False,
    "security_context.allow_privilege_escalation": True,
    "security_context.privileged": False,
    "security_context.read_only_root_filesystem": False,
    "volume_mount.mount_propagation": "None",
    "volume_mount.read_only": False,
    **{f"startup_probe.{name}": value for name, value in _PROBE.items()},
}


class Kubernetes(Rules):
    """Rules of hashicorp/kubernetes."""

    defaults: Mapping[str, Mapping[str, Any]] = {
        "kubernetes_secret_v1": {"type": "Opaque", "wait_for_service_account_token": True},
        "kubernetes_stateful_set_v1": {
            "wait_for_rollout": True,
            "spec.min_ready_seconds": 0,
            "spec.volume_claim_template.metadata.namespace": "default",
            f"{_POD}automount_service_account_token": True,
            f"{_POD}dns_policy": "ClusterFirst",
            f"{_POD}enable_service_links": True,
            f"{_POD}host_ipc": False,
            f"{_POD}host_network": False,
            f"{_POD}host_pid": False,
            f"{_POD}restart_policy": "Always",
            f"{_POD}share_process_namespace": False,
            f"{_POD}termination_grace_period_seconds": 30,
            f"{_POD}volume.persistent_volume_claim.read_only": False,
            f"{_POD}volume.secret.default_mode": "0644",
            **{f"{_POD}container.{name}": value for name, value in _CONTAINER.items()},
            **{f"{_POD}init_container.{name}": value for name, value in _CONTAINER.items()},
        },
    }
    replacing: Mapping[str, frozenset[str]] = {
        "kubernetes_secret_v1": frozenset(["metadata.name", "metadata.namespace", "type"]),
        "kubernetes_stateful_set_v1": frozenset(
            [
                "metadata.name",
                "metadata.namespace",
                "spec.pod_management_policy",
                "spec.revision_history_limit",
                "spec.selector",
                "spec.service_name",
                "spec.volume_claim_template",
            ]
        ),
    }

    def validate(self, kind: str, config: Json) -> None:
        for place, metadata in _blocks(config, "metadata"):
            name = metadata.get("name")
            if isinstance(name, str) and not _NAME.fullmatch(name):
                raise RefusedError(f"{place}.name: {name!r} is not a DNS subdomain")
            labels = metadata.get("labels")
            for key, value in labels.items() if isinstance(labels, dict) else ():
                if not _LABEL.fullmatch(key) or (isinstance(value, str) and not _VALUE.fullmatch(value)):
                    raise RefusedError(f'{place}.labels ("{key}") is not a label: {value!r}')
        for _, spec in _blocks(config, "spec"):
            replicas = spec.get("replicas")
            if isinstance(replicas, str) and not replicas.isdecimal():
                raise RefusedError(f'"replicas" ("{replicas}") is not an integer')

    def create(self, kind: str, planned: Json) -> Json:
        if kind not in self.defaults:
            return super().create(kind, planned)
        (metadata,) = planned["metadata"]
        made = {"generation": 1, "resource_version": "1", "uid": str(uuid.uuid4())}
        return {"id": f"{metadata['namespace']}/{metadata['name']}", "metadata": [{**metadata, **made}]}


def _blocks(value: object, name: str, place: str = "") -> Iterator[tuple[str, Json]]:
    """Every block of a name, at any depth, with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            below = f"{place}.{key}" if place else key
            if key == name and isinstance(inner, list):
                yield from ((below, one) for one in inner if isinstance(one, dict))
            yield from _blocks(inner, name, below)
    elif isinstance(value, list):
        for one in value:
            yield from _blocks(one, name, place)
