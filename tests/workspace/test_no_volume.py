"""Each command where there is no volume, or a read-only one, in real workspaces."""

from dataclasses import dataclass

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces

pytestmark = pytest.mark.docker

VOLUME = "/mnt/home-persist"
NONE = f"error: {VOLUME}: the volume does not exist"
READ_ONLY = f"error: {VOLUME}: the volume is mounted read-only"
FOR_IDES = f"error: {VOLUME}: the volume for IDEs and their settings is not writable"


@dataclass(frozen=True)
class Row:
    """A command, and how it ends and what it says without a volume, and on a read-only one."""

    command: str
    none: tuple[int, str]
    read_only: tuple[int, str]


NOTHING = (3, NONE), (3, READ_ONLY)
ROWS = [
    Row("home-persist resolve", *NOTHING),
    Row("home-persist-resolve", *NOTHING),
    Row("home-persist resolve --dry-run", *NOTHING),
    Row("home-persist add .x/", *NOTHING),
    Row("home-persist remove .x", *NOTHING),
    Row("home-persist enable git", *NOTHING),
    Row("home-persist disable git", *NOTHING),
    Row("home-persist attic restore .claude", *NOTHING),
    Row("home-persist attic prune --yes", *NOTHING),
    Row("home-persist migrate", *NOTHING),
    Row("home-persist gc --yes", *NOTHING),
    Row("timeout 5 home-persist watch", *NOTHING),
    # What only looks.
    Row("home-persist status", (3, NONE), (3, "only in home")),
    Row("home-persist status .claude", (3, NONE), (3, READ_ONLY)),
    Row("home-persist status --json", (3, NONE), (3, '"code": "volume.read-only"')),
    Row("home-persist attic list", (3, NONE), (0, "the attic is empty")),
    Row("home-persist attic prune", (3, NONE), (0, "nothing to remove")),
    Row("home-persist migrate --list", (3, NONE), (0, "jetbrains-cache-to-ephemeral")),
    Row("home-persist gc", (3, NONE), (0, "nothing to remove")),
    Row("home-persist available", (0, "11 optional, 0 on"), (0, "11 optional, 0 on")),
    Row("home-persist validate", (0, "all valid"), (0, "all valid")),
    Row("home-persist schema", (0, "Manifest of home-persist"), (0, "Manifest of home-persist")),
    Row(
        "ws-boot jetbrains",
        (3, f"error: {VOLUME}: there is no volume for IDEs and their settings"),
        (3, FOR_IDES),
    ),
    Row("ws-boot jetbrains list", (0, "no IDE backends"), (0, "no IDE backends")),
    Row("ws-boot jetbrains prune --keep 1", (0, "no IDE backends"), (0, "no IDE backends")),
    Row("ws-boot docker-group", (0, "Docker socket"), (0, "Docker socket")),
]


def workspace(spaces: Spaces, name: str) -> Workspace:
    made = spaces.new(name, owner=name)
    made.upload("/home/coder/.claude/image.txt", "from the image\n", owner=1000)
    return made


@pytest.fixture(scope="module")
def without(spaces: Spaces) -> Workspace:
    made = workspace(spaces, "none")
    volumes = made.attributes["volumes"]
    made.attributes["volumes"] = [volume for volume in volumes if volume["container_path"] != VOLUME]
    return made.boot()


@pytest.fixture(scope="module")
def read_only(spaces: Spaces) -> Workspace:
    made = workspace(spaces, "readonly")
    for volume in made.attributes["volumes"]:
        if volume["container_path"] == VOLUME:
            volume["read_only"] = True
    return made.boot()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.command)
@pytest.mark.parametrize("kind", ["none", "read-only"])
def test_command(row: Row, kind: str, without: Workspace, read_only: Workspace) -> None:
    space, (status, says) = (without, row.none) if kind == "none" else (read_only, row.read_only)
    done = space.sh(row.command)
    said = done.stdout + done.stderr
    assert (done.returncode, "Traceback" in said) == (status, False), said
    assert says in said
    if says.startswith("error: "):
        assert "\nhint: " in said


@pytest.mark.parametrize("kind", ["none", "read-only"])
def test_the_workspace_comes_up_with_what_the_image_has(
    kind: str, without: Workspace, read_only: Workspace
) -> None:
    space = without if kind == "none" else read_only
    assert space.out("systemctl is-active coder-agent") == "active"
    assert space.out("cat ~/.claude/image.txt") == "from the image"
    assert space.sh("systemctl is-failed home-persist-resolve").stdout.strip() == "failed"
