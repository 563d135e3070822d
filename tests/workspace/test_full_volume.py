"""A workspace boots on a full volume: it can be entered, says what is wrong, and room mends it."""

from collections.abc import Iterator

import pytest

from devtools import images
from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.answers import records
from tests.harness.doctor import codes, look

pytestmark = pytest.mark.docker

VOLUME = "/mnt/home-persist"
SIZE = 4 << 20
TEXT = "x" * SIZE


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Iterator[Workspace]:
    made = spaces.new("full", owner="full")
    made.settings["home_persist_paths"] = ["~/.big", "~/.fine/"]
    made.upload("/home/coder/.big", TEXT, owner=1000)
    docker, holder = made.engine.docker, f"{made.container}-holder"
    docker("rm", "-f", holder, check=False)
    docker("volume", "rm", "-f", made.home_volume, check=False)
    options = ["--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", f"o=size={SIZE}"]
    docker("volume", "create", *options, made.home_volume)
    # What is in memory is gone when no container has it.
    run = ["run", "-d", "--name", holder, "--entrypoint", "sleep", "-v", f"{made.home_volume}:/v"]
    docker(*run, images.tag("base"), "infinity")
    try:
        docker("exec", holder, "sh", "-c", "chown 1000:1000 /v; ! head -c 1G /dev/zero > /v/ballast")
        yield made.boot()
    finally:
        docker("rm", "-f", holder)


def test_it_boots_and_says_what_is_wrong(space: Workspace) -> None:
    assert space.out("systemctl is-active coder-agent home-persist-watch") == "active\nactive"
    assert space.sh("systemctl is-failed home-persist-resolve").stdout.strip() == "failed"
    refused = records(space, "home-persist-resolve", code="path.no-space")
    assert "~/.big" in {record["CODER_WS_PLACE"] for record in refused}
    assert space.out("stat -c '%F %s' ~/.big; readlink ~/.fine") == f"regular file {SIZE}\n{VOLUME}/.fine"
    report = look(space, "--only", "disk.volume,home.links")
    assert codes(report) == {"disk.volume-full"}
    assert {item["id"]: item["cause"] for item in report["checks"]}["home.links"] == "disk.volume-full"


def test_when_there_is_room_the_next_resolve_finishes(space: Workspace) -> None:
    space.out(f"rm {VOLUME}/ballast; mount -o remount,size={64 * SIZE} {VOLUME}", user="root")
    space.out("home-persist resolve")  # unless the daemon was quicker
    assert space.out(f"readlink ~/.big; wc -c < {VOLUME}/.big") == f"{VOLUME}/.big\n{SIZE}"
    assert space.sh("ws-doctor --only disk.volume,home.links").returncode == 0
