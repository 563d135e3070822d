"""A workspace's life: what is made, what is replaced, what stays."""

from pathlib import Path

import pytest

from tests.template.standin.docker import REGISTRY_PUSHED
from tests.template.terraform import Plan, Terraform

AGENT, CONTAINER, IMAGE = "coder_agent.main", "docker_container.workspace[0]", "docker_image.workspace"
REPLACED = ["delete", "create"]


def test_a_first_start_makes_a_container(plan: Plan) -> None:
    assert plan.actions(AGENT) == plan.actions(CONTAINER) == plan.actions(IMAGE) == ["create"]


def test_a_second_start_changes_nothing(terraform: Terraform, running: Path) -> None:
    again = terraform.plan(state=running, words=["-refresh=false"])
    changes = {change["address"]: change["change"]["actions"] for change in again.json["resource_changes"]}
    assert {address for address, actions in changes.items() if actions != ["no-op"]} == set()


def test_a_stop_removes_the_container_alone(terraform: Terraform, running: Path) -> None:
    stop = terraform.plan(state=running, environment={"CODER_WORKSPACE_TRANSITION": "stop"})
    gone = {one["address"] for one in stop.json["resource_changes"] if "delete" in one["change"]["actions"]}
    # What Coder shows of a workspace goes with it: it is on no host.
    assert {address for address in gone if "coder_" not in address} == {CONTAINER}
    assert AGENT not in gone


def test_a_start_after_a_stop_makes_the_same_container_on_the_same_volumes(
    terraform: Terraform, running: Path, plan: Plan, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    state.write_bytes(running.read_bytes())
    stopped = {"CODER_WORKSPACE_TRANSITION": "stop"}
    terraform.apply(terraform.plan(state=state, environment=stopped), state)
    again = terraform.plan(state=state)
    assert again.actions(CONTAINER) == ["create"]
    assert again.values(CONTAINER)["volumes"] == plan.values(CONTAINER)["volumes"]
    assert again.values(CONTAINER)["name"] == plan.values(CONTAINER)["name"]


@pytest.mark.parametrize(
    ("parameters", "environment", "container"),
    [
        ({"workspace_image": "cpp"}, {}, REPLACED),
        ({}, {REGISTRY_PUSHED: "newer"}, REPLACED),
        ({"additional_ports": ["8080"]}, {}, REPLACED),
        ({"home_persist_paths": [".config/gh/"]}, {}, REPLACED),
        ({"jetbrains_allow_updates": "true"}, {}, REPLACED),
        ({"directory": "/home/coder/projects/app"}, {}, REPLACED),
        ({"cpus": "2"}, {}, REPLACED),
        # The provider changes it while the container runs.
        ({"memory": "4"}, {}, ["update"]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_a_change_does_to_the_container(
    terraform: Terraform,
    running: Path,
    parameters: dict[str, str],
    environment: dict[str, str],
    container: list[str],
) -> None:
    changed = terraform.plan(parameters, environment=environment, state=running, words=["-refresh=false"])
    assert changed.actions(CONTAINER) == container
    assert changed.actions(AGENT) == ["no-op"]


def test_no_volume_is_destroyed_with_a_workspace(terraform: Terraform, running: Path) -> None:
    """Volumes are named, and no resources of the template; images are kept for the others."""
    end = terraform.plan(state=running, destroy=True)
    gone = [one for one in end.json["resource_changes"] if "delete" in one["change"]["actions"]]
    assert CONTAINER in {one["address"] for one in gone}
    assert {one["type"] for one in gone} <= {
        "coder_agent",
        "coder_app",
        "coder_metadata",
        "coder_script",
        "docker_container",
        "docker_image",
    }
    kept = [one["change"]["before"]["keep_locally"] for one in gone if one["type"] == "docker_image"]
    assert kept == [True]
