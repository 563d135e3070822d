"""main.tf as a whole: what it must not use, and what it does without."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import missing
from tests.template.standin.docker import REGISTRY_DOWN
from tests.template.standin.schema import deprecated, providers
from tests.template.terraform import Plan, Terraform, TerraformError

CONTAINER, IMAGE = "docker_container.workspace[0]", "docker_image.workspace"
REPOSITORY = "ghcr.io/coder-ws-runtime/coder-workspace"
DIGEST = f"sha256:{'5' * 64}"


def test_valid(terraform: Terraform) -> None:
    said = json.loads(terraform.run("validate", "-json"))
    # A warning is what Terraform or a provider will refuse one day: a deprecated argument, mostly.
    assert said["diagnostics"] == []


def test_nothing_deprecated_is_used(plan: Plan) -> None:
    """The attributes that the schemas mark as deprecated; Terraform itself warns of some of them only."""
    marked = {
        kind: set(deprecated(schema["block"]))
        for provider in providers().values()
        for part in ("resource_schemas", "data_source_schemas")
        for kind, schema in provider.get(part, {}).items()
    }
    assert marked["coder_agent"] == {"dir"}, "the schemas say what is deprecated"
    used = {
        (one["address"], place)
        for one in plan.json["configuration"]["root_module"]["resources"]
        for place in _places(one.get("expressions", {}))
        if place in marked[one["type"]]
    }
    assert used == set()


def _places(expressions: dict[str, Any], below: str = "") -> set[str]:
    found = set()
    for name, value in expressions.items():
        found.add(f"{below}{name}")
        for block in value if isinstance(value, list) else [value]:
            if isinstance(block, dict) and not {"constant_value", "references"} & block.keys():
                found |= _places(block, f"{below}{name}.")
    return found


def test_the_image_is_pinned_by_digest(terraform: Terraform) -> None:
    if terraform.real:
        missing("a registry that answers the real provider")
    name = terraform.plan().values(IMAGE)["name"]
    assert name.partition("@sha256:")[0] == "ghcr.io/coder-ws-runtime/coder-workspace:base"
    assert len(name.partition("@sha256:")[2]) == 64


@pytest.mark.parametrize(
    ("variables", "image"),
    [
        ({"pin_image": "false"}, f"{REPOSITORY}:base"),
        ({"image_digests": json.dumps({"base": DIGEST})}, f"{REPOSITORY}:base@{DIGEST}"),
        ({"image_repository": "coder-workspace"}, "coder-workspace:base"),
    ],
    ids=["unpinned", "pinned by the push", "the host's own image"],
)
def test_a_registry_that_is_down_keeps_nobody_from_working(
    terraform: Terraform, variables: dict[str, str], image: str
) -> None:
    planned = terraform.plan(variables=variables, environment={REGISTRY_DOWN: "1"})
    assert planned.actions(CONTAINER) == ["create"]
    assert planned.values(IMAGE)["name"] == image


@pytest.mark.parametrize(
    "variables",
    [{}, {"image_digests": json.dumps({"node": DIGEST})}],
    ids=["pinned at each start", "another is pinned by the push"],
)
def test_a_registry_that_is_down_is_named(terraform: Terraform, variables: dict[str, str]) -> None:
    with pytest.raises(TerraformError, match="Got error when attempting to fetch image version"):
        terraform.plan(variables=variables, environment={REGISTRY_DOWN: "1"})


def test_jetbrains_is_asked_nothing(terraform: Terraform) -> None:
    """The provider http refuses everything here; the IDEs that a user selects are offered all the same."""
    chosen = terraform.plan({"jetbrains_ides": ["IU", "CL"]}, variables={"pin_image": "false"})
    apps = {address for address in chosen.addresses() if "coder_app.jetbrains" in address}
    assert apps == {f'module.jetbrains[0].coder_app.jetbrains["{code}"]' for code in ("IU", "CL")}


def test_an_unknown_ide_is_refused(terraform: Terraform) -> None:
    with pytest.raises(TerraformError, match='values "XX" are missing from the options'):
        terraform.plan({"jetbrains_ides": ["IU", "XX"]}, variables={"pin_image": "false"})


def test_every_preset_plans(terraform: Terraform, plan: Plan) -> None:
    presets = {
        one["values"]["name"]: one["values"]["parameters"]
        for one in plan.json["prior_state"]["values"]["root_module"]["resources"]
        if one["type"] == "coder_workspace_preset"
    }
    assert len(presets) >= 3
    for parameters in presets.values():
        chosen = terraform.plan(parameters, variables={"pin_image": "false"})
        assert chosen.actions(CONTAINER) == ["create"]
        assert chosen.values(IMAGE)["name"].endswith(f":{parameters['workspace_image']}")


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://localhost:7080", "http://host.docker.internal:7080"),
        ("http://127.0.0.1:7080", "http://host.docker.internal:7080"),
        ("http://[::1]:7080", "http://host.docker.internal:7080"),
        ("http://localhost", "http://host.docker.internal"),
        ("https://coder.example.org", "https://coder.example.org"),
        ("https://localhost.example.org", "https://localhost.example.org"),
        ("https://my-localhost:8443", "https://my-localhost:8443"),
    ],
)
def test_a_coder_on_the_host_is_reached_from_the_container(terraform: Terraform, url: str, seen: str) -> None:
    planned = terraform.plan(environment={"CODER_AGENT_URL": url}, variables={"pin_image": "false"})
    (document,) = [
        upload["content"]
        for upload in planned.values(CONTAINER)["upload"]
        if upload["file"] == "/etc/coder/workspace.json"
    ]
    assert json.loads(document)["workspace"]["access_url"] == seen


def test_the_owner_s_secrets_stay_with_coder(terraform: Terraform) -> None:
    """Nothing of what Coder knows of an owner is planned but the name and the address for commits."""
    secrets = {
        f"CODER_WORKSPACE_OWNER_{name}": f"secret-{name}"
        for name in ("SESSION_TOKEN", "SSH_PRIVATE_KEY", "OIDC_ACCESS_TOKEN")
    }
    planned = terraform.plan(environment=secrets, variables={"pin_image": "false"}).json
    known = json.dumps(planned["prior_state"])
    assert all(secret in known for secret in secrets.values()), "the provider does give them"
    assert "secret-" not in json.dumps(planned["planned_values"])


def test_without_the_agent_s_script_nothing_starts(terraform: Terraform, tmp_path: Path) -> None:
    """The provider's words, at apply; the container is there by then, and the next start makes it anew."""
    if terraform.real:
        missing("images that the real provider can pull")
    bare = {"CODER_AGENT_SCRIPT_linux_amd64": ""}
    state = tmp_path / "state"
    with pytest.raises(TerraformError, match="one of 'content', 'content_base64', or 'source' must be set"):
        terraform.apply(terraform.plan(environment=bare, state=state), state, environment=bare)
    assert terraform.plan(state=state).actions(CONTAINER) == ["delete", "create"]
