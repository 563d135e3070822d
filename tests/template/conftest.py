"""Terraform on the template, once for all tests of a worker."""

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from devtools import engine as engines
from devtools import images
from tests.conftest import missing
from tests.template.terraform import BUILD, Plan, Terraform, ready

UNPINNED = {"pin_image": "false"}
OWN_IMAGE = {
    "image_repository": images.tag("base").removesuffix(":base"),
    "home_volume": f"{images.PREFIX}-{{owner_id}}-home",
    "shared_volume": f"{images.PREFIX}-template-shared",
}
"""The variables for the image of this checkout, which is on the engine and in no registry."""
PROJECTS = f"coder-{BUILD['CODER_WORKSPACE_ID']}-projects"


@pytest.fixture(scope="session")
def terraform() -> Iterator[Terraform]:
    if shutil.which("terraform") is None:
        missing("terraform is not installed")
    with ready() as it:
        yield it


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[Terraform]:
    """On the template for Kubernetes."""
    if shutil.which("terraform") is None:
        missing("terraform is not installed")
    with ready("kubernetes/main.tf") as it:
        yield it


@pytest.fixture(scope="session")
def plan(terraform: Terraform) -> Plan:
    """The first start of a workspace, with every parameter at its default. No registry is asked."""
    return terraform.plan(variables=UNPINNED)


@dataclass(frozen=True)
class Running:
    """A workspace that was started with every parameter at its default."""

    terraform: Terraform
    state: Path
    variables: Mapping[str, str]

    def plan(
        self,
        parameters: Mapping[str, object] | None = None,
        *,
        environment: Mapping[str, str] | None = None,
        state: Path | None = None,
        destroy: bool = False,
        refresh: bool = False,
    ) -> Plan:
        """The next build. Unless it is refreshed, the agent keeps its token, and changes nothing."""
        return self.terraform.plan(
            parameters,
            environment=environment,
            variables=self.variables,
            state=state or self.state,
            destroy=destroy,
            words=[] if refresh else ["-refresh=false"],
        )


@pytest.fixture(scope="session")
def running(terraform: Terraform) -> Iterator[Running]:
    """From an image that is pinned by its digest; the real providers start the image of this checkout."""
    if not terraform.real:
        started = Running(terraform, terraform.directory / "running.tfstate", {})
        terraform.apply(terraform.plan(), started.state)
        yield started
        return
    engine = find_engine()
    with ready() as its_own, _other_stack(engine):
        started = Running(its_own, its_own.directory / "running.tfstate", OWN_IMAGE)
        override_for(engine, its_own.directory)
        its_own.apply(started.plan(), started.state)
        yield started
        its_own.apply(started.plan(destroy=True), started.state)
    for name in started.variables["home_volume"], started.variables["shared_volume"], PROJECTS:
        engine.docker("volume", "rm", name.replace("{owner_id}", BUILD["CODER_WORKSPACE_OWNER_ID"]))


def find_engine() -> engines.Engine:
    return engines.find() or missing("no Docker engine is running; ./dev test starts one")


@contextlib.contextmanager
def _other_stack(engine: engines.Engine) -> Iterator[None]:
    """The stack that a test changes to; without an image of its own it is the base."""
    other = images.tag("cpp")
    if engine.has_image(other):
        yield
        return
    engine.docker("tag", images.tag("base"), other)
    yield
    engine.docker("image", "rm", other)


def override_for(engine: engines.Engine, directory: Path) -> None:
    """Let the template in a directory start containers on an engine that refuses privileged ones."""
    if engine.security(images.tag("base")) == ["--privileged"]:
        return
    # As Engine.security.
    instead = {
        "privileged": False,
        "capabilities": {"add": ["ALL"], "drop": ["SYS_RESOURCE"]},
        "security_opts": ["seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined"],
    }
    override = {"resource": {"docker_container": {"workspace": instead}}}
    (directory / "engine_override.tf.json").write_text(json.dumps(override))
