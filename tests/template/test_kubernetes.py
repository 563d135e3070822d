"""kubernetes/main.tf as a whole: what it shares with main.tf, and a workspace's life in plans."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from devtools.shell import ROOT
from tests.template.shared import DOCKER, KUBERNETES, parts, shared, undecided, unequal
from tests.template.standin.schema import deprecated, providers
from tests.template.terraform import Plan, Terraform
from tests.template.test_kubernetes_parameters import SECRET, SET, URL, planned
from tests.template.test_template import _places as places

AGENT = "coder_agent.main"
STOP = {"CODER_WORKSPACE_TRANSITION": "stop"}
CHANGED, KEPT, REPLACED = ["update"], ["no-op"], ["delete", "create"]


# What both templates share ------------------------------------------------------------------------


def test_what_is_shared_is_equal() -> None:
    both = DOCKER.read_text(), KUBERNETES.read_text()
    assert {"resource coder_agent main", "local bad_paths", "module git-clone"} <= set(shared(*both))
    assert unequal(*both) == [], "python -m tests.template.shared"


def test_what_one_has_alone_is_meant() -> None:
    assert undecided(DOCKER.read_text(), KUBERNETES.read_text()) == [], "see tests/template/shared.py"


def test_a_difference_is_found() -> None:
    both = DOCKER.read_text(), KUBERNETES.read_text()
    for name in ("data coder_parameter repo_url", "local repo_name", "resource coder_script start"):
        text = parts(both[1])[name]
        changed = both[1].replace(text, text.replace("= ", "= 1 + ", 1))
        assert unequal(both[0], changed) == [name]


# As Terraform and a linter see it -----------------------------------------------------------------


def test_valid(kubernetes: Terraform) -> None:
    assert json.loads(kubernetes.run("validate", "-json"))["diagnostics"] == []


def test_nothing_deprecated_is_used(kubernetes: Terraform) -> None:
    marked = {
        kind: set(deprecated(schema["block"]))
        for provider in providers().values()
        for part in ("resource_schemas", "data_source_schemas")
        for kind, schema in provider.get(part, {}).items()
    }
    configuration = kubernetes.plan(environment=URL).json["configuration"]["root_module"]
    used = {
        (one["address"], place)
        for one in configuration["resources"]
        for place in places(one.get("expressions", {}))
        if place in marked[one["type"]]
    }
    assert used == set()


def test_every_variable_is_used_and_explained(kubernetes: Terraform) -> None:
    text = re.sub(r"(?m)^\s*#.*$", "", KUBERNETES.read_text())
    blocks = re.findall(r'^variable "(\w+)" [{]\n(.*?)^}', text, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 30
    for name, block in blocks:
        assert re.search(r"^  type +=", block, re.MULTILINE), name
        assert re.search(r'^  description +=\s*"\w', block, re.MULTILINE), name
        assert re.search(r"^  default +=", block, re.MULTILINE), f"{name}: a push needs no answers"
        assert re.search(rf"var[.]{name}\b", text.replace(block, "")), f"{name} is used by nothing"
    values = re.findall(r"^locals [{]\n(.*?)^}", text, re.MULTILINE | re.DOTALL)
    for name in re.findall(r"^  (\w+) += ", "".join(values), re.MULTILINE):
        assert re.search(rf"local[.]{name}\b", text), f"local.{name} is used by nothing"


def test_the_documentation_has_each_variable_and_parameter() -> None:
    """What both templates have alike is in docs/template.md, and a test of its own looks there."""
    rows = "".join(re.findall(r"^\| (`.*?`) \|", (ROOT / "docs/kubernetes.md").read_text(), re.MULTILINE))
    documented = set(re.findall(r"`(\w+)`", rows))
    alike = set(shared(DOCKER.read_text(), KUBERNETES.read_text()))
    own = {
        name.split()[-1]
        for name in parts(KUBERNETES.read_text())
        if re.match("variable |data coder_parameter ", name) and name not in alike
    }
    assert {"namespace", "memory_request"} <= own
    assert own - documented == set()


def test_orders_of_parameters_differ(kubernetes: Terraform) -> None:
    resources = kubernetes.plan(environment=URL).json["configuration"]["root_module"]["resources"]
    orders = [
        one["expressions"]["order"]["constant_value"] for one in resources if one["type"] == "coder_parameter"
    ]
    assert len(orders) == len(set(orders))


def test_every_preset_plans(kubernetes: Terraform) -> None:
    plan = kubernetes.plan(environment=URL)
    presets = {
        one["values"]["name"]: one["values"]["parameters"]
        for one in plan.json["prior_state"]["values"]["root_module"]["resources"]
        if one["type"] == "coder_workspace_preset"
    }
    assert len(presets) >= 3
    for parameters in presets.values():
        chosen = planned(kubernetes.plan(parameters, environment=URL))
        assert chosen["image"].endswith(f":{parameters['workspace_image']}-engine")


def test_the_pod_is_one_that_systemd_boots_in(kubernetes: Terraform) -> None:
    found = planned(kubernetes.plan(environment=URL))
    assert not {path for path in found["mounts"] if path == "/run" or path.startswith("/run/")}
    assert found["pod"]["termination_grace_period_seconds"] > 30, "the image stops within 30 s"
    assert found["container"]["command"] is None, "systemd is the image's own"
    assert (found["container"]["liveness_probe"], found["container"]["readiness_probe"]) == ([], [])
    (probe,) = found["container"]["startup_probe"]
    assert probe["failure_threshold"] * probe["period_seconds"] >= 86400, "a large home is seeded first"


def test_no_secret_is_in_the_pod(kubernetes: Terraform) -> None:
    secrets = {
        f"CODER_WORKSPACE_OWNER_{name}": f"secret-{name}"
        for name in ("SESSION_TOKEN", "SSH_PRIVATE_KEY", "OIDC_ACCESS_TOKEN")
    }
    plan = kubernetes.plan(environment=URL | secrets)
    assert "secret-" not in json.dumps(plan.json["planned_values"])
    env = {one["name"]: one for one in planned(plan)["container"]["env"]}
    assert env["CODER_AGENT_TOKEN"]["value"] is None
    assert env["CODER_AGENT_TOKEN"]["value_from"][0]["secret_key_ref"][0]["key"] == "token"


# A workspace's life -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Started:
    """A workspace that was started with every parameter at its default."""

    terraform: Terraform
    state: Path

    def plan(
        self,
        parameters: dict[str, object] | None = None,
        *,
        environment: dict[str, str] | None = None,
        variables: dict[str, str] | None = None,
        destroy: bool = False,
        refresh: bool = False,
    ) -> Plan:
        return self.terraform.plan(
            parameters,
            environment=URL | (environment or {}),
            variables=variables,
            state=self.state,
            destroy=destroy,
            words=[] if refresh else ["-refresh=false"],
        )

    def apply(self, plan: Plan) -> None:
        self.terraform.apply(plan, self.state, environment=URL)


@pytest.fixture(scope="module")
def started(kubernetes: Terraform) -> Iterator[Started]:
    if kubernetes.real:
        pytest.skip("the real provider applies to a cluster: tests/kubernetes does that with what is planned")
    it = Started(kubernetes, kubernetes.directory / "started.tfstate")
    it.apply(it.plan())
    yield it
    it.state.unlink()


def changes(plan: Plan) -> dict[str, list[str]]:
    """What happens to which resource, without those that stay as they are."""
    listed = {one["address"]: one["change"]["actions"] for one in plan.json["resource_changes"]}
    return {address: actions for address, actions in listed.items() if actions != KEPT}


def test_a_second_start_changes_nothing(started: Started) -> None:
    assert changes(started.plan()) == {}


def test_another_token_is_another_pod(started: Started) -> None:
    """At each start the agent has a new token; the pod that has the old one is replaced."""
    plan = started.plan(refresh=True)
    assert plan.actions(SET) == plan.actions(SECRET) == CHANGED
    (before,), (after,) = plan.before(SET)["spec"], plan.values(SET)["spec"]
    notes = [one["template"][0]["metadata"][0]["annotations"]["com.coder.files"] for one in (before, after)]
    assert notes[0] != notes[1]


def test_a_stop_scales_to_none_and_takes_the_secret_away(started: Started) -> None:
    stop = started.plan(environment=STOP, refresh=True)
    assert stop.actions(SET) == CHANGED
    assert stop.values(SET)["spec"][0]["replicas"] == "0"
    assert stop.actions(SECRET) == ["delete"]
    deleted = {address for address, actions in changes(stop).items() if "delete" in actions}
    assert {address for address in deleted if "coder_" not in address} == {SECRET}


@pytest.mark.parametrize(
    ("parameters", "environment", "variables", "expected"),
    [
        ({"workspace_image": "cpp"}, {}, {}, CHANGED),
        ({"home_persist_paths": [".config/gh/"]}, {}, {}, CHANGED),
        ({"memory": "4"}, {}, {}, CHANGED),
        ({"cpus": "2"}, {}, {}, CHANGED),
        ({"ephemeral_storage": "5"}, {}, {}, CHANGED),
        ({"repo_url": "https://example.org/you/project.git"}, {}, {}, CHANGED),
        ({"jetbrains_ides": ["IU"]}, {}, {}, KEPT),
        ({"dotfiles_uri": "https://example.org/you/dotfiles"}, {}, {}, KEPT),
        ({}, {"CODER_WORKSPACE_NAME": "other"}, {}, CHANGED),
        ({}, {"CODER_WORKSPACE_OWNER": "augusta"}, {}, CHANGED),
        ({}, {}, {"privileged": "false", "runtime_class": "kata"}, CHANGED),
        # What Kubernetes does not change in a set: the set is made anew, on the same claims.
        ({}, {}, {"projects_size": "50Gi"}, REPLACED),
        ({}, {}, {"docker_storage_class": "fast"}, REPLACED),
        ({}, {}, {"engine": "none"}, REPLACED),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_a_change_does(
    started: Started,
    parameters: dict[str, object],
    environment: dict[str, str],
    variables: dict[str, str],
    expected: list[str],
) -> None:
    changed = started.plan(parameters, environment=environment, variables=variables)
    assert changed.actions(SET) == expected
    assert changed.actions(AGENT) == KEPT
    before, after = changed.before(SET), changed.values(SET)
    assert [one["metadata"][0]["name"] for one in (before, after)] == [before["metadata"][0]["name"]] * 2
    kept = after["spec"][0]["persistent_volume_claim_retention_policy"]
    assert kept == [{"when_deleted": "Retain", "when_scaled": "Retain"}]
    assert "projects" in planned(changed)["claims"]


def test_no_claim_is_terraform_s(kubernetes: Terraform, started: Started) -> None:
    """Nothing that holds data is a resource of the template: no plan can destroy one."""
    end = started.plan(destroy=True)
    gone = {one["type"] for one in end.json["resource_changes"] if "delete" in one["change"]["actions"]}
    assert gone <= {
        "coder_agent",
        "coder_app",
        "coder_metadata",
        "coder_script",
        "kubernetes_secret_v1",
        "kubernetes_stateful_set_v1",
    }
    assert end.before(SET)["spec"][0]["persistent_volume_claim_retention_policy"] == [
        {"when_deleted": "Retain", "when_scaled": "Retain"}
    ]
    declared = set(re.findall(r'^resource "(kubernetes_\w+)"', KUBERNETES.read_text(), re.MULTILINE))
    assert declared == {"kubernetes_secret_v1", "kubernetes_stateful_set_v1"}


def test_a_start_after_a_stop_finds_the_same_claims(started: Started) -> None:
    before = started.plan().before(SET)
    started.apply(started.plan(environment=STOP, refresh=True))
    again = started.plan(refresh=True)
    assert again.actions(SET) == CHANGED
    assert again.actions(SECRET) == ["create"]
    after = again.values(SET)
    assert after["metadata"][0]["name"] == before["metadata"][0]["name"]
    assert after["spec"][0]["volume_claim_template"] == before["spec"][0]["volume_claim_template"]
    started.apply(again)
