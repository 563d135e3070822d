"""Docker inside a workspace: the host's engine builds and runs what is asked from within."""

from collections.abc import Iterator

import pytest

from devtools.engine import Engine
from devtools.workspace import Workspace
from tests.conftest import Spaces

PROJECT = """
set -eu
mkdir -p ~/projects/app && cd ~/projects/app
printf 'FROM debian:trixie-slim\\nRUN echo built from inside > /said\\nCMD ["cat", "/said"]\\n' > Dockerfile
cat > compose.yaml <<'EOF'
services:
  one:
    build: .
    image: TAG
  two:
    image: TAG
    command: ["sh", "-c", "echo two of $$(cat /said)"]
    depends_on: [one]
EOF
sed -i "s|TAG|$1|" compose.yaml
"""


@pytest.fixture(scope="module")
def tag(engine: Engine, worker: str) -> Iterator[str]:
    name = f"cws-test-{worker}-inside:one"
    yield name
    engine.docker("rmi", "-f", name, check=False)


@pytest.fixture(scope="module")
def space(spaces: Spaces, tag: str) -> Workspace:
    space = spaces.new("docker").boot()
    done = space.exec("bash", "-lc", PROJECT, "bash", tag)
    assert done.returncode == 0, done.stderr
    return space


def test_build(space: Workspace, engine: Engine, tag: str) -> None:
    space.out(f"cd ~/projects/app && docker build -q -t {tag} .")
    assert space.out(f"docker run --rm {tag}") == "built from inside"
    assert engine.has_image(tag), "the host's engine has built it"


def test_compose_up(space: Workspace, tag: str) -> None:
    said = space.out("cd ~/projects/app && docker compose up --no-color 2>&1; docker compose down -v 2>&1")
    assert "built from inside" in said
    assert "two of built from inside" in said
    assert space.out("docker ps -a -q --filter label=com.docker.compose.project=app") == ""


def test_buildx_has_a_builder(space: Workspace) -> None:
    assert "running" in space.out("docker buildx inspect")
