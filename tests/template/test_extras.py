"""What a variable or a parameter switches on: Claude's login, signing, external authentication, …"""

import json
from typing import Any

import pytest

from tests.template.conftest import UNPINNED
from tests.template.standin.coder import ARCH
from tests.template.standin.installation import ROOT
from tests.template.terraform import Plan, Terraform, TerraformError, ready

AGENT, CONTAINER = "coder_agent.main", "docker_container.workspace[0]"
KEY, TOKEN = "sk-ant-SECRET", "oauth-SECRET"
# Everything that can be on at once.
ALL: dict[str, str] = {
    "external_auth": json.dumps({"github": "required", "gitlab": "optional"}),
    "anthropic_api_key": KEY,
    "anthropic_base_url": "https://llm.example.org",
    "claude_model": "opus",
    "daily_cost": "5",
    "language": "C.UTF-8",
    "time_zone": "Europe/Berlin",
    "memory_threshold": "80",
    "volume_threshold": "70",
}
EDITORS = ["code-server", "vscode", "vscode-insiders", "cursor", "windsurf", "zed", "jetbrains"]
ALL_PARAMETERS: dict[str, object] = {
    "editors": EDITORS,
    "jetbrains_ides": ["IU", "CL"],
    "commit_signing": "true",
    "repo_url": "https://github.com/you/project",
    "dotfiles_uri": "https://github.com/you/dotfiles",
    "additional_ports": ["8080:80", "5353/udp"],
    "home_persist_paths": [".config/gh/", ".vimrc"],
    "jetbrains_allow_updates": "true",
    "memory": "8",
    "cpus": "2",
}


def environment(plan: Plan) -> dict[str, str]:
    """What the modules put into the agent's environment. A sensitive value is in the plan all the same."""
    found = {}
    for address in plan.addresses():
        if ".coder_env." in address:
            values = plan.values(address)
            found[values["name"]] = values["value"]
    return found


def test_everything_at_once(terraform: Terraform) -> None:
    planned = terraform.plan(ALL_PARAMETERS, variables={**UNPINNED, **ALL})
    assert planned.actions(CONTAINER) == ["create"]
    modules = {address.partition("[")[0] for address in planned.addresses() if address.startswith("module.")}
    named = {"vscode": "vscode-desktop"}
    assert modules == {
        f"module.{named.get(one, one)}" for one in (*EDITORS, "claude-code", "dotfiles", "git-clone")
    }


def test_nothing_of_it_by_default(plan: Plan) -> None:
    modules = {address.partition("[")[0] for address in plan.addresses() if address.startswith("module.")}
    assert modules == {"module.code-server", "module.vscode-desktop"}
    assert environment(plan) == {}
    assert "coder_script.git-commit-signing[0]" not in plan.addresses()


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"anthropic_api_key": KEY}, {"ANTHROPIC_API_KEY": KEY}),
        ({"claude_code_oauth_token": TOKEN}, {"CLAUDE_CODE_OAUTH_TOKEN": TOKEN}),
        (
            {"anthropic_base_url": "https://llm.example.org", "anthropic_api_key": KEY},
            {"ANTHROPIC_BASE_URL": "https://llm.example.org", "ANTHROPIC_API_KEY": KEY},
        ),
        (
            {"use_bedrock": "true", "claude_model": "x"},
            {"CLAUDE_CODE_USE_BEDROCK": "1", "ANTHROPIC_MODEL": "x"},
        ),
        ({"use_vertex": "true"}, {"CLAUDE_CODE_USE_VERTEX": "1"}),
    ],
    ids=str,
)
def test_claude_logs_in(terraform: Terraform, variables: dict[str, str], expected: dict[str, str]) -> None:
    planned = terraform.plan(variables={**UNPINNED, **variables})
    assert environment(planned) == {**expected, "DISABLE_AUTOUPDATER": "1"}
    # Claude Code itself is in the image.
    call = planned.json["configuration"]["root_module"]["module_calls"]["claude-code"]["expressions"]
    assert call["install_claude_code"] == {"constant_value": False}
    assert call["claude_binary_path"] == {"constant_value": "/usr/local/bin"}


