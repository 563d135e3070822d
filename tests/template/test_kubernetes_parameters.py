"""Parameters and variables of kubernetes/main.tf: good, bad and hostile.

What it shares with main.tf is equal to it (test_kubernetes.py), and tested in test_parameters.py. Here is
what only this template has, and that what is shared arrives in the pod.
"""

import json
import re
from typing import Any

import pytest

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.manifest.paths import normalise_path
from tests.template.terraform import BUILD, Plan, Terraform, TerraformError
from tests.template.test_parameters import HOSTILE, NO_PATH, PATHS, PROJECTS, REFUSALS, REPOSITORY

SET, SECRET = "kubernetes_stateful_set_v1.workspace", "kubernetes_secret_v1.workspace[0]"
URL = {"CODER_AGENT_URL": "https://coder.example.org"}
OWNER, WORKSPACE = BUILD["CODER_WORKSPACE_OWNER_ID"], BUILD["CODER_WORKSPACE_ID"]
DIGEST = f"sha256:{'5' * 64}"
GIB = "Give a number of GiB from 0 to"
CORES = "Give thousandths of a core from 0 to 16000"


def planned(plan: Plan) -> dict[str, Any]:
    """What tests look at, by name: the pod's parts, and each mount as (volume, its directory)."""
    (spec,) = plan.values(SET)["spec"]
    (template,) = spec["template"]
    (pod,) = template["spec"]
    (container,) = pod["container"]
    (init,) = pod["init_container"]
    (resources,) = container["resources"]
    (security,) = container["security_context"]
    return {
        "claims": {
            one["metadata"][0]["name"]: (
                one["spec"][0].get("storage_class_name"),
                one["spec"][0]["resources"][0]["requests"]["storage"],
                one["spec"][0]["access_modes"],
            )
            for one in spec["volume_claim_template"]
        },
        "pod": pod,
        "container": container,
        "init": init,
        "image": container["image"],
        "pull": container["image_pull_policy"],
        "limits": resources.get("limits") or {},
        "requests": resources.get("requests") or {},
        "privileged": security["privileged"],
        "capabilities": [name for one in security["capabilities"] for name in one["add"]],
        "mounts": {one["mount_path"]: (one["name"], one["sub_path"]) for one in container["volume_mount"]},
        "volumes": {
            one["name"]: claim["claim_name"]
            for one in pod["volume"]
            for claim in one["persistent_volume_claim"]
        },
        "labels": template["metadata"][0]["labels"],
        "affinity": pod["affinity"],
        "tolerations": [{key: value for key, value in one.items() if value} for one in pod["toleration"]],
    }


def settings(terraform: Terraform, parameters: dict[str, object], **variables: str) -> dict[str, Any]:
    """The settings document. Only a plan after the agent was made has it: its token is beside it."""
    state = terraform.directory / "settings.tfstate"
    first = terraform.plan(
        parameters, environment=URL, variables=variables, state=state, words=["-target=coder_agent.main"]
    )
    terraform.apply(first, state, environment=URL)
    try:
        plan = terraform.plan(
            parameters, environment=URL, variables=variables, state=state, words=["-refresh=false"]
        )
    finally:
        state.unlink()
    return dict(json.loads(plan.values(SECRET)["data"]["workspace.json"]))


