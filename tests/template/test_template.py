"""main.tf as a whole: what it must not use, and what it does without."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from devtools.images import PREFIX
from tests.template.conftest import OWN_IMAGE, UNPINNED, find_engine, override_for
from tests.template.registry import serving
from tests.template.standin.docker import IMAGE_MISSING, REGISTRY_DOWN
from tests.template.standin.schema import deprecated, providers
from tests.template.terraform import BUILD, Plan, Terraform, TerraformError, ready

CONTAINER, IMAGE = "docker_container.workspace[0]", "docker_image.workspace[0]"
REPOSITORY = "ghcr.io/sourecode/coder-workspace"
DOWN = "127.0.0.1:9/you/coder-workspace"
"""A repository whose registry does not answer: the discard service's port."""
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
    if not terraform.real:
        name = terraform.plan().values(IMAGE)["name"]
        assert re.fullmatch(rf"{REPOSITORY}:base@sha256:[0-9a-f]{{64}}", name)
        return
    with serving(find_engine()) as registry:
        digest = registry.push("base", "1").partition("@")[2]
        planned = terraform.plan(
            variables={"image_repository": registry.repository}, environment=registry.environment
        )
        assert planned.values(IMAGE)["name"] == f"{registry.repository}:base@{digest}"


@pytest.mark.parametrize(
    ("variables", "image"),
    [
        ({"image_repository": DOWN, "pin_image": "false"}, f"{DOWN}:base"),
        ({"image_repository": DOWN, "image_digests": json.dumps({"base": DIGEST})}, f"{DOWN}:base@{DIGEST}"),
        (OWN_IMAGE, f"{OWN_IMAGE['image_repository']}:base"),
    ],
    ids=["unpinned", "pinned by the push", "the host's own image"],
)
def test_a_registry_that_is_down_does_not_block_a_start(
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
    with pytest.raises(TerraformError) as refused:
        terraform.plan(variables={"image_repository": DOWN, **variables}, environment={REGISTRY_DOWN: "1"})
    assert "Got error when attempting to fetch image version" in str(refused.value)
    assert "https://127.0.0.1:9/v2/you/coder-workspace/manifests/base" in str(refused.value)


@pytest.mark.parametrize("repository", ["docker.io/you/image", "index.docker.io/you/image"])
@pytest.mark.parametrize(
    "config", ["", json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": "eDp5"}}})]
)
def test_docker_hub_is_asked_by_its_registry_s_name(
    terraform: Terraform, repository: str, config: str
) -> None:
    """`https://docker.io/v2/` is a web page. Without a proxy the name is asked for in vain here, and said."""
    nowhere = {"HTTPS_PROXY": "http://127.0.0.1:9"} if terraform.real else {REGISTRY_DOWN: "1"}
    variables = {"image_repository": repository, "registry_config": config}
    with pytest.raises(TerraformError) as refused:
        terraform.plan(variables=variables, environment=nowhere)
    assert "https://registry-1.docker.io/v2/you/image/manifests/base" in str(refused.value)
    planned = terraform.plan(variables={**variables, **UNPINNED})
    assert planned.values(IMAGE)["name"] == "docker.io/you/image:base"


@pytest.mark.parametrize("repository", [f"{PREFIX}-nowhere", f"you/{PREFIX}-nowhere"])
def test_an_image_that_names_no_registry_is_not_pulled(terraform: Terraform, repository: str) -> None:
    """Docker would take it from Docker Hub, where the name is anybody's."""
    with pytest.raises(TerraformError) as refused:
        terraform.plan(variables={"image_repository": repository}, environment={IMAGE_MISSING: "1"})
    assert f"did not find docker image '{repository}:base'" in str(refused.value)
    assert "data.docker_image.local" in str(refused.value)


def test_jetbrains_is_asked_nothing(terraform: Terraform) -> None:
    """The provider http refuses everything here; the IDEs that a user selects are offered all the same."""
    chosen = terraform.plan({"jetbrains_ides": ["IU", "CL"]}, variables=UNPINNED)
    apps = {address for address in chosen.addresses() if "coder_app.jetbrains" in address}
    assert apps == {f'module.jetbrains[0].coder_app.jetbrains["{code}"]' for code in ("IU", "CL")}


def test_an_unknown_ide_is_refused(terraform: Terraform) -> None:
    with pytest.raises(TerraformError, match='values "XX" are missing from the options'):
        terraform.plan({"jetbrains_ides": ["IU", "XX"]}, variables=UNPINNED)


def test_every_preset_plans(terraform: Terraform, plan: Plan) -> None:
    presets = {
        one["values"]["name"]: one["values"]["parameters"]
        for one in plan.json["prior_state"]["values"]["root_module"]["resources"]
        if one["type"] == "coder_workspace_preset"
    }
    assert len(presets) >= 3
    for parameters in presets.values():
        chosen = terraform.plan(parameters, variables=UNPINNED)
        assert chosen.actions(CONTAINER) == ["create"]
        assert chosen.values(IMAGE)["name"].endswith(f":{parameters['workspace_image']}")


THIS_HOST = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost.localdomain",
    "coder.localhost",
    "0.0.0.0",
    "0",
    "127.0.0.1",
    "127.0.1.1",
    "127.1",
    "127.255.255.254",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::FFFF:127.0.1.1]",
]
OTHER_HOSTS = [
    "coder.example.org",
    "localhost.example.org",
    "my-localhost",
    "localhosts",
    "127.example.org",
    "127.0.0.1.example.org",
    "1270.0.0.1",
    "10.127.0.1",
    "0.0.0.0.example.org",
    "100.0.0.0",
    "[2001:db8::1]",
    "[fe80::1]",
    "[::ffff:10.0.0.1]",
]


