"""How the workspace's own Docker engine is started."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from coder_ws_runtime import settings
from coder_ws_runtime.boot.docker_engine import command, network_mtu, own_cgroup
from coder_ws_runtime.cli.ws_boot.main import command as ws_boot
from coder_ws_runtime.errors import UsageError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.settings import Docker, Engine

LAYOUT = Layout.of()
ROUTES = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100F40A\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth1\t0000F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
"""
POD = "/kubepods/pod1/abc/system.slice/ws-docker-engine.service"


def options(docker: Docker, *, cgroup: str = "", unified: bool = False, mtu: int = 0) -> list[str]:
    words = command(LAYOUT, docker, cgroup=cgroup, unified=unified, network_mtu=mtu)
    assert words[:2] == ["/usr/sbin/dockerd", "--host=fd://"]
    return words


def value(words: list[str], name: str) -> list[str]:
    return [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]


@pytest.mark.parametrize(
    ("cgroup", "unified", "parent"),
    [
        (f"{POD}/engine", True, [f"{POD}/containers"]),
        (
            "/system.slice/ws-docker-engine.service/engine",
            True,
            ["/system.slice/ws-docker-engine.service/containers"],
        ),
        # Version 1: each controller's mount is the workspace's own already.
        (f"{POD}/engine", False, []),
        # By hand, or by a systemd that knows no DelegateSubgroup=: a group with processes cannot have others.
        (POD, True, []),
        ("", True, []),
    ],
)
def test_containers_stay_in_the_workspace_s_control_group(
    cgroup: str, *, unified: bool, parent: list[str]
) -> None:
    assert value(options(Docker(), cgroup=cgroup, unified=unified), "--cgroup-parent") == parent


def test_the_mtu_is_the_network_s_unless_it_is_set() -> None:
    assert value(options(Docker()), "--mtu") == []
    assert value(options(Docker(), mtu=1410), "--mtu") == ["1410"]
    words = options(Docker(mtu=1300), mtu=1410)
    assert value(words, "--mtu") == ["1300"]
    # The networks of `docker compose` are others than the default bridge.
    assert value(words, "--default-network-opt") == ["bridge=com.docker.network.driver.mtu=1300"]


def test_address_pools() -> None:
    words = options(Docker(address_pools=("10.200.0.0/16", "192.168.128.0/17")))
    assert value(words, "--default-address-pool") == [
        "base=10.200.0.0/16,size=24",
        "base=192.168.128.0/17,size=24",
    ]


def test_own_cgroup() -> None:
    assert own_cgroup("0::/a/b\n") == "/a/b"
    assert own_cgroup("5:memory:/x\n0::/y\n") == "/y"
    assert own_cgroup("5:memory:/x\n") == ""


def interfaces(place: Path, **mtus: str) -> Path:
    for name, mtu in mtus.items():
        (place / name).mkdir(parents=True)
        (place / name / "mtu").write_text(mtu)
    return place


@pytest.mark.parametrize(
    ("routes", "expected"),
    [(ROUTES, 1450), ("", 1400), ("Iface\n", 1400), ("garbage\nmore garbage\n", 1400)],
    ids=["default route", "no table", "no routes", "no table that we know"],
)
def test_network_mtu(tmp_path: Path, routes: str, expected: int) -> None:
    place = interfaces(tmp_path, lo="65536\n", eth0="1450\n", eth1="1400\n", docker0="1300\n", veth1="1200\n")
    assert network_mtu(routes, place) == expected


def test_network_mtu_that_cannot_be_told(tmp_path: Path) -> None:
    assert network_mtu(ROUTES, tmp_path / "nowhere") == 0
    assert network_mtu(ROUTES, interfaces(tmp_path, eth0="what\n")) == 0


def written(root: Path, document: object) -> Layout:
    layout = Layout.of(root)
    layout.settings_file.parent.mkdir(parents=True)
    layout.settings_file.write_text(json.dumps(document))
    return layout


def test_the_settings(tmp_path: Path) -> None:
    assert settings.load(Layout.of(tmp_path / "none")).engine is Engine.HOST_SOCKET
    docker = {"mtu": 1400, "address_pools": ["10.200.0.0/16"]}
    found = settings.load(written(tmp_path, {"engine": "own", "docker": docker}))
    assert found.engine is Engine.OWN
    assert found.docker == Docker(1400, ("10.200.0.0/16",))


@pytest.mark.parametrize(
    "document",
    [{"engine": "podman"}, {"docker": {"mtu": -1}}, {"docker": {"address_pools": "10.0.0.0/8"}}],
    ids=str,
)
def test_bad_settings_are_refused_and_their_defaults_count(tmp_path: Path, document: object) -> None:
    found = settings.load(written(tmp_path, document))
    assert [error.code for error in found.refused] == ["settings.invalid"]
    assert (found.engine, found.docker) == (Engine.HOST_SOCKET, Docker())


@pytest.mark.parametrize("engine", ["host-socket", "none"])
def test_an_engine_that_is_not_the_workspace_s_is_not_started(tmp_path: Path, engine: str) -> None:
    written(tmp_path, {"engine": engine})
    done = CliRunner().invoke(ws_boot, ["docker-engine", "--root", str(tmp_path)])
    assert isinstance(done.exception, UsageError)
    assert done.exception.code == "docker-engine.not-own"


def test_a_dry_run_prints_the_command(tmp_path: Path) -> None:
    written(tmp_path, {"engine": "own", "docker": {"mtu": 1400}})
    done = CliRunner().invoke(ws_boot, ["docker-engine", "--root", str(tmp_path), "--dry-run"])
    assert done.exception is None
    assert done.output.startswith(f"{tmp_path}/usr/sbin/dockerd --host=fd:// ")
    assert "--mtu=1400" in done.output
