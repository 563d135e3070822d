"""`ws-doctor bundle` in a real workspace: it has what a supporter needs, and no secret of its logs."""

import base64
import tarfile
from collections.abc import Iterator
from io import BytesIO

import pytest

from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.secrets import ALL
from tests.harness.waits import AGENT_RUNS, LOGGED

pytestmark = pytest.mark.docker

_SHOWN = "\n\n".join(secret.shown for secret in ALL)
_EXPECTED = {
    "report.txt": "checks in",
    "versions.txt": "coder-ws-runtime",
    "container.txt": "Config.Image: ",
    "docker-engine.txt": "ServerVersion: ",
    "docker-client.txt": "unix:///var/run/docker.sock",
    "docker-socket.txt": "/run/docker.sock",
    "id.txt": "uid=1000(coder)",
    "disk.txt": "IUse%",
    "network.txt": "default via",
    "resolver.txt": "nameserver ",
    "memory.txt": "MemAvailable",
    "mounts.txt": "/mnt/home-persist  ",
    "home-persist-status.txt": "~/.claude/",
    "attic.txt": "attic",
    "jetbrains.txt": "idea.system.path=",
    "environment-of-the-agent.txt": "CODER_AGENT_TOKEN=[redacted]",
    "agent/coder-agent.log": "[redacted]",
    "journal/ws-docker-proxy.log": "the proxy speaks",
    "journal/warnings-of-the-boot.log": "a warning of the boot",
    "journal/coder-agent.log": "agent stand-in",
    "journal/ws-hooks.log": "ws-boot",
    "units.txt": "coder-agent.service",
}


@pytest.fixture(scope="module")
def texts(spaces: Spaces) -> Iterator[dict[str, str]]:
    """The files of a bundle of a workspace whose logs, units and variables are full of secrets."""
    space = spaces.new("doctor-bundle", owner="bundle").boot()
    _plant(space)
    words = {f"SOME_{number}": secret.parts[0] for number, secret in enumerate(ALL)}
    done = space.exec("ws-doctor", "bundle", "-o", "/tmp/bundle.tar.gz", env=words)
    assert done.returncode == 0, done.stderr
    encoded = space.out("base64 -w0 /tmp/bundle.tar.gz")
    with tarfile.open(fileobj=BytesIO(base64.b64decode(encoded))) as archive:
        files = {item.name.partition("/")[2]: archive.extractfile(item) for item in archive.getmembers()}
        yield {name: file.read().decode() for name, file in files.items() if file}
    space.remove()


def _plant(space: Workspace) -> None:
    for file in ("/tmp/coder-agent.log", "/tmp/coder-startup-script.log", "/var/log/coder-ws/hooks/some.log"):
        space.exec("tee", file, stdin=_SHOWN.encode(), user="root")
    space.exec("systemd-cat", "--identifier=ws", stdin=_SHOWN.encode(), user="root")
    space.exec("tee", "/run/planted", stdin=b"the proxy speaks\n" + _SHOWN.encode(), user="root")
    for unit in ("coder-agent", "ws-docker-proxy"):
        directory = f"/run/systemd/system/{unit}.service.d"
        space.out(f"mkdir -p {directory}", user="root")
        lines = b"[Service]\nExecStartPre=/bin/cat /run/planted\n"
        space.exec("tee", f"{directory}/planted.conf", stdin=lines, user="root")
    space.out("systemctl daemon-reload; systemctl restart coder-agent", user="root")
    # Nothing needs it here; its output is what is wanted.
    space.sh("systemctl start ws-docker-proxy.service", user="root")
    space.out("logger --priority user.warning --tag boot 'a warning of the boot'", user="root")
    space.out(f"{AGENT_RUNS}; {LOGGED}", user="root")


@pytest.mark.parametrize("name", _EXPECTED)
def test_it_has_what_a_supporter_needs(name: str, texts: dict[str, str]) -> None:
    assert _EXPECTED[name] in texts[name]


def test_none_of_the_planted_secrets_is_in_it(texts: dict[str, str]) -> None:
    parts = {part: secret.kind for secret in ALL for part in secret.parts if len(part) >= 10}
    leaks = [(name, kind) for name, text in texts.items() for part, kind in parts.items() if part in text]
    assert leaks == []


def test_what_is_not_secret_is_still_there(texts: dict[str, str]) -> None:
    """The planted logs are replaced where they say secrets, not left out as a whole."""
    for name in ("agent/coder-agent.log", "journal/coder-agent.log", "hooks/some.log"):
        assert texts[name].count("using ") > 40, name
        assert "CREATE USER ada IDENTIFIED BY" in texts[name]
