"""Values that Coder carries over: variables to the next push, parameters to a workspace's update.

Coder gives a new version all values of the active one's variables, defaults included, and a workspace's
parameters as they were (docs/template.md, "Upgrades").
"""

import json
import re

import pytest

from tests.template.conftest import UNPINNED
from tests.template.standin.installation import ROOT
from tests.template.terraform import Plan, Terraform, TerraformError

CONTAINER = "docker_container.workspace[0]"
SHELL_VERSION_SOCKETS = ["", "unix:///var/run/docker.sock", "tcp://127.0.0.1:2375", "ssh://coder@build-2"]
"""What the shell version's `docker_socket` had: the engine's URL, by default none."""


def socket(plan: Plan) -> str:
    (path,) = [
        one["host_path"]
        for one in plan.values(CONTAINER)["volumes"]
        if one["container_path"] == "/var/run/docker.sock"
    ]
    return str(path)


@pytest.mark.parametrize("carried", SHELL_VERSION_SOCKETS[:2])
def test_the_shell_version_s_docker_socket_is_taken(terraform: Terraform, carried: str) -> None:
    planned = terraform.plan(variables={**UNPINNED, "docker_socket": carried})
    assert socket(planned) == "/var/run/docker.sock"


@pytest.mark.parametrize(("carried", "engine"), [(one, one) for one in SHELL_VERSION_SOCKETS])
def test_it_names_the_engine_as_it_did(terraform: Terraform, carried: str, engine: str) -> None:
    assert terraform.evaluate("local.engine", {"docker_socket": carried}) == engine
    other = {"docker_socket": carried, "docker_host": "ssh://coder@other"}
    assert terraform.evaluate("local.engine", other) == "ssh://coder@other"


def test_a_socket_of_this_version_s_stays_one(terraform: Terraform) -> None:
    planned = terraform.plan(variables={**UNPINNED, "docker_socket": "/run/user/1000/docker.sock"})
    assert socket(planned) == "/run/user/1000/docker.sock"
    assert terraform.evaluate("local.engine", {"docker_socket": "/run/user/1000/docker.sock"}) == ""


@pytest.mark.parametrize("carried", SHELL_VERSION_SOCKETS[:2])
@pytest.mark.parametrize(
    ("port", "instead"),
    [("8080:18080", "0.0.0.0:18080:8080"), ("9000:9001/udp", "0.0.0.0:9001:9000/udp")],
)
def test_ports_of_the_shell_version_are_refused_and_turned(
    terraform: Terraform, carried: str, port: str, instead: str
) -> None:
    variables = {**UNPINNED, "docker_socket": carried}
    with pytest.raises(TerraformError) as refused:
        terraform.plan({"additional_ports": [port]}, variables=variables)
    said = str(refused.value)
    assert f'additional_ports: "{port}" meant workspace:host' in said
    assert f"Write {instead} for what it was" in said
    planned = terraform.plan({"additional_ports": [instead]}, variables=variables)
    (published,) = planned.values(CONTAINER)["ports"]
    assert f"{published['internal']}:{published['external']}" == port.partition("/")[0]
    # Once the variable is this version's, so are the entries.
    assert terraform.plan({"additional_ports": [port]}, variables=UNPINNED).actions(CONTAINER) == ["create"]


@pytest.mark.parametrize("port", ["8080:8080", "5432:5432/tcp", "8080", "127.0.0.1:8080:80"])
def test_ports_that_mean_the_same_in_both_are_taken(terraform: Terraform, port: str) -> None:
    variables = {**UNPINNED, "docker_socket": ""}
    assert terraform.plan({"additional_ports": [port]}, variables=variables).actions(CONTAINER) == ["create"]


@pytest.mark.parametrize("carried", ["", ".gitconfig,.config/my-tool/"])
def test_a_text_of_paths_is_refused(terraform: Terraform, carried: str) -> None:
    with pytest.raises(TerraformError, match=r'Parameter value is not of type "list\(string\)"'):
        terraform.plan({"home_persist_paths": carried}, variables=UNPINNED)


def test_new_builds_arrive_where_the_default_was_carried_over(terraform: Terraform) -> None:
    """The default of a variable is its value for ever; so it names the IDEs, and the version their builds."""
    carried = terraform.evaluate("jsonencode(var.jetbrains_builds)", {})
    assert set(json.loads(str(carried)).values()) == {""}
    planned = terraform.plan({"jetbrains_ides": ["IU"]}, variables=UNPINNED)
    own = json.loads(str(terraform.evaluate("jsonencode(local.own_jetbrains_builds)", {})))
    assert set(own) == set(json.loads(str(carried)))
    chosen = terraform.plan(
        {"jetbrains_ides": ["IU"]},
        variables={**UNPINNED, "jetbrains_builds": json.dumps({"IU": "1.2.3", "GO": ""})},
    )
    if terraform.real:
        address = 'module.jetbrains[0].coder_app.jetbrains["IU"]'
        assert planned.values(address)["url"].endswith(own["IU"])
        assert chosen.values(address)["url"].endswith("1.2.3")


def test_every_variable_has_a_row_on_what_an_upgrade_does_to_it() -> None:
    text = (ROOT / "docs/template.md").read_text()
    chapter = text.partition("\n## Upgrades\n")[2].partition("\n## ")[0]
    names = set(re.findall(r'^variable "(\w+)"', (ROOT / "main.tf").read_text(), re.MULTILINE))
    assert {name for name in names if f"`{name}`" not in chapter} == set()
