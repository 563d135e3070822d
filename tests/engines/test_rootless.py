"""A Docker engine without root: as the workspace's engine, and as the one that a workspace runs in."""

from collections.abc import Iterator

import pytest

from devtools.images import tag
from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import findings, look
from tests.harness.other_engines import OtherEngine

pytestmark = [pytest.mark.engines, pytest.mark.root]

_TMPFS = ("--tmpfs", "/run:rw,nosuid,nodev,mode=755", "--tmpfs", "/run/lock")


@pytest.fixture(scope="module")
def space(rootless_engine: OtherEngine, spaces: Spaces) -> Iterator[Workspace]:
    made = spaces.new("rootless")
    for volume in made.attributes["volumes"]:
        if volume["container_path"] == "/var/run/docker.sock":
            volume["host_path"] = str(rootless_engine.socket)
    yield made.boot()
    made.remove()


def test_docker_works_with_it(space: Workspace) -> None:
    assert "rootless" in space.out("docker info --format '{{.SecurityOptions}}'")
    run = f"docker run --rm -i --network=none --entrypoint cat {tag('base')}"
    assert space.out(f"echo hello | {run}") == "hello"


def test_the_doctor_is_content(space: Workspace) -> None:
    report = look(space, "--only", "docker")
    assert findings(report) == {}
    summary = next(item["summary"] for item in report["checks"] if item["id"] == "docker.engine")
    assert "without root" in summary


def test_a_workspace_in_it_says_why_it_cannot_start(rootless_engine: OtherEngine) -> None:
    """Without delegated control groups systemd ends with status 255, and says nothing itself."""
    engine = rootless_engine.engine
    flags = engine.security(tag("base"))
    ended = engine.docker("run", "--rm", *flags, *_TMPFS, tag("base"), check=False, timeout=120)
    delegated = engine.docker("info", "-f", "{{.CgroupDriver}}").stdout.strip() != "none"
    if delegated:
        pytest.skip("control groups are delegated here, so a workspace starts")
    assert ended.returncode == 255
    assert "workspace: systemd cannot start: this engine runs without root" in ended.stderr
    assert "Delegate=yes" in ended.stderr
