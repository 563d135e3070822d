"""With a real engine and a real registry that is stopped in between: what a stop needs, what a start says.

Images, engine and registry are real here, and so the providers have to be. With the stand-ins
tests/template/test_life.py and test_parameters.py ask the same of the plan.
"""

import json
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from devtools import engine as engines
from devtools.images import PREFIX, tag
from tests.conftest import missing
from tests.template.conftest import find_engine, override_for
from tests.template.registry import Registry, serving
from tests.template.standin.installation import ROOT
from tests.template.terraform import BUILD, Plan, Terraform, TerraformError, ready

STOP = {"CODER_WORKSPACE_TRANSITION": "stop"}
# As Coder's provisioner names it.
DELETE = {"CODER_WORKSPACE_TRANSITION": "destroy"}
# Not the workspace of the other tests.
IDENTITY = {
    "CODER_WORKSPACE_ID": "00000000-0000-4000-8000-000000000002",
    "CODER_WORKSPACE_NAME": "engine",
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
        parameters: Mapping[str, object] | None = None,
        destroy: bool = False,
    ) -> Plan:
        """Plan and carry out a build, as Coder does."""
        whole = {**IDENTITY, **(environment or {}), **self.registry.environment}
        plan = self.terraform.plan(
            parameters,
            environment=whole,
            variables={
                "image_repository": self.registry.repository,
                "home_volume": f"{PREFIX}-{{owner_id}}-engine",
                "shared_volume": f"{PREFIX}-engine",
                **(variables or {}),
            },
            state=self.state,
            destroy=destroy,
        )
        self.terraform.apply(plan, self.state, environment=whole)
        return plan

    def runs(self) -> bool:
        label = f"coder.workspace_id={IDENTITY['CODER_WORKSPACE_ID']}"
        done = self.engine.docker("ps", "-q", "--filter", f"label={label}")
        return bool(done.stdout)

    @property
    def images(self) -> set[str]:
        """The digests that the engine has of the repository."""
        words = ("image", "ls", "--digests", "--format", "{{.Digest}}", self.registry.repository)
        return set(self.engine.docker(*words).stdout.split())


@pytest.fixture(scope="module")
def real(terraform: Terraform) -> Iterator[Terraform]:
    """The template in a directory of its own, with the real providers."""
    if not terraform.real:
        pytest.skip("the stand-ins of the providers have no engine")
    if not (shutil.which("docker-registry") and shutil.which("busybox")):
        missing("Debian's packages docker-registry and busybox-static")
    with ready() as its_own:
        override_for(find_engine(), its_own.directory)
        yield its_own


@pytest.fixture
def life(real: Terraform, tmp_path: Path) -> Iterator[Life]:
    engine = find_engine()
    with serving(engine) as registry:
        registry.push("base", "1")
        begun = Life(real, registry, engine, tmp_path / "state")
        yield begun
        begun.build(DELETE, destroy=True)
    home = f"{PREFIX}-{BUILD['CODER_WORKSPACE_OWNER_ID']}-engine"
    engine.docker(
        "volume", "rm", "-f", home, f"{PREFIX}-engine", f"coder-{IDENTITY['CODER_WORKSPACE_ID']}-projects"
    )


def test_a_stop_needs_no_registry(life: Life) -> None:
    life.build()
    life.registry.stop()
    with pytest.raises(TerraformError, match="connection refused"):
        life.build()
    assert life.runs(), "a start that is refused has changed nothing"
    life.build(STOP)
    assert not life.runs()
    life.build(STOP)


def test_a_deletion_needs_no_registry(life: Life) -> None:
    life.build()
    life.registry.stop()
    life.build(DELETE, destroy=True)
    assert not life.runs()


def test_a_stop_pulls_nothing(life: Life) -> None:
    life.build()
    before = life.images
    life.registry.push("base", "2")
    life.build(STOP)
    assert not life.runs()
    assert life.images == before
    life.build()
    assert life.runs()
    assert len(life.images) == len(before) + 1


def test_a_stop_needs_no_credentials(life: Life) -> None:
    life.build()
    for lost in ("{", json.dumps({"auths": {"other.example": {"auth": "eDp5"}}})):
        life.build(STOP, {"registry_config": lost})
        assert not life.runs()


def test_a_stop_needs_no_image(life: Life) -> None:
    life.build()
    life.registry.stop()
    life.engine.docker("image", "rm", "-f", *(f"{life.registry.repository}@{one}" for one in life.images))
    life.build(STOP)
    assert not life.runs()


def test_in_an_outage_the_digest_that_the_host_has_starts(life: Life) -> None:
    """A pinned start leaves no tag on the host, and what docs/template.md says then is what helps."""
    life.build()
    life.build(STOP)
    life.registry.stop()
    with pytest.raises(TerraformError, match="unable to pull image"):
        life.build(variables={"pin_image": "false"})
    (digest,) = life.images
    life.build(variables={"image_digests": json.dumps({"base": digest})})
    assert life.runs()


def test_an_image_of_another_architecture_is_not_started(life: Life) -> None:
    """The agent would be for another machine than the image."""
    with pytest.raises(TerraformError, match="does not match the specified platform"):
        life.build({"CODER_AGENT_SCRIPT_linux_arm64": "#!/bin/sh\n"}, {"arch": "arm64"})
    assert not life.runs()


def test_an_engine_that_cannot_be_reached_is_named(life: Life) -> None:
    with pytest.raises(TerraformError, match=r"make sure that unix:///run/nowhere[.]sock is reachable"):
        life.build(variables={"docker_host": "unix:///run/nowhere.sock"})


def test_a_port_that_another_workspace_takes_is_named(life: Life) -> None:
    name = f"{PREFIX}-other-workspace"
    other = {"coder.owner": "grace", "coder.workspace_id": "other", "coder.workspace_name": "cobol"}
    labels = [
        f"--label={key}={value}" for key, value in {**other, "coder.ports": "127.0.0.1|8080/tcp"}.items()
    ]
    life.engine.docker("run", "-d", "--name", name, *labels, "--entrypoint", "sleep", tag("base"), "600")
    try:
        with pytest.raises(TerraformError, match=r"8080/tcp \(grace's workspace cobol\) is taken"):
            life.build(parameters={"additional_ports": ["8080:80"]})
    finally:
        life.engine.docker("rm", "-f", name)
    assert not life.runs()


def test_the_label_says_which_ports_a_workspace_takes(life: Life) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    for _ in range(2):  # its own port is no obstacle to a workspace
        life.build(parameters={"additional_ports": [f"{port}:80"]})
    container = life.engine.docker("ps", "-q", "--filter", f"label=coder.ports=127.0.0.1|{port}/tcp").stdout
    assert container.strip()


def test_old_images_are_removed_as_documented(life: Life) -> None:
    life.build()
    life.registry.push("base", "2")
    life.build()
    assert len(life.images) == 2
    text = (ROOT / "docs/template.md").read_text()
    (command,) = re.findall(r"^[$] (docker image ls --digests .*[|].*)$", text, re.MULTILINE)
    command = command.replace("ghcr.io/sourecode/coder-workspace", life.registry.repository)
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 123, done.stderr
    assert len(life.images) == 1
    assert life.runs()
