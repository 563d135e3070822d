"""ws-doctor, category jetbrains: each file of the IDEs, and two workspaces with one IDE."""

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, look, prove

pytestmark = pytest.mark.docker

ENVIRONMENT = "/home/coder/.local/share/JetBrains/Toolbox/environment.json"
IDE = "/home/coder/.config/JetBrains/GoLand2025.1"
_AGAIN = "ws-boot jetbrains"


class Other:
    """The owner's other workspace."""

    def __init__(self, space: Workspace) -> None:
        self.space = space

    def runs_an_ide(self, process: str) -> None:
        """Boot it, with an IDE whose lock names a process."""
        self.space.remove()
        self.space.boot()
        self.space.out(f"mkdir -p {IDE}; ws-boot jetbrains; echo {process} > {IDE}/.lock")


_other: list[Other] = []


def _with_another_number(_: Workspace) -> None:
    _other[0].runs_an_ide("4711")


def _with_a_number_of_ours(_: Workspace) -> None:
    _other[0].runs_an_ide("1")


ROWS = [
    Row(
        "jetbrains.files",
        "Toolbox's options are gone",
        f"rm {ENVIRONMENT}",
        f"{ENVIRONMENT} is missing",
        _AGAIN,
        status="warning",
    ),
    Row(
        "jetbrains.files",
        "Toolbox may update, and the template forbids it",
        f'sed -i \'s/"allowUpdate": false/"allowUpdate": true/\' {ENVIRONMENT}',
        f"{ENVIRONMENT} is not as it should be",
        _AGAIN,
        status="warning",
    ),
    Row(
        "jetbrains.files",
        "Toolbox's options are no JSON",
        f"echo '{{' > {ENVIRONMENT}",
        f"{ENVIRONMENT}: ",
        _AGAIN,
        status="warning",
    ),
    Row(
        "jetbrains.files",
        "the properties are gone",
        "rm /home/coder/idea.properties",
        "/home/coder/idea.properties is missing",
        _AGAIN,
        status="warning",
    ),
    Row(
        "jetbrains.files",
        "an IDE has no properties",
        f"sudo -u coder mkdir -p {IDE}",
        f"{IDE}/idea.properties is missing",
        _AGAIN,
        status="warning",
        after=f"rm -r {IDE}",
    ),
    Row(
        "jetbrains.files",
        "an IDE's caches are on the volume",
        f"sudo -u coder sh -c 'mkdir -p {IDE};"
        f" echo idea.system.path=/mnt/home-persist/system > {IDE}/idea.properties; ws-boot jetbrains'",
        "idea.system.path is on the volume",
        _AGAIN,
        status="warning",
        cause=f"sed -i /idea.system.path/d {IDE}/idea.properties",
        after=f"rm -r {IDE}",
    ),
    Row(
        "jetbrains.files",
        "the caches of all are on the volume",
        "sudo -iu coder home-persist add .cache/JetBrains/",
        "~/.cache/JetBrains is on the volume",
        "home-persist remove .cache/JetBrains/",
        status="warning",
        after="rm -rf /home/coder/.cache/JetBrains",
    ),
    Row(
        "jetbrains.files",
        "the directory of caches is gone",
        "rm -r /tmp/jetbrains",
        "/tmp/jetbrains/system is missing",
        _AGAIN,
        status="warning",
    ),
    Row(
        "jetbrains.locks",
        "another workspace runs the same IDE",
        _with_another_number,
        "another workspace runs GoLand2025.1 with these settings, too, and both write them",
        "-ada/doctor-jetbrains-other",
        status="warning",
        after=f"rm -r {IDE}",
    ),
    Row(
        "jetbrains.locks",
        "another workspace runs the same IDE, and its process has a number that is ours, too",
        _with_a_number_of_ours,
        "another workspace runs GoLand2025.1 with these settings, too, and both write them",
        "close the IDE there before you use it here, or stop that workspace",
        status="warning",
        after=f"rm -r {IDE}",
    ),
]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    _other.append(Other(spaces.new("doctor-jetbrains-other").without_coder()))
    return spaces.new("doctor-jetbrains").without_coder().boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_mended_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)


def test_an_ide_of_this_workspace_is_no_other_s(space: Workspace) -> None:
    _other[0].runs_an_ide("4711")
    space.out(
        f"(exec -a java sleep 600 & ) ; exec -a 'java -Didea.paths.selector=GoLand2025.1' sleep 600 &"
        f" echo $! > {IDE}/.lock"
    )
    report = look(space, "--only", "jetbrains.locks")
    assert [(item["status"], item["summary"]) for item in report["checks"]] == [
        ("ok", "no other workspace has started an IDE since this one began")
    ]