GOOD = [
    # parameters, variables, what is planned for it
    ({}, {}, {"image": f"{REPOSITORY}:base-engine", "pull": "Always", "limits": {}, "requests": {}}),
    ({}, {}, {"privileged": True, "affinity": [], "tolerations": []}),
    ({"workspace_image": "cpp"}, {}, {"image": f"{REPOSITORY}:cpp-engine"}),
    ({"workspace_image": "cpp"}, {"engine": "none"}, {"image": f"{REPOSITORY}:cpp"}),
    (
        {},
        {"image_digests": json.dumps({"base-engine": DIGEST})},
        {"image": f"{REPOSITORY}:base-engine@{DIGEST}", "pull": "IfNotPresent"},
    ),
    ({}, {"image_pull_policy": "Never"}, {"pull": "Never"}),
    ({"memory": "8"}, {}, {"limits": {"memory": "8Gi"}, "requests": {}}),
    ({"cpus": "16"}, {}, {"limits": {"cpu": "16"}}),
    ({"ephemeral_storage": "100"}, {}, {"limits": {"ephemeral-storage": "100Gi"}}),
    (
        {"memory": "8", "memory_request": "8", "cpus": "2", "cpu_request": "2000"},
        {},
        {"limits": {"memory": "8Gi", "cpu": "2"}, "requests": {"memory": "8Gi", "cpu": "2000m"}},
    ),
    ({"memory_request": "64", "cpu_request": "1"}, {}, {"requests": {"memory": "64Gi", "cpu": "1m"}}),
    ({"ephemeral_storage_request": "1"}, {}, {"requests": {"ephemeral-storage": "1Gi"}}),
    (
        {},
        {},
        {
            "claims": {
                "docker": (None, "40Gi", ["ReadWriteOnce"]),
                "projects": (None, "20Gi", ["ReadWriteOnce"]),
            },
            "volumes": {"home": "coder-homes"},
            "mounts": {
                "/home/coder/projects": ("projects", None),
                "/var/lib/docker": ("docker", None),
                "/mnt/home-persist": ("home", f"homes/{OWNER}"),
                "/etc/coder/workspace.json": ("files", "workspace.json"),
                "/etc/coder/agent-init.sh": ("files", "agent-init.sh"),
                "/etc/hostname": ("files", "hostname"),
            },
        },
    ),
    ({}, {"engine": "none"}, {"claims": {"projects": (None, "20Gi", ["ReadWriteOnce"])}}),
    (
        {},
        {
            "projects_storage_class": "fast",
            "projects_size": "1Ti",
            "docker_storage_class": "local",
            "docker_size": "512Mi",
        },
        {
            "claims": {
                "docker": ("local", "512Mi", ["ReadWriteOnce"]),
                "projects": ("fast", "1Ti", ["ReadWriteOnce"]),
            }
        },
    ),
    (
        {},
        {"home_claim": "home-{owner_id}", "home_path": ""},
        {"volumes": {"home": f"home-{OWNER}"}},
    ),
    ({}, {"home_claim": "{owner}", "home_path": ""}, {"volumes": {"home": "ada"}}),
    (
        {},
        {"shared_claim": "coder-homes"},
        {"volumes": {"home": "coder-homes", "shared": "coder-homes"}},
    ),
    ({}, {"privileged": "false", "runtime_class": "sysbox-runc"}, {"privileged": False, "capabilities": []}),
    (
        {},
        {"privileged": "false", "runtime_class": "systemd", "capabilities": '["SYS_ADMIN"]'},
        {"privileged": False, "capabilities": ["SYS_ADMIN"]},
    ),
    # A privileged container has them all.
    ({}, {"capabilities": '["SYS_ADMIN"]'}, {"privileged": True, "capabilities": []}),
    (
        {},
        {
            "tolerations": '[{"key": "workspaces", "operator": "Exists"},'
            ' {"key": "a", "value": "b", "effect": "NoExecute"}]'
        },
        {
            "tolerations": [
                {"key": "workspaces", "operator": "Exists"},
                {"key": "a", "operator": "Equal", "value": "b", "effect": "NoExecute"},
            ]
        },
    ),
]

