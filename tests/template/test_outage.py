"""A stop and a deletion need the engine and nobody else: with a real registry that is stopped in between.

Images, engine and registry are real here, and so the providers have to be. With the stand-ins
tests/template/test_life.py asks the same of the plan.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from devtools import engine as engines
from devtools.images import PREFIX
from tests.conftest import missing
from tests.template.conftest import find_engine, override_for
from tests.template.registry import Registry, serving
from tests.template.terraform import BUILD, Plan, Terraform, TerraformError, ready

CONTAINER, IMAGE = "docker_container.workspace[0]", "docker_image.workspace[0]"
STOP = {"CODER_WORKSPACE_TRANSITION": "stop"}
# As Coder's provisioner names it.
DELETE = {"CODER_WORKSPACE_TRANSITION": "destroy"}
# Not the workspace of the other tests.
IDENTITY = {
    "CODER_WORKSPACE_ID": "00000000-0000-4000-8000-000000000002",
    "CODER_WORKSPACE_NAME": "outage",
    "CODER_WORKSPACE_OWNER": f"{PREFIX}-ada",
}


@dataclass
class Life:
    """A workspace whose image is in a registry of its own."""

    terraform: Terraform
    registry: Registry
    engine: engines.Engine
    state: Path

    def build(
        self,
        environment: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        *,
        destroy: bool = False,
    ) -> Plan:
        """Plan and carry out a build, as Coder does."""
        whole = {**IDENTITY, **(environment or {}), **self.registry.environment}
        plan = self.terraform.plan(
            environment=whole,
            variables={
                "image_repository": self.registry.repository,
                "home_volume": f"{PREFIX}-{{owner_id}}-outage",
                "shared_volume": f"{PREFIX}-outage",
                **(variables or {}),
            },
            state=self.state,
            destroy=destroy,
        )
        self.terraform.apply(plan, self.state, environment=whole)
        return plan

    @property
    def runs(self) -> bool:
        label = f"coder.workspace_id={IDENTITY['CODER_WORKSPACE_ID']}"
        done = self.engine.docker("ps", "-q", "--filter", f"label={label}")
        return bool(done.stdout)

    @property
    def images(self) -> set[str]:
        """The digests that the engine has of the repository."""
        words = ("image", "ls", "--digests", "--format", "{{.Digest}}", self.registry.repository)
        return set(self.engine.docker(*words).stdout.split())


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    with ready() as terraform:
        if not terraform.real:
            pytest.skip("the stand-ins of the providers have no engine")
        if not (shutil.which("docker-registry") and shutil.which("busybox")):
            missing("Debian's packages docker-registry and busybox-static")
        engine = find_engine()
        override_for(engine, terraform.directory)
        with serving(engine) as registry:
            registry.push("base", "1")
            begun = Life(terraform, registry, engine, tmp_path / "state")
            yield begun
            begun.build(DELETE, destroy=True)
    home = f"{PREFIX}-{BUILD['CODER_WORKSPACE_OWNER_ID']}-outage"
    engine.docker(
        "volume", "rm", "-f", home, f"{PREFIX}-outage", f"coder-{IDENTITY['CODER_WORKSPACE_ID']}-projects"
    )


def test_a_stop_needs_no_registry(life: Life) -> None:
    life.build()
    life.registry.stop()
    with pytest.raises(TerraformError, match="connection refused"):
        life.build()
    assert life.runs, "a start that is refused has changed nothing"
    life.build(STOP)
    assert not life.runs
    life.build(STOP)


def test_a_deletion_needs_no_registry(life: Life) -> None:
    life.build()
    life.registry.stop()
    life.build(DELETE, destroy=True)
    assert not life.runs


def test_a_stop_pulls_nothing(life: Life) -> None:
    life.build()
    before = life.images
    life.registry.push("base", "2")
    life.build(STOP)
    assert not life.runs
    assert life.images == before
    life.build()
    assert life.runs
    assert len(life.images) == len(before) + 1


def test_a_stop_needs_no_credentials(life: Life) -> None:
    life.build()
    for lost in ("{", json.dumps({"auths": {"other.example": {"auth": "eDp5"}}})):
        life.build(STOP, {"registry_config": lost})
        assert not life.runs


def test_a_stop_needs_no_image(life: Life) -> None:
    life.build()
    life.registry.stop()
    life.engine.docker("image", "rm", "-f", *(f"{life.registry.repository}@{one}" for one in life.images))
    life.build(STOP)
    assert not life.runs


def test_in_an_outage_the_digest_that_the_host_has_starts(life: Life) -> None:
    """A pinned start leaves no tag on the host, and what docs/template.md says then is what helps."""
    life.build()
    life.build(STOP)
    life.registry.stop()
    with pytest.raises(TerraformError, match="unable to pull image"):
        life.build(variables={"pin_image": "false"})
    (digest,) = life.images
    life.build(variables={"image_digests": json.dumps({"base": digest})})
    assert life.runs


def test_an_image_of_another_architecture_is_not_started(life: Life) -> None:
    """The agent would be for another machine than the image."""
    with pytest.raises(TerraformError, match="does not match the specified platform"):
        life.build({"CODER_AGENT_SCRIPT_linux_arm64": "#!/bin/sh\n"}, {"arch": "arm64"})
    assert not life.runs