@pytest.mark.parametrize(
    ("authority", "seen"),
    [
        *((f"{host}:7080", "host.docker.internal:7080") for host in THIS_HOST),
        *((f"{host}:7080", f"{host}:7080") for host in OTHER_HOSTS),
        ("localhost", "host.docker.internal"),
        ("[::1]", "host.docker.internal"),
        ("localhost.example.org", "localhost.example.org"),
    ],
)
def test_a_coder_on_the_host_is_reached_from_the_container(
    terraform: Terraform, authority: str, seen: str
) -> None:
    url = f"http://{authority}"
    planned = terraform.plan(environment={"CODER_AGENT_URL": url}, variables=UNPINNED)
    container = planned.values(CONTAINER)
    (document,) = [
        one["content"] for one in container["upload"] if one["file"] == "/etc/coder/workspace.json"
    ]
    assert json.loads(document)["workspace"]["access_url"] == f"http://{seen}"


@pytest.mark.parametrize(
    ("full_name", "email", "expected"),
    [
        ("Ada Lovelace", "ada@example.org", ("Ada Lovelace", "ada@example.org")),
        # What the provider says of an owner who has none.
        ("default", "ada@example.org", ("ada", "ada@example.org")),
        ("", "ada@example.org", ("ada", "ada@example.org")),
        ("Ada Lovelace", "default@example.com", ("Ada Lovelace", None)),
        ("default", "default@example.com", ("ada", None)),
        ("", "", ("ada", None)),
        # Git: "name consists only of disallowed characters".
        (" ", "ada@example.org", ("ada", "ada@example.org")),
        ("...", "ada@example.org", ("ada", "ada@example.org")),
        ("Şükran", "ada@example.org", ("Şükran", "ada@example.org")),
        ("李", "ada@example.org", ("李", "ada@example.org")),
        ("Default", "ada@example.org", ("Default", "ada@example.org")),
    ],
)
def test_who_commits(
    terraform: Terraform, full_name: str, email: str, expected: tuple[str, str | None]
) -> None:
    owner = {"CODER_WORKSPACE_OWNER_NAME": full_name, "CODER_WORKSPACE_OWNER_EMAIL": email}
    env = terraform.plan(environment=owner, variables=UNPINNED).values("coder_agent.main")["env"]
    for role in ("AUTHOR", "COMMITTER"):
        assert (env.get(f"GIT_{role}_NAME"), env.get(f"GIT_{role}_EMAIL")) == expected


def test_the_owner_s_secrets_stay_with_coder(terraform: Terraform) -> None:
    """Nothing of what Coder knows of an owner is planned but the name and the address for commits."""
    secrets = {
        f"CODER_WORKSPACE_OWNER_{name}": f"secret-{name}"
        for name in ("SESSION_TOKEN", "SSH_PRIVATE_KEY", "OIDC_ACCESS_TOKEN")
    }
    planned = terraform.plan(environment=secrets, variables=UNPINNED).json
    known = json.dumps(planned["prior_state"])
    assert all(secret in known for secret in secrets.values()), "the provider does give them"
    assert "secret-" not in json.dumps(planned["planned_values"])


def test_without_the_agent_s_script_nothing_starts(tmp_path: Path) -> None:
    """The provider's words, at apply; the container is there by then, and the next start makes it again."""
    identity = {"CODER_WORKSPACE_ID": "00000000-0000-4000-8000-000000000003", "CODER_WORKSPACE_NAME": "bare"}
    bare = {**identity, "CODER_AGENT_SCRIPT_linux_amd64": ""}
    state = tmp_path / "state"
    with ready() as terraform:
        if terraform.real:
            override_for(find_engine(), terraform.directory)
        with pytest.raises(
            TerraformError, match="one of 'content', 'content_base64', or 'source' must be set"
        ):
            terraform.apply(
                terraform.plan(environment=bare, variables=OWN_IMAGE, state=state), state, environment=bare
            )
        again = terraform.plan(environment=identity, variables=OWN_IMAGE, state=state)
        assert again.actions(CONTAINER) == ["delete", "create"]
        end = terraform.plan(
            environment={**identity, "CODER_WORKSPACE_TRANSITION": "destroy"},
            variables=OWN_IMAGE,
            state=state,
            destroy=True,
        )
        terraform.apply(end, state)
    if terraform.real:
        # The others may be in use by another worker's workspace, which removes them.
        names = (
            value.replace("{owner_id}", BUILD["CODER_WORKSPACE_OWNER_ID"]) for value in OWN_IMAGE.values()
        )
        projects = f"coder-{identity['CODER_WORKSPACE_ID']}-projects"
        find_engine().docker(
            "volume", "rm", "-f", projects, *(one for one in names if "/" not in one), check=False
        )