BAD = [
    # parameters, what is said
    ({"workspace_image": "base-engine"}, 'the value "base-engine" must be defined as one of options'),
    ({"ephemeral_storage": "101"}, f"{GIB} 100"),
    ({"ephemeral_storage": "-1"}, f"{GIB} 100"),
    ({"ephemeral_storage_request": "x"}, f"{GIB} 100"),
    ({"memory_request": "65"}, f"{GIB} 64"),
    ({"memory_request": "1.5"}, "Give a number of GiB"),
    ({"cpu_request": "16001"}, CORES),
    ({"cpu_request": "0.5"}, CORES),
    ({"memory": "2", "memory_request": "3"}, "memory_request: more is reserved than the limit allows"),
    ({"cpus": "1", "cpu_request": "1001"}, "cpu_request: more is reserved"),
    ({"ephemeral_storage": "1", "ephemeral_storage_request": "2"}, "ephemeral_storage_request: more is"),
    ({"home_persist_paths": ["fine", "a/../b"]}, f'"a/../b" {NO_PATH}'),
]

BAD_VARIABLES = [
    # variable, value, what is said
    ("namespace", "Coder", "Give a Kubernetes name"),
    ("namespace", "x" * 64, "Give a Kubernetes name"),
    ("image_repository", "ghcr.io/you/image:tag", "without a tag or digest"),
    ("image_digests", '{"base": "latest"}', "Give digests as registries do"),
    ("image_pull_policy", "always", "Give Always, IfNotPresent or Never"),
    ("image_pull_secrets", '["A"]', "Give names of secrets"),
    ("arch", "x86_64", "built for amd64 and arm64"),
    ("home_claim", "Homes", "Give the name of a claim"),
    ("home_claim", "../homes", "Give the name of a claim"),
    ("shared_claim", "A", "Give the name of a claim"),
    ("projects_storage_class", "Fast", "Give the name of a storage class"),
    ("projects_size", "20", "Give a size in Kubernetes' notation"),
    ("projects_size", "0Gi", "Give a size in Kubernetes' notation"),
    ("engine", "host-socket", "Nodes have no Docker socket"),
    ("docker_storage_class", "-", "Give the name of a storage class"),
    ("docker_size", "40GB", "Give a size in Kubernetes' notation"),
    ("docker_mtu", "100", "Give a whole number from 576 to 65535"),
    ("docker_mtu", "1400.5", "Give a whole number from 576 to 65535"),
    ("docker_address_pools", '["10.0.0.0"]', "Give networks like"),
    ("docker_address_pools", '["10.0.0.0/25"]', "Give networks like"),
    ("docker_address_pools", '["10.0.0.1/16"]', "Give networks like"),
    ("docker_address_pools", '["300.0.0.0/16"]', "Give networks like"),
    ("runtime_class", "Kata", "Give the name of a RuntimeClass"),
    ("capabilities", '["CAP_SYS_ADMIN"]', "SYS_ADMIN, not CAP_SYS_ADMIN"),
    ("service_account", "A", "Give the name of a service account"),
    ("priority_class", "A", "Give the name of a priority class"),
    ("node_selector", '{"kubernetes.io/arch": "arm64"}', "Use the variable arch"),
    ("tolerations", '[{"operator": "In"}]', "An operator is Equal or Exists"),
    ("tolerations", '[{"value": "x"}]', "Equal needs a key"),
    ("tolerations", '[{"key": "a", "effect": "Never"}]', "An effect is NoSchedule"),
    ("node_affinity", '[{"key": "a", "operator": "Is"}]', "An operator is In, NotIn"),
    ("node_affinity", '[{"key": "a", "operator": "Exists", "weight": 101}]', "a weight a whole number"),
    ("labels", '{"a b": "c"}', "Give valid Kubernetes labels"),
    ("labels", '{"a": "b c"}', "Give valid Kubernetes labels"),
    ("labels", '{"com.coder.user.id": "other"}', "the template's own"),
    ("annotations", '{"com.coder.files": "x"}', "the template's own"),
    ("max_memory", "0", "at least 1"),
    ("max_cpus", "1.5", "a whole number"),
    ("max_ephemeral_storage", "0", "at least 1"),
    ("coder_host", "http://coder", "without a scheme or port"),
    ("start_timeout", "10", "Give a time such as 10m"),
    ("jetbrains_builds", "{}", "Name at least one IDE"),
]


