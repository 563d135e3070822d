"""Podman in the place of Docker: it is named, and what does not work with it is said with what does."""

from collections.abc import Iterator

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import findings, look
from tests.harness.other_engines import OtherEngine

pytestmark = [pytest.mark.engines, pytest.mark.root]

_CONTEXT = (
    "mkdir -p ~/built && printf 'FROM debian:trixie-slim\\nRUN echo made > /made\\n' > ~/built/Dockerfile"
)


@pytest.fixture(scope="module")
def space(podman_engine: OtherEngine, spaces: Spaces) -> Iterator[Workspace]:
    made = spaces.new("podman")
    for volume in made.attributes["volumes"]:
        if volume["container_path"] == "/var/run/docker.sock":
            volume["host_path"] = str(podman_engine.socket)
    yield made.boot()
    made.remove()


def test_docker_works_with_it(space: Workspace) -> None:
    assert space.out("docker version --format '{{(index .Server.Components 0).Name}}'") == "Podman Engine"
    assert space.out("docker run --rm --network=none debian:trixie-slim echo hello") == "hello"
    assert space.out("echo hello | docker run --rm -i --network=none debian:trixie-slim cat") == "hello"


def test_buildkit_does_not_and_the_classic_builder_does(space: Workspace) -> None:
    """What the finding says, tried: an image that was built is there, or it is not."""
    space.out(_CONTEXT)
    space.sh("docker build -t by-buildkit ~/built")
    assert "by-buildkit" not in space.out("docker images")
    space.sh("docker buildx rm --all-inactive --force")
    space.out("DOCKER_BUILDKIT=0 docker build -t by-builder ~/built")
    assert space.out("docker run --rm --network=none by-builder cat /made") == "made"


def test_the_doctor_names_podman(space: Workspace) -> None:
    found = findings(look(space, "--only", "docker.engine"))
    assert set(found) == {"docker.engine"}
    said = space.sh("ws-doctor --only docker.engine").stdout
    assert "Podman 4" in said or "Podman 5" in said
    assert "$ export DOCKER_BUILDKIT=0" in said


def test_its_remedy_as_printed_is_enough(space: Workspace) -> None:
    assert space.out("export DOCKER_BUILDKIT=0; ws-doctor --only docker.engine --strict").startswith("✓")


def test_the_bundle_names_podman(space: Workspace) -> None:
    space.out("rm -f /tmp/b.tar.gz; ws-doctor bundle -o /tmp/b.tar.gz")
    assert "Podman Engine" in space.out("tar -xzOf /tmp/b.tar.gz --wildcards '*/docker-engine.txt'")
