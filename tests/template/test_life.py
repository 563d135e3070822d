"""A workspace's life: what is made, what is replaced, what stays."""

from typing import Any

import pytest

from tests.template.conftest import Running
from tests.template.standin.docker import IMAGE_MISSING, REGISTRY_DOWN, REGISTRY_PUSHED
from tests.template.terraform import Plan

AGENT, CONTAINER, IMAGE = "coder_agent.main", "docker_container.workspace[0]", "docker_image.workspace[0]"
REPLACED, KEPT = ["delete", "create"], ["no-op"]
STOP = {"CODER_WORKSPACE_TRANSITION": "stop"}
# As Coder's provisioner names it.
DELETE = {"CODER_WORKSPACE_TRANSITION": "destroy"}


def test_a_first_start_makes_a_container(plan: Plan) -> None:
    assert plan.actions(AGENT) == plan.actions(CONTAINER) == plan.actions(IMAGE) == ["create"]


def test_a_second_start_changes_nothing(running: Running) -> None:
    changes = {one["address"]: one["change"]["actions"] for one in running.plan().json["resource_changes"]}
    assert {address for address, actions in changes.items() if actions != ["no-op"]} == set()


def test_a_stop_removes_the_container_alone(running: Running) -> None:
    stop = running.plan(environment=STOP, refresh=True)
    gone = {one["address"] for one in stop.json["resource_changes"] if "delete" in one["change"]["actions"]}
    # What Coder shows of a workspace goes with it: it is on no host.
    assert {address for address in gone if "coder_" not in address} == {CONTAINER, IMAGE}
    assert stop.before(IMAGE)["keep_locally"] is True
    assert AGENT not in gone


@pytest.mark.parametrize("fault", [REGISTRY_DOWN, REGISTRY_PUSHED, IMAGE_MISSING])
@pytest.mark.parametrize(("transition", "destroy"), [(STOP, False), (DELETE, True)], ids=["stop", "delete"])
def test_a_stop_and_a_deletion_need_neither_registry_nor_image(
    running: Running, fault: str, transition: dict[str, str], *, destroy: bool
) -> None:
    """With the real providers, engine and registry: test_engine.py."""
    end = running.plan(environment={**transition, fault: "1"}, destroy=destroy, refresh=True)
    assert end.actions(CONTAINER) == ["delete"]
    assert not [one for one in end.json["resource_changes"] if "create" in one["change"]["actions"]]


@pytest.mark.parametrize(
    "variables",
    [
        {"registry_config": "{"},
        {"image_repository": "ghcr.io/you/other"},
        {"image_repository": "nowhere"},
        {"docker_socket": ""},
        {"arch": "arm64"},
        {"anthropic_api_key": "x", "enable_ai_gateway": "true"},
    ],
    ids=str,
)
def test_a_stop_looks_at_nothing_that_a_start_refuses(running: Running, variables: dict[str, str]) -> None:
    stop = running.terraform.plan(
        {"additional_ports": ["80,x"], "home_persist_paths": ["/"]},
        environment={**STOP, REGISTRY_DOWN: "1", IMAGE_MISSING: "1"},
        variables={**running.variables, **variables},
        state=running.state,
    )
    assert stop.actions(CONTAINER) == ["delete"]


@pytest.mark.parametrize(
    ("parameters", "environment", "container"),
    [
        ({"workspace_image": "cpp"}, {}, REPLACED),
        ({}, {REGISTRY_PUSHED: "newer"}, REPLACED),
        ({"additional_ports": ["8080"]}, {}, REPLACED),
        ({"home_persist_paths": [".config/gh/"]}, {}, REPLACED),
        ({"jetbrains_allow_updates": "true"}, {}, REPLACED),
        ({"directory": "/home/coder/projects/app"}, {}, REPLACED),
        ({"repo_url": "https://example.org/you/project.git"}, {}, REPLACED),
        ({"cpus": "2"}, {}, REPLACED),
        # The provider changes it while the container runs.
        ({"memory": "4"}, {}, ["update"]),
        # These are for Coder alone.
        ({"jetbrains_ides": ["IU"]}, {}, KEPT),
        ({"dotfiles_uri": "https://example.org/you/dotfiles"}, {}, KEPT),
        # A user or a workspace that is renamed.
        ({}, {"CODER_WORKSPACE_NAME": "other"}, REPLACED),
        ({}, {"CODER_WORKSPACE_OWNER": "augusta"}, REPLACED),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_a_change_does(
    running: Running, parameters: dict[str, object], environment: dict[str, str], container: list[str]
) -> None:
    if running.terraform.real and REGISTRY_PUSHED in environment:
        pytest.skip("test_engine.py pushes to a real registry")
    changed = running.plan(parameters, environment=environment)
    assert changed.actions(CONTAINER) == container
    assert changed.actions(AGENT) == KEPT
    before, after = changed.before(CONTAINER), changed.values(CONTAINER)
    assert _volumes(after) == _volumes(before)


def test_no_volume_is_destroyed_with_a_workspace(running: Running) -> None:
    """Volumes are named, and no resources of the template; images are kept for the others."""
    end = running.plan(destroy=True)
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


def test_a_start_after_a_stop_makes_the_same_container_on_the_same_volumes(running: Running) -> None:
    before = running.plan().before(CONTAINER)
    running.terraform.apply(running.plan(environment=STOP, refresh=True), running.state)
    again = running.plan(refresh=True)
    assert again.actions(CONTAINER) == ["create"]
    assert _volumes(again.values(CONTAINER)) == _volumes(before)
    assert again.values(CONTAINER)["name"] == before["name"]
    running.terraform.apply(again, running.state)


def _volumes(container: dict[str, Any]) -> dict[str, str]:
    return {one["container_path"]: one["volume_name"] or one["host_path"] for one in container["volumes"]}
