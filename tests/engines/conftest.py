"""Engines that are started for the tests, and workspaces that use them. ./dev engines runs these."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from devtools.engine import Engine
from devtools.images import DEBIAN, tag
from tests.conftest import missing
from tests.harness.other_engines import OtherEngine, podman, rootless, rootless_script

USER = "cws-rootless"


@pytest.fixture(scope="session")
def podman_engine(engine: Engine) -> Iterator[OtherEngine]:
    """Real podman, with Debian's image."""
    if shutil.which("podman") is None:
        missing("podman is not installed; ./dev engines installs it")
    made = podman()
    made.load(engine, DEBIAN)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def rootless_engine(engine: Engine) -> Iterator[OtherEngine]:
    """A real dockerd without root, with the base image."""
    for program in ("rootlesskit", "slirp4netns", "newuidmap"):
        if shutil.which(program) is None:
            missing(f"{program} is not installed; ./dev engines installs it")
    if rootless_script() is None:
        missing(
            "dockerd-rootless.sh is not installed: Debian's docker.io or docker-ce-rootless-extras has it"
        )
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/sh", USER], check=True)
    try:
        made = rootless(USER)
        made.load(engine, tag("base"))
        yield made
        made.stop()
    finally:
        subprocess.run(["userdel", "--remove", USER], check=False, capture_output=True)