@pytest.mark.parametrize(("parameters", "variables", "expected"), GOOD, ids=lambda value: str(value)[:50])
def test_good(
    kubernetes: Terraform, parameters: dict[str, object], variables: dict[str, str], expected: dict[str, Any]
) -> None:
    found = planned(kubernetes.plan(parameters, variables=variables, environment=URL))
    assert {key: found[key] for key in expected} == expected


@pytest.mark.parametrize(("parameters", "said"), BAD, ids=lambda value: str(value)[:50])
def test_bad(kubernetes: Terraform, parameters: dict[str, object], said: str) -> None:
    with pytest.raises(TerraformError) as refused:
        kubernetes.plan(parameters, environment=URL)
    assert said in str(refused.value)


def rounds() -> list[list[tuple[str, str, str]]]:
    """BAD_VARIABLES in rounds with each variable once: Terraform says all that it refuses."""
    names = [name for name, _, _ in BAD_VARIABLES]
    number = [names[:place].count(name) for place, name in enumerate(names)]
    return [
        [row for row, its in zip(BAD_VARIABLES, number, strict=True) if its == one]
        for one in range(max(number) + 1)
    ]


@pytest.mark.parametrize("rows", rounds(), ids=lambda rows: f"{len(rows)} variables")
def test_bad_variables(kubernetes: Terraform, rows: list[tuple[str, str, str]]) -> None:
    with pytest.raises(TerraformError) as refused:
        kubernetes.plan(variables={name: value for name, value, _ in rows}, environment=URL)
    said = str(refused.value).split("Error: ")
    for name, value, words in rows:
        assert [one for one in said if f'variable "{name}"' in one and words in one], f"{name}={value}"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"home_path": "/homes/{owner_id}"}, "Give a relative path "),
        ({"home_path": "../{owner_id}"}, "Give a relative path "),
        ({"home_path": "homes/../{owner_id}"}, "Give a relative path "),
        ({"shared_path": "../shared"}, "Give a relative path "),
        ({"home_path": "homes"}, "owners do not share a home"),
        ({"home_path": ""}, "owners do not share a home"),
        ({"privileged": "false"}, "systemd needs a runtime class"),
        ({"shared_claim": "coder-homes", "shared_path": ""}, "everyone can see its content"),
        ({"shared_claim": "coder-homes", "shared_path": "homes"}, "everyone can see its content"),
    ],
    ids=str,
)
def test_bad_together(kubernetes: Terraform, variables: dict[str, str], said: str) -> None:
    with pytest.raises(TerraformError, match=said):
        kubernetes.plan(variables=variables, environment=URL)


def test_affinity(kubernetes: Terraform) -> None:
    rules = [
        {"key": "zone", "operator": "In", "values": ["a", "b"]},
        {"key": "spot", "operator": "DoesNotExist"},
        {"key": "disk", "operator": "In", "values": ["nvme"], "weight": 50},
    ]
    plan = kubernetes.plan(variables={"node_affinity": json.dumps(rules)}, environment=URL)
    (affinity,) = planned(plan)["affinity"]
    (nodes,) = affinity["node_affinity"]
    (required,) = nodes["required_during_scheduling_ignored_during_execution"]
    (term,) = required["node_selector_term"]
    assert [(one["key"], one["operator"]) for one in term["match_expressions"]] == [
        ("zone", "In"),
        ("spot", "DoesNotExist"),
    ]
    (preferred,) = nodes["preferred_during_scheduling_ignored_during_execution"]
    assert preferred["weight"] == 50
    assert preferred["preference"][0]["match_expressions"][0]["values"] == ["nvme"]


