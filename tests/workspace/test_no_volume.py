"""Each command where there is no volume, or a read-only one, in real workspaces."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.answers import ask

pytestmark = pytest.mark.docker

VOLUME = "/mnt/home-persist"
NONE, READ_ONLY = "volume.missing", "volume.read-only"


@dataclass(frozen=True)
class Row:
    """A command: its exit status and the only code in its answer, with no volume, and on a read-only one."""

    command: str
    none: tuple[int, str]
    read_only: tuple[int, str]


REFUSED = (3, NONE), (3, READ_ONLY)
WORKS = (0, ""), (0, "")
ONLY_LOOKS = (3, NONE), (0, "")
ROWS = [
    Row("home-persist resolve", *REFUSED),
    Row("home-persist-resolve", *REFUSED),
    Row("home-persist resolve --dry-run", *REFUSED),
    Row("home-persist add .x/", *REFUSED),
    Row("home-persist remove .x", *REFUSED),
    Row("home-persist enable git", *REFUSED),
    Row("home-persist disable git", *REFUSED),
    Row("home-persist attic restore .claude", *REFUSED),
    Row("home-persist attic prune --yes", *REFUSED),
    Row("home-persist migrate", *REFUSED),
    Row("home-persist gc --yes", *REFUSED),
    Row("home-persist status", *REFUSED),
    Row("home-persist status .claude", *REFUSED),
    Row("home-persist attic list", *ONLY_LOOKS),
    Row("home-persist attic prune", *ONLY_LOOKS),
    Row("home-persist migrate --list", *ONLY_LOOKS),
    Row("home-persist gc", *ONLY_LOOKS),
    Row("home-persist available", *WORKS),
    Row("home-persist validate", *WORKS),
    Row("ws-boot jetbrains", (3, "jetbrains.no-volume"), (3, "jetbrains.no-volume")),
    Row("ws-boot jetbrains list", *WORKS),
    Row("ws-boot jetbrains prune --keep 1", *WORKS),
    Row("ws-boot docker-group", *WORKS),
]
WATCH = "timeout 60 home-persist watch"
"""It has no document. A daemon that does not refuse would watch until it is stopped."""


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
    space, expected = (without, row.none) if kind == "none" else (read_only, row.read_only)
    answer = ask(space, row.command)
    assert (answer.status, answer.codes) == (expected[0], {expected[1]} - {""}), answer.document
    if expected[1]:
        assert answer.names(VOLUME), "where"
        plain = space.sh(row.command)
        assert plain.returncode == expected[0]
        assert re.search(f"^error: {VOLUME}: .*\nhint: ", plain.stderr, re.MULTILINE), plain.stderr


@pytest.mark.parametrize("kind", ["none", "read-only"])
def test_the_daemon_refuses(kind: str, without: Workspace, read_only: Workspace) -> None:
    space = without if kind == "none" else read_only
    done = space.sh(WATCH)
    assert (done.returncode, "Traceback" in done.stderr) == (3, False), done.stderr
    assert re.search(f"^error: {VOLUME}: .*\nhint: ", done.stderr, re.MULTILINE), done.stderr
    assert ("read-only" in done.stderr) == (kind == "read-only")


LOOKS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "home-persist status .claude": lambda found: found["paths"][0]["state"] == "only-in-home",
    "home-persist attic list": lambda found: found["items"] == [],
    "home-persist attic prune": lambda found: found["items"] == [],
    "home-persist migrate --list": lambda found: (
        "jetbrains-cache-to-ephemeral" in {step["id"] for step in found["migrations"]}
    ),
    "home-persist gc": lambda found: {one["verdict"] for one in found["workspaces"]} <= {"current"},
}
ALWAYS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "home-persist available": lambda found: [one["enabled"] for one in found["manifests"]] == [False] * 11,
    "home-persist validate": lambda found: {one["valid"] for one in found["sources"]} == {True},
    "ws-boot jetbrains list": lambda found: found["backends"] == [],
    "ws-boot jetbrains prune --keep 1": lambda found: found["backends"] == [],
    "ws-boot docker-group": lambda found: found["case"] in {"equal", "taken"},
}


@pytest.mark.parametrize("command", [*LOOKS, *ALWAYS])
def test_what_only_looks_shows_what_there_is(command: str, read_only: Workspace) -> None:
    document = ask(read_only, command).document
    assert {**LOOKS, **ALWAYS}[command](document), document


@pytest.mark.parametrize("command", ALWAYS)
def test_what_needs_no_volume_works_without_one(command: str, without: Workspace) -> None:
    document = ask(without, command).document
    assert ALWAYS[command](document), document


@pytest.mark.parametrize("kind", ["none", "read-only"])
def test_the_workspace_comes_up_with_what_the_image_has(
    kind: str, without: Workspace, read_only: Workspace
) -> None:
    space = without if kind == "none" else read_only
    assert space.out("systemctl is-active coder-agent") == "active"
    assert space.out("cat ~/.claude/image.txt") == "from the image"
    assert space.sh("systemctl is-failed home-persist-resolve").stdout.strip() == "failed"
