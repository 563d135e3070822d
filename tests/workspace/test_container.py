"""A planned `docker_container` becomes exactly that container."""

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from devtools.container import UnknownAttributeError, create
from devtools.engine import Engine
from devtools.images import PREFIX, tag

pytestmark = pytest.mark.docker

PLANNED: dict[str, Any] = {
    "name": "",
    "image": "",
    "command": ["sleep", "infinity"],
    "hostname": "translated",
    "env": ["ONE=1", "TWO=a b"],
    "labels": [{"label": "coder.owner", "value": "ada"}],
    "host": [{"host": "somewhere.test", "ip": "192.0.2.7"}],
    "tmpfs": {"/scratch": "rw,nosuid,size=64k"},
    "volumes": [
        {"container_path": "/mnt/v", "volume_name": "", "host_path": "", "read_only": False},
        {"container_path": "/mnt/etc", "volume_name": "", "host_path": "/etc", "read_only": True},
    ],
    "ports": [
        {"internal": 80, "external": None, "ip": "127.0.0.1", "protocol": "tcp"},
        {"internal": 53, "external": None, "ip": "::1", "protocol": "udp"},
    ],
    "memory": 64,
    "cpus": "0.5",
    "restart": "unless-stopped",
    "stop_signal": "SIGRTMIN+3",
    "stop_timeout": 7,
    "destroy_grace_seconds": 30,
    "must_run": True,
    "privileged": None,
    "dns": None,
    "upload": [
        {"file": "/etc/one/plain", "content": "text", "content_base64": None, "executable": None},
        {"file": "/etc/one/run", "content": "#!/bin/sh", "executable": True},
        {"file": "/etc/two", "content_base64": base64.b64encode(b"\0\1").decode(), "permissions": "0600"},
    ],
}


@pytest.fixture(scope="module")
def made(engine: Engine) -> Iterator[dict[str, Any]]:
    """What Docker says of the container."""
    name = f"{PREFIX}-translated"
    volumes = [{**PLANNED["volumes"][0], "volume_name": name}, PLANNED["volumes"][1]]
    create(engine, {**PLANNED, "name": name, "image": tag("base"), "volumes": volumes})
    yield engine.inspect(name)
    engine.docker("rm", "-f", name)
    engine.docker("volume", "rm", name)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("Config.Hostname", "translated"),
        ("Config.Cmd", ["sleep", "infinity"]),
        ("Config.StopSignal", "SIGRTMIN+3"),
        ("Config.StopTimeout", 7),
        ("HostConfig.Memory", 64 * 1024 * 1024),
        ("HostConfig.NanoCpus", 500_000_000),
        ("HostConfig.RestartPolicy.Name", "unless-stopped"),
        ("HostConfig.ExtraHosts", ["somewhere.test:192.0.2.7"]),
        ("HostConfig.Tmpfs", {"/scratch": "rw,nosuid,size=64k"}),
        (
            "HostConfig.PortBindings",
            {
                "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}],
                "53/udp": [{"HostIp": "::1", "HostPort": ""}],
            },
        ),
        ("HostConfig.Privileged", False),
        ("State.Running", True),
    ],
)
def test_docker_says(made: dict[str, Any], place: str, expected: object) -> None:
    found: Any = made
    for key in place.split("."):
        found = found[key]
    assert found == expected


def test_environment_labels_and_volumes(made: dict[str, Any]) -> None:
    assert set(made["HostConfig"]["Binds"]) == {f"{PREFIX}-translated:/mnt/v", "/etc:/mnt/etc:ro"}
    assert {"ONE=1", "TWO=a b"} <= set(made["Config"]["Env"])
    assert made["Config"]["Labels"]["coder.owner"] == "ada"


def test_uploads_are_the_provider_s(engine: Engine, made: dict[str, Any]) -> None:
    """Root's, 0644, or 0744 if executable."""
    done = engine.docker(
        "exec", made["Id"], "stat", "-c", "%n %U %a %s", "/etc/one/plain", "/etc/one/run", "/etc/two"
    )
    assert done.stdout.splitlines() == [
        "/etc/one/plain root 644 4",
        "/etc/one/run root 744 9",
        "/etc/two root 600 2",
    ]


@pytest.mark.parametrize(
    ("attributes", "named"),
    [
        ({"userns_mode": "host"}, "userns_mode"),
        ({"volumes": [{"container_path": "/v", "from_container": "other"}]}, "volumes.from_container"),
        ({"upload": [{"file": "/x", "source": "/etc/passwd"}]}, "upload.source"),
        ({"upload": [{"file": "/x", "content": ""}]}, "upload of /x without content"),
    ],
    ids=["attribute", "block", "upload", "empty-upload"],
)
def test_what_has_no_translation_is_an_error(engine: Engine, attributes: dict[str, Any], named: str) -> None:
    name = f"{PREFIX}-untranslated"
    with pytest.raises(UnknownAttributeError, match=named):
        create(engine, {"name": name, "image": tag("base"), **attributes})
    assert engine.docker("inspect", name, check=False).returncode != 0, "and nothing is made"