def test_placement_and_names(kubernetes: Terraform) -> None:
    variables = {
        "arch": "arm64",
        "node_selector": '{"pool": "workspaces"}',
        "labels": '{"team": "tools"}',
        "annotations": '{"example.org/x": "y"}',
        "service_account": "workspaces",
        "priority_class": "low",
        "runtime_class": "kata",
        "image_pull_secrets": '["registry"]',
    }
    environment = URL | {"CODER_AGENT_SCRIPT_linux_arm64": "#!/bin/sh\n"}
    found = planned(kubernetes.plan(variables=variables, environment=environment))
    pod = found["pod"]
    assert pod["node_selector"] == {"pool": "workspaces", "kubernetes.io/arch": "arm64"}
    assert found["labels"]["team"] == "tools"
    assert found["labels"]["com.coder.workspace.id"] == WORKSPACE
    named = ("service_account_name", "priority_class_name", "runtime_class_name")
    assert [pod[name] for name in named] == ["workspaces", "low", "kata"]
    assert pod["image_pull_secrets"] == [{"name": "registry"}]
    assert pod["automount_service_account_token"] is False


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_hostile_everywhere(kubernetes: Terraform, text: str) -> None:
    refusals = {name: words for name, words in REFUSALS.items() if name != "additional_ports"}
    refusals |= {"cpu_request": CORES, "memory_request": GIB, "ephemeral_storage_request": GIB}
    refusals |= {"ephemeral_storage": GIB}
    with pytest.raises(TerraformError) as refused:
        kubernetes.plan(dict.fromkeys(refusals, text), environment=URL)
    said = str(refused.value).split("Error: ")
    for name, words in refusals.items():
        (own,) = [one for one in said if f"data.coder_parameter.{name}," in one.replace("[0]", "")]
        assert words in own


def test_paths_are_refused_as_home_persist_refuses_them(kubernetes: Terraform) -> None:
    def refuses(path: str) -> bool:
        try:
            normalise_path(path, "/home/coder")
        except RefusedError:
            return True
        return False

    with pytest.raises(TerraformError) as refused:
        kubernetes.plan({"home_persist_paths": PATHS}, environment=URL)
    listed = re.search(rf"home_persist_paths: (.*) {NO_PATH}", str(refused.value))
    assert listed
    assert json.loads(f"[{listed[1]}]") == [path for path in PATHS if refuses(path)]


def test_the_settings_arrive(kubernetes: Terraform) -> None:
    parameters: dict[str, object] = {
        "repo_url": "https://example.org/you/project.git",
        "home_persist_paths": [".config/gh/", "$(touch /tmp/x)"],
        "jetbrains_allow_updates": "true",
    }
    found = settings(kubernetes, parameters, docker_mtu="1400", docker_address_pools='["10.200.0.0/16"]')
    assert found["engine"] == "own"
    assert found["docker"] == {"mtu": 1400, "address_pools": ["10.200.0.0/16"]}
    assert found["home_persist_paths"] == [".config/gh/", "$(touch /tmp/x)"]
    assert found["jetbrains"] == {"allow_updates": True}
    assert found["web_shell"]["directory"] == f"{PROJECTS}/project"
    assert found["workspace"]["access_url"] == "https://coder.example.org"
    assert settings(kubernetes, {}, engine="none")["engine"] == "none"


@pytest.mark.parametrize("url", ["http://localhost:7080", "http://127.0.0.1:7080", "http://[::1]:7080"])
def test_a_coder_on_loopback_is_refused_or_replaced(kubernetes: Terraform, url: str) -> None:
    here = {"CODER_AGENT_URL": url}
    with pytest.raises(TerraformError, match="which in a pod is the pod itself"):
        kubernetes.plan(environment=here)
    plan = kubernetes.plan(environment=here, variables={"coder_host": "172.18.0.1"})
    env = {one["name"]: one["value"] for one in planned(plan)["container"]["env"]}
    assert env["CODER_AGENT_URL"] == "http://172.18.0.1:7080"
