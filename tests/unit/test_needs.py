"""What `./dev test` sets up for a selection of tests: no more than they need."""

import sys

import pytest

from devtools.needs import Needs, find_needs
from devtools.shell import ROOT

PYTEST = (sys.executable, "-m", "pytest")


@pytest.mark.parametrize(
    ("arguments", "needs"),
    [
        (["tests/unit/test_text.py"], Needs()),
        (["tests/unit/test_text.py", "-k", "plural", "-n", "2"], Needs()),
        (["tests/crash/test_order.py"], Needs(programs=("strace",))),
        (["tests/fs/test_copying.py"], Needs(programs=("setfacl",))),
        (["tests/fs/test_copying.py", "-k", "holes"], Needs()),
        (["tests/workspace/test_boot.py"], Needs(engine=True)),
        (["tests/no/such/file.py"], Needs()),
    ],
)
def test_needs(arguments: list[str], needs: Needs) -> None:
    assert find_needs(PYTEST, [str(ROOT / arguments[0]), *arguments[1:]], {"PYTHONPATH": str(ROOT)}) == needs
