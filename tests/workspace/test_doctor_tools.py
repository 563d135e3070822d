"""ws-doctor, category tools: each program of a stack's image, gone, damaged, and fixed as printed.

Which programs an image has differs from stack to stack; what the base lacks is put into the container
before it starts, as if the image had it.
"""

import pytest

from coder_ws_runtime.doctor.checks.tools import TOOLS
from devtools.images import tag
from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, look, prove

pytestmark = pytest.mark.docker

_SHARE, _BIN = "/usr/local/share", "/usr/local/bin"
_STAND_IN = "#!/bin/sh\necho '1.0 (stand-in)'\n"
# As npm is.
_OF_NODE = {"npm": "#!/usr/bin/env node\n"}


def _gone(program: str) -> str:
    """Removes a program from wherever it is: Node's are on PATH in two places."""
    return f"find {_BIN} {_SHARE} -path '*/bin/{program}' -delete"


ROWS = [
    *(
        Row(
            f"tools.{tool.name}",
            "it is gone",
            _gone(tool.name),
            "tools.missing",
            "coder restart",
        )
        for tool in TOOLS
    ),
    Row(
        "tools.rtk",
        "it fails",
        f"{_gone('rtk')}; install /dev/stdin {_BIN}/rtk <<< $'#!/bin/sh\\necho damaged >&2; exit 1'",
        "tools.broken",
        "coder restart",
    ),
    Row(
        "tools.node",
        "it is of another kind of machine",
        f"{_gone('node')}; printf '\\177ELF\\2' > {_BIN}/node; chmod +x {_BIN}/node",
        "tools.broken",
        "coder restart",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    made = spaces.new("doctor-tools").without_coder()
    listed = made.engine.docker("run", "--rm", "--entrypoint", "ls", tag("base"), _SHARE).stdout.split()
    for tool in TOOLS:
        if tool.recipe not in listed:
            made.upload(f"{_SHARE}/{tool.recipe}/stand-in", "")
            made.upload(f"{_BIN}/{tool.name}", _OF_NODE.get(tool.name, _STAND_IN), mode=0o755)
    return made.boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)


def test_a_whole_image_has_them_all(space: Workspace) -> None:
    report = look(space, "--only", "tools")
    assert {item["id"]: item["status"] for item in report["checks"]} == {
        f"tools.{tool.name}": "ok" for tool in TOOLS
    }
