"""From a planned resource of the Kubernetes provider to an object of the API.

Every attribute that is set has its translation here; one that we do not know is an error, so that nothing of
the template is left out in silence.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


class UnknownAttributeError(Exception):
    """The plan sets an attribute that has no translation here."""


@dataclass(frozen=True)
class One:
    """A block that is there once at the most, or an object: `name` in the API, and what it has."""

    name: str
    fields: "Fields"


@dataclass(frozen=True)
class Many:
    """Blocks that are a list in the API."""

    name: str
    fields: "Fields"


@dataclass(frozen=True)
class Value:
    """An attribute; `convert` where the provider has another type than the API."""

    name: str
    convert: Callable[[Any], Any] = lambda value: value


Fields = Mapping[str, "One | Many | Value"]


def values(*names: str, **converted: Callable[[Any], Any]) -> Fields:
    """Attributes that the API calls the same in camel case."""
    plain = {name: Value(_camel(name)) for name in names}
    return {**plain, **{name: Value(_camel(name), convert) for name, convert in converted.items()}}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _octal(mode: str) -> int:
    return int(mode, 8)


_METADATA = values("annotations", "labels", "name", "namespace")
_ITEMS = Many("items", values("key", "path", mode=_octal))
_KEY_REF = values("key", "name", "optional")
_EXPRESSION = values("key", "operator", "values")
_RESOURCES = values("limits", "requests")
_CONTAINER: Fields = {
    **values("args", "command", "image", "image_pull_policy", "name", "stdin", "stdin_once"),
    **values("termination_message_path", "termination_message_policy", "tty", "working_dir"),
    "env": Many(
        "env",
        {
            **values("name", "value"),
            "value_from": One("valueFrom", {"secret_key_ref": One("secretKeyRef", _KEY_REF)}),
        },
    ),
    "resources": One("resources", _RESOURCES),
    "security_context": One(
        "securityContext",
        {
            **values(
                "allow_privilege_escalation", "privileged", "read_only_root_filesystem", run_as_user=int
            ),
            "capabilities": One("capabilities", values("add", "drop")),
        },
    ),
    "startup_probe": One(
        "startupProbe",
        {
            **values("failure_threshold", "initial_delay_seconds", "period_seconds"),
            **values("success_threshold", "timeout_seconds"),
            "exec": One("exec", values("command")),
        },
    ),
    "volume_mount": Many(
        "volumeMounts", values("mount_path", "mount_propagation", "name", "read_only", "sub_path")
    ),
}
_NODE_TERM: Fields = {"match_expressions": Many("matchExpressions", _EXPRESSION)}
_POD: Fields = {
    **values("automount_service_account_token", "dns_policy", "enable_service_links"),
    # The API writes these abbreviations in capitals.
    "host_ipc": Value("hostIPC"),
    "host_pid": Value("hostPID"),
    "host_network": Value("hostNetwork"),
    **values("node_selector", "priority_class_name", "restart_policy", "runtime_class_name"),
    **values("service_account_name", "share_process_namespace", "termination_grace_period_seconds"),
    "affinity": One(
        "affinity",
        {
            "node_affinity": One(
                "nodeAffinity",
                {
                    "required_during_scheduling_ignored_during_execution": One(
                        "requiredDuringSchedulingIgnoredDuringExecution",
                        {"node_selector_term": Many("nodeSelectorTerms", _NODE_TERM)},
                    ),
                    "preferred_during_scheduling_ignored_during_execution": Many(
                        "preferredDuringSchedulingIgnoredDuringExecution",
                        {**values("weight"), "preference": One("preference", _NODE_TERM)},
                    ),
                },
            )
        },
    ),
    "container": Many("containers", _CONTAINER),
    "init_container": Many("initContainers", _CONTAINER),
    "host_aliases": Many("hostAliases", values("hostnames", "ip")),
    "image_pull_secrets": Many("imagePullSecrets", values("name")),
    "toleration": Many("tolerations", values("effect", "key", "operator", "value")),
    "volume": Many(
        "volumes",
        {
            **values("name"),
            "persistent_volume_claim": One("persistentVolumeClaim", values("claim_name", "read_only")),
            "secret": One(
                "secret", {**values("secret_name", "optional", default_mode=_octal), "items": _ITEMS}
            ),
        },
    ),
}
_CLAIM: Fields = {
    "metadata": One("metadata", _METADATA),
    "spec": One(
        "spec",
        {
            **values("access_modes", "storage_class_name", "volume_mode", "volume_name"),
            "resources": One("resources", _RESOURCES),
        },
    ),
}
_SET: Fields = {
    "metadata": One("metadata", _METADATA),
    "spec": One(
        "spec",
        {
            **values("min_ready_seconds", "pod_management_policy", "service_name", replicas=int),
            "persistent_volume_claim_retention_policy": One(
                "persistentVolumeClaimRetentionPolicy", values("when_deleted", "when_scaled")
            ),
            "selector": One("selector", values("match_labels")),
            "template": One("template", {"metadata": One("metadata", _METADATA), "spec": One("spec", _POD)}),
            "volume_claim_template": Many("volumeClaimTemplates", _CLAIM),
        },
    ),
}
_SECRET: Fields = {
    "metadata": One("metadata", _METADATA),
    **values("type"),
    "data": Value(
        "data", lambda data: {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    ),
}
_KINDS: Mapping[str, tuple[str, str, Fields]] = {
    "kubernetes_stateful_set_v1": ("apps/v1", "StatefulSet", _SET),
    "kubernetes_secret_v1": ("v1", "Secret", _SECRET),
}
# How Terraform goes about it, and what the provider has computed.
_TERRAFORM_ONLY = frozenset({"id", "timeouts", "wait_for_rollout", "wait_for_service_account_token"})
_UNSET: tuple[object, ...] = (None, "", [], {})


def to_object(kind: str, planned: Mapping[str, Any]) -> Json:
    """The object of a planned resource.

    Args:
        kind: the resource's type, e.g. `kubernetes_secret_v1`.
        planned: its attributes; what is null or empty is not set.

    Raises:
        UnknownAttributeError: something is set, or of a kind, that has no translation.
    """
    if kind not in _KINDS:
        raise UnknownAttributeError(kind)
    version, name, fields = _KINDS[kind]
    own = {key: value for key, value in planned.items() if key not in _TERRAFORM_ONLY}
    return {"apiVersion": version, "kind": name, **_block(own, fields, kind)}


def _block(block: Mapping[str, Any], fields: Fields, place: str) -> Json:
    done: Json = {}
    for key, value in block.items():
        if value in _UNSET or (key in _COMPUTED and place.endswith(".metadata")):
            continue
        field = fields.get(key)
        below = f"{place}.{key}"
        match field:
            case None:
                raise UnknownAttributeError(below)
            case Value():
                done[field.name] = field.convert(value)
            case One():
                (only,) = value
                done[field.name] = _block(only, field.fields, below)
            case Many():
                done[field.name] = [_block(one, field.fields, below) for one in value]
    return done


_COMPUTED = frozenset({"generation", "resource_version", "uid"})