def test_claude_asks_coder_s_gateway(terraform: Terraform) -> None:
    owner = {"CODER_WORKSPACE_OWNER_SESSION_TOKEN": "session"}
    planned = terraform.plan(variables={**UNPINNED, "enable_ai_gateway": "true"}, environment=owner)
    assert "ANTHROPIC_AUTH_TOKEN" in environment(planned)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"anthropic_api_key": KEY, "claude_code_oauth_token": TOKEN}, "not both"),
        ({"enable_ai_gateway": "true", "anthropic_api_key": KEY}, "enable_ai_gateway logs Claude Code in"),
        (
            {"enable_ai_gateway": "true", "claude_code_oauth_token": TOKEN},
            "enable_ai_gateway logs Claude Code in",
        ),
        ({"enable_ai_gateway": "true", "anthropic_base_url": "https://x.example"}, "enable_ai_gateway logs"),
        ({"enable_ai_gateway": "true", "use_bedrock": "true"}, "Claude Code uses one provider"),
        ({"use_bedrock": "true", "use_vertex": "true"}, "Claude Code uses one provider"),
    ],
    ids=str,
)
def test_logins_that_exclude_each_other(terraform: Terraform, variables: dict[str, str], said: str) -> None:
    with pytest.raises(TerraformError) as refused:
        terraform.plan(variables={**UNPINNED, **variables})
    assert said in str(refused.value)
    assert "SECRET" not in str(refused.value)


def test_claude_opens_in_the_project(terraform: Terraform) -> None:
    planned = terraform.plan({"repo_url": "https://github.com/you/project"}, variables=UNPINNED)
    command = planned.values("coder_app.claude[0]")["command"]
    assert command == "cd '/home/coder/projects/project' || cd; exec claude"
    without = terraform.plan(variables={**UNPINNED, "claude_app": "false"})
    assert "coder_app.claude[0]" not in without.addresses()


def test_external_authentication_is_asked_for(terraform: Terraform) -> None:
    auth = {"github": "required", "gitlab": "optional"}
    planned = terraform.plan(variables={**UNPINNED, "external_auth": json.dumps(auth)})
    asked = {
        one["values"]["id"]: bool(one["values"].get("optional"))
        for one in planned.json["prior_state"]["values"]["root_module"]["resources"]
        if one["type"] == "coder_external_auth"
    }
    assert asked == {"github": False, "gitlab": True}


def test_a_token_of_external_authentication_goes_nowhere(terraform: Terraform) -> None:
    token = {"CODER_EXTERNAL_AUTH_ACCESS_TOKEN_github": "gho-SECRET"}
    variables = {**UNPINNED, "external_auth": json.dumps({"github": "required"})}
    planned = terraform.plan(variables=variables, environment=token).json
    assert "gho-SECRET" in json.dumps(planned["prior_state"])
    assert "gho-SECRET" not in json.dumps(planned["planned_values"])


def _monitored(plan: Plan) -> dict[str, Any]:
    (monitoring,) = plan.values(AGENT)["resources_monitoring"]
    return {
        one.get("path", "memory"): one["threshold"] for one in monitoring["memory"] + monitoring["volume"]
    }


def test_thresholds(terraform: Terraform, plan: Plan) -> None:
    assert _monitored(plan) == {"memory": 90, "/mnt/home-persist": 90, "/home/coder/projects": 90}
    other = terraform.plan(variables={**UNPINNED, "memory_threshold": "75", "volume_threshold": "0"})
    assert _monitored(other) == {"memory": 75}


def test_a_daily_cost(terraform: Terraform, plan: Plan) -> None:
    assert plan.values("coder_metadata.workspace[0]").get("daily_cost") is None
    other = terraform.plan(variables={**UNPINNED, "daily_cost": "5"})
    assert other.values("coder_metadata.workspace[0]")["daily_cost"] == 5


def test_the_host_is_measured(plan: Plan) -> None:
    scripts = {one["key"]: one["script"] for one in plan.values(AGENT)["metadata"]}
    assert {"host_cpu", "host_memory", "host_disk", "host_swap", "host"} <= scripts.keys()


def test_a_provisioner_of_an_architecture_without_images_is_refused(terraform: Terraform) -> None:
    if terraform.real:
        pytest.skip("the real provider says what this machine is")
    with pytest.raises(
        TerraformError, match="The images are built for amd64 and arm64, but this provisioner is"
    ):
        terraform.plan(variables=UNPINNED, environment={ARCH: "arm"})
    planned = terraform.plan(variables={**UNPINNED, "arch": "arm64"}, environment={ARCH: "arm"})
    assert planned.values(CONTAINER)["platform"] == "linux/arm64"


def test_the_recipes_of_the_documentation_plan(terraform: Terraform) -> None:
    """The modules that docs/template.md gives as recipes, added to main.tf."""
    text = (ROOT / "docs/template.md").read_text()
    recipe = text.partition("### Recipes")[2].partition("```hcl\n")[2].partition("```")[0]
    assert recipe.count("\nmodule ") + recipe.startswith("module ") == 2
    with ready(files={"recipe.tf": recipe}) as other:
        planned = other.plan(variables=UNPINNED)
    scripts = {
        address for address in planned.addresses() if "personalize" in address or "filebrowser" in address
    }
    assert any("module.personalize[0]" in one for one in scripts)
    assert any("module.filebrowser[0].coder_app" in one for one in scripts)
