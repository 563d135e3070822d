"""ws-doctor, category jetbrains: each file of the IDEs, and two workspaces with one IDE."""

import json

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.doctor import Row, codes, look, prove

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
        "jetbrains.settings-missing",
        _AGAIN,
        status="warning",
    ),
    Row(
        "jetbrains.files",
        "Toolbox may update, and the template forbids it",
        f'sed -i \'s/"allowUpdate": false/"allowUpdate": true/\' {ENVIRONMENT}',
        "jetbrains.settings-wrong",
        _AGAIN,
        status="warning",
    ),
    Row(
        "jetbrains.files",
        "Toolbox's options are no JSON",
        f"echo '{{' > {ENVIRONMENT}",
        "jetbrains.environment",
        _AGAIN,
        status="warning",
    ),
    Row(
        "jetbrains.files",
        "Toolbox's options are a link to dotfiles that are not there",
        f"sudo -u coder ln -sf ~coder/dotfiles/environment.json {ENVIRONMENT}",
        "jetbrains.dangling-link",
        f"rm {ENVIRONMENT}",
        status="warning",
    ),
    Row(
        "jetbrains.files",
        "the user has written a line into the properties, which do not last",
        "sudo -u coder sh -c 'echo idea.max.content.load.filesize=99999 >> ~coder/idea.properties'",
        "jetbrains.properties-not-kept",
        "home-persist add idea.properties",
        status="warning",
        after="sudo -iu coder sh -c 'home-persist remove idea.properties; rm ~/idea.properties;"
        " ws-boot jetbrains'",
    ),
    Row(
        "jetbrains.files",
        "the properties are gone",
        "rm /home/coder/idea.properties",
        "jetbrains.settings-missing",
        _AGAIN,
        status="warning",
    ),
    Row(
        "jetbrains.files",
        "an IDE has no properties",
        f"sudo -u coder mkdir -p {IDE}",
        "jetbrains.settings-missing",
        _AGAIN,
        status="warning",
        after=f"rm -r {IDE}",
    ),
    Row(
        "jetbrains.files",
        "an IDE's caches are on the volume",
        f"sudo -u coder sh -c 'mkdir -p {IDE};"
        f" echo idea.system.path=/mnt/home-persist/system > {IDE}/idea.properties; ws-boot jetbrains'",
        "jetbrains.system-lasts",
        _AGAIN,
        status="warning",
        cause=f"sed -i /idea.system.path/d {IDE}/idea.properties",
        after=f"rm -r {IDE}",
    ),
    Row(
        "jetbrains.files",
        "the caches of all are on the volume",
        "sudo -iu coder home-persist add .cache/JetBrains/",
        "jetbrains.cache-lasts",
        "home-persist remove .cache/JetBrains/",
        status="warning",
        after="rm -rf /home/coder/.cache/JetBrains",
    ),
    Row(
        "jetbrains.files",
        "the directory of caches is gone",
        "rm -r /tmp/jetbrains",
        "jetbrains.settings-missing",
        _AGAIN,
        status="warning",
    ),
    Row(
        "jetbrains.locks",
        "another workspace runs the same IDE",
        _with_another_number,
        "jetbrains.lock-shared",
        "-ada/doctor-jetbrains-other",
        status="warning",
        after=f"rm -r {IDE}",
    ),
    Row(
        "jetbrains.locks",
        "another workspace runs the same IDE, and its process has a number that is ours, too",
        _with_a_number_of_ours,
        "jetbrains.lock-shared",
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
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)


def test_an_ide_of_this_workspace_is_no_other_s(space: Workspace) -> None:
    _other[0].runs_an_ide("4711")
    space.out(
        f"(exec -a java sleep 600 & ) ; exec -a 'java -Didea.paths.selector=GoLand2025.1' sleep 600 &"
        f" echo $! > {IDE}/.lock"
    )
    report = look(space, "--only", "jetbrains.locks")
    assert [item["status"] for item in report["checks"]] == ["ok"], "another workspace runs, but no IDE"


def test_an_ide_that_crashed_here_is_not_another_workspace_s(space: Workspace) -> None:
    _other[0].runs_an_ide("4711")
    system = "/tmp/jetbrains/system/GoLand2025.1"
    space.out(f"mkdir -p {system}; touch {system}/.port; echo 999999 > {IDE}/.lock")
    assert codes(look(space, "--only", "jetbrains.locks")) == set()
    space.out(f"rm -r {system} {IDE}")


def test_an_ide_that_was_started_before_this_workspace_is_found(space: Workspace) -> None:
    _other[0].runs_an_ide("4711")
    space.remove()
    space.boot()
    assert codes(look(space, "--only", "jetbrains.locks")) == {"jetbrains.lock-shared"}
    space.out(f"rm -r {IDE}")


def test_options_without_tools_are_options_that_say_nothing(space: Workspace) -> None:
    space.out(f"rm -f {ENVIRONMENT}*")  # what earlier tests had set aside
    space.out(f'echo \'{{"tools": null, "other": 1}}\' > {ENVIRONMENT}; ws-boot jetbrains')
    document = json.loads(space.out(f"cat {ENVIRONMENT}"))
    assert document["other"] == 1
    assert document["tools"]["allowUpdate"] is False
    assert space.out(f"ls {ENVIRONMENT}*") == ENVIRONMENT, "nothing was set aside"
    assert codes(look(space, "--only", "jetbrains.files")) == set()


def test_a_link_to_dotfiles_is_left_to_the_dotfiles(space: Workspace) -> None:
    space.out(f"ln -sf ~/dotfiles/environment.json {ENVIRONMENT}; ws-boot jetbrains")
    assert space.sh("test -e ~/dotfiles").returncode != 0, "a clone into it would fail"
    space.out("mkdir ~/dotfiles; echo '{}' > ~/dotfiles/environment.json; ws-boot jetbrains")
    assert json.loads(space.out("cat ~/dotfiles/environment.json"))["tools"]["allowUpdate"] is False
    space.out(f"rm -r ~/dotfiles {ENVIRONMENT}; ws-boot jetbrains")
