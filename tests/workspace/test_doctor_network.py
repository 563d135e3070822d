"""ws-doctor, category network: names, Coder's server, clocks, web-shell; broken and fixed as printed."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devtools.images import tag
from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.harness.coder_server import NAME, CoderServer
from tests.harness.doctor import Row, Template, prove

pytestmark = pytest.mark.docker

_WEB_SHELL = """#!/usr/bin/env python3
# A stand-in for the web-shell of images that have it.
import http.server, json
class Sessions(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/api/sessions" else 404)
        self.end_headers()
        self.wfile.write(json.dumps([]).encode())
http.server.ThreadingHTTPServer(("127.0.0.1", 4000), Sessions).serve_forever()
"""
# The file is a mount of the engine's: it cannot be replaced, as sed -i does.
_FORGET = "sed '/{}/d' /etc/hosts > /run/hosts; cat /run/hosts > /etc/hosts"
_MUTE = (
    'systemd-run --quiet --unit=mute python3 -c "import socket, time;'
    " mute = socket.socket(type=socket.SOCK_DGRAM); mute.bind(('127.0.0.53', 53)); time.sleep(600)\";"
    " echo nameserver 127.0.0.53 > /etc/resolv.conf"
)

_servers: dict[str, CoderServer] = {}
_certificates: list[Path] = []


def _server(do: Callable[[CoderServer], object]) -> Callable[[Workspace], None]:
    def act(_: Workspace) -> None:
        do(_servers["http"])

    return act


def _answers(status: int = 200, ahead: float = 0.0) -> Callable[[Workspace], None]:
    def change(_: Workspace) -> None:
        _servers["http"].status, _servers["http"].ahead = status, ahead

    return change


def _other_authority(space: Workspace) -> None:
    _servers["https"].owns(space)


def _trust(space: Workspace) -> None:
    space.exec(
        "sh",
        "-c",
        "cat > /usr/local/share/ca-certificates/authority.crt",
        user="root",
        stdin=_certificates[0].read_bytes(),
    )


def _no_host(space: Workspace) -> None:
    space.attributes["host"] = [item for item in space.attributes["host"] if item["host"] == NAME]


ROWS = [
    Row(
        "network.dns",
        "the name of Coder's server is not known",
        _FORGET.format(NAME),
        "network.name-unknown",
        "coder restart",
    ),
    Row(
        "network.dns",
        "the name server does not answer",
        f"{_FORGET.format(NAME)}; {_MUTE}",
        "network.resolver-dead",
        "which takes over the host's name servers",
    ),
    Row(
        "network.host",
        "the template does not name the host",
        Template(_no_host),
        "network.host-unknown",
        'host = "host.docker.internal", ip = "host-gateway"',
        status="warning",
    ),
    Row(
        "network.coder",
        "the server is down",
        _server(CoderServer.stop),
        "network.coder-unreachable",
        "/healthz",
        cause=_server(CoderServer.start),
    ),
    Row(
        "network.coder",
        "a proxy answers in its place",
        _answers(status=502),
        "network.coder-other-server",
        "find out what answers: a proxy, another server, or a faulty Coder",
        status="warning",
        cause=_answers(),
    ),
    Row(
        "network.clock",
        "the clock goes wrong",
        _answers(ahead=3600),
        "network.clock-skewed",
        "timedatectl set-ntp true",
        status="warning",
        cause=_answers(),
    ),
    Row(
        "network.web-shell",
        "it hangs",
        "systemctl kill --signal=SIGSTOP web-shell",
        "network.web-shell-silent",
        "sudo systemctl restart web-shell",
    ),
    # The last one: what it boots stays with the server that speaks TLS.
    Row(
        "network.coder",
        "its certificate is of an authority that is not known",
        Template(_other_authority),
        "network.coder-untrusted",
        "sudo update-ca-certificates",
        cause=_trust,
    ),
]


def _certificate(directory: Path) -> Path:
    """Key and certificate in one file, as servers take them; the certificate alone is in another."""
    key, public = directory / "key.pem", directory / "authority.crt"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    words += ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    subprocess.run([*words, "-keyout", key, "-out", public, "-days", "2"], check=True, capture_output=True)
    _certificates.append(public)
    both = directory / "both.pem"
    both.write_bytes(key.read_bytes() + public.read_bytes())
    return both


@pytest.fixture(scope="module")
def space(spaces: Spaces, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    _servers["http"] = CoderServer(spaces.engine)
    _servers["https"] = CoderServer(spaces.engine, _certificate(tmp_path_factory.mktemp("tls")))
    made = spaces.new("doctor-network")
    _servers["http"].owns(made)
    image = ["run", "--rm", "--entrypoint", "test", tag("base"), "-e", "/usr/local/bin/web-shell"]
    if spaces.engine.docker(*image, check=False).returncode != 0:
        made.upload("/usr/local/bin/web-shell", _WEB_SHELL, mode=0o755)
    yield made.boot()
    for server in _servers.values():
        server.stop()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.check}: {row.broken}")
def test_what_is_broken_is_found_and_fixed_as_printed(row: Row, space: Workspace) -> None:
    prove(row, space)
