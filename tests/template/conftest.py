"""Terraform on the template, once for all tests of a worker."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.template.terraform import Plan, Terraform, ready


@pytest.fixture(scope="session")
def terraform() -> Iterator[Terraform]:
    if shutil.which("terraform") is None:
        missing("terraform is not installed")
    with ready() as it:
        yield it


@pytest.fixture(scope="session")
def plan(terraform: Terraform) -> Plan:
    """The first start of a workspace, with every parameter at its default."""
    return terraform.plan()


@pytest.fixture(scope="session")
def running(terraform: Terraform, plan: Plan) -> Path:
    """The state of a workspace that was started so."""
    if terraform.real:
        missing("the real providers would make containers of the images of a registry; stand-ins record them")
    state = terraform.directory / "running.tfstate"
    terraform.apply(plan, state)
    return state
