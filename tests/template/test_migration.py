"""Workspaces of the shell version and of our earlier ones become those of this version."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools import images
from devtools.images import PREFIX
from tests.template.conftest import OWN_IMAGE, UNPINNED, find_engine
from tests.template.terraform import Plan, Terraform

STATES = {
    "start": {},
    "stop": {"CODER_WORKSPACE_TRANSITION": "stop"},
}
VOLUMES = ("projects_volume", "home_persist", "shared", "docker_data")
# Not one of another fixture, whose container may be using it.
NAMES = {one: f"{PREFIX}-shell-version-{one}" for one in VOLUMES}
# The volumes alone: the image is in a registry.
FORGET = [f"-target=docker_volume.{one}" for one in VOLUMES]
OLD = """
terraform {
  required_providers {
    docker = {
      source = "kreuzwerker/docker"
    }
  }
}
"""


@pytest.fixture(scope="module")
def old(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state of a workspace of the shell version."""
    directory = tmp_path_factory.mktemp("old")
    shell = Terraform(directory, terraform.environment, real=terraform.real)
    volumes = [f'resource "docker_volume" "{one}" {{\n  name = "{name}"\n}}\n' for one, name in NAMES.items()]
    (directory / "main.tf").write_text("".join([OLD, *volumes]))
    shell.run("init", "-input=false")
    state = directory / "state"
    shell.apply(shell.plan(state=state), state)
    yield state
    if terraform.real:
        find_engine().docker("volume", "rm", *NAMES.values())


def fates(plan: Plan) -> set[str]:
    """What happens to the volumes; nothing to those that Terraform does not know."""
    return {action for one in VOLUMES for action in plan.actions(f"docker_volume.{one}")}


@pytest.mark.parametrize("transition", STATES)
def test_volumes_are_forgotten_and_not_destroyed(terraform: Terraform, old: Path, transition: str) -> None:
    update = terraform.plan(variables=UNPINNED, state=old, environment=STATES[transition])
    assert fates(update) == {"forget"}


def test_a_deletion_after_that_finds_none(terraform: Terraform, old: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.write_bytes(old.read_bytes())
    stop = STATES["stop"]
    terraform.apply(terraform.plan(variables=UNPINNED, state=state, environment=stop, words=FORGET), state)
    end = terraform.plan(variables=UNPINNED, state=state, destroy=True)
    assert fates(end) == set()


def test_a_deletion_before_that_is_the_shell_version_s(terraform: Terraform, old: Path) -> None:
    """Terraform does not look at `removed` blocks then (1.9 to 1.15), and docs/template.md warns of it."""
    end = terraform.plan(variables=UNPINNED, state=old, destroy=True)
    assert fates(end) == {"delete"}


@pytest.fixture(scope="module")
def earlier(terraform: Terraform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a version that had its image whether the workspace was started or not."""
    directory = tmp_path_factory.mktemp("earlier")
    version = Terraform(directory, terraform.environment, real=terraform.real)
    image = f"name = {json.dumps(images.tag('base'))}\nkeep_locally = true\n"
    (directory / "main.tf").write_text(f'{OLD}\nresource "docker_image" "workspace" {{\n{image}}}\n')
    version.run("init", "-input=false")
    state = directory / "state"
    version.apply(version.plan(state=state), state)
    return state


@pytest.mark.parametrize(("transition", "fate"), [("start", "no-op"), ("stop", "delete")])
def test_an_image_without_a_start_count_is_moved_or_forgotten(
    terraform: Terraform, earlier: Path, transition: str, fate: str
) -> None:
    """What is deleted from the state stays on the host: keep_locally is what the state says."""
    update = terraform.plan(variables=OWN_IMAGE, state=earlier, environment=STATES[transition])
    (change,) = [one for one in update.json["resource_changes"] if one["type"] == "docker_image"]
    assert change["change"]["actions"] == [fate]
    assert change["change"]["before"]["keep_locally"] is True
