"""Terraform on the template, once for all tests of a worker."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.template.terraform import Plan, Terraform, ready

UNPINNED = {"pin_image": "false"}


@pytest.fixture(scope="session")
def terraform() -> Iterator[Terraform]:
    if shutil.which("terraform") is None:
        missing("terraform is not installed")
    with ready() as it:
        yield it


@pytest.fixture(scope="session")
def plan(terraform: Terraform) -> Plan:
    """The first start of a workspace, with every parameter at its default. No registry is asked."""
    return terraform.plan(variables=UNPINNED)


@pytest.fixture(scope="session")
def running(terraform: Terraform) -> Path:
    """The state of a workspace that was started so, from an image that is pinned by its digest."""
    if terraform.real:
        missing("the real providers would make containers of the images of a registry; stand-ins record them")
    state = terraform.directory / "running.tfstate"
    terraform.apply(terraform.plan(), state)
    return state
