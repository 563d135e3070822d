"""Checks of the network: names, the host, Coder's server, the clock, web-shell."""

import errno
import json
import os
import queue
import re
import socket
import threading
import time

from coder_ws_runtime.boot.web_shell import HOST, PORT
from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.doctor import logs, remedies, systemd
from coder_ws_runtime.doctor.checks.agent import agent_url
from coder_ws_runtime.doctor.checks.name_lookup import loopback_down, problems
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Remedy, Verdict, Where, failure, found, ok, skipped, warning
from coder_ws_runtime.doctor.systemd import Unit
from coder_ws_runtime.doctor.template import by_template, in_pod
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.resolver import answering, nameservers

_HOST = "host.docker.internal"
_RESOLVE_SECONDS = 4.0
_RESOLVERS_SECONDS = 4.5
"""How many seconds the name servers may take, one after another, to answer at all."""
_SKEW = 60.0
"""From this difference on, in seconds, tokens and certificates begin to be refused."""
_STARTING = 30.0
"""How many seconds web-shell may take to listen after the start of its unit, on a busy host."""
_ANSWER_SECONDS = 6.0

_REFUSED = f"{HOST}:{PORT}: {os.strerror(errno.ECONNREFUSED)}"

# Exit statuses of curl(1).
_CURL = {
    5: "the proxy's name cannot be resolved",
    6: "its name cannot be resolved",
    7: "no server listens there",
    28: "it does not answer in time",
    35: "the TLS connection fails",
    51: "its certificate is for another name",
    52: "it closes the connection without an answer",
    60: "its certificate is not trusted here",
}
_UNTRUSTED = 60


def _url(context: Context) -> str:
    """Coder's URL, from the agent or else from the template."""
    return (context.ask(agent_url) or context.settings.workspace.access_url).rstrip("/")


def _server(context: Context) -> str:
    """The name of Coder's server, or its address; empty if unknown."""
    url = context.ask(_url)
    if not url:
        return ""
    from urllib.parse import urlsplit  # noqa: PLC0415 - slow to import

    return urlsplit(url).hostname or ""


def _resolves(name: str) -> str:
    """An address of `name`; empty if there is none.

    This gives up on a name server that does not answer long before resolv.conf(5) would.
    """
    answer: queue.SimpleQueue[str] = queue.SimpleQueue()

    def ask() -> None:
        try:
            # As bytes: for text, Python would load the codec for names in other scripts.
            asked = name.encode() if name.isascii() else name
            answer.put(str(socket.getaddrinfo(asked, None, type=socket.SOCK_STREAM)[0][4][0]))
        except (OSError, UnicodeError):
            answer.put("")

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answer.get(timeout=_RESOLVE_SECONDS)
    except queue.Empty:
        return ""


@check("network.dns", "names", needs=[Need.LIVE])
def dns(context: Context) -> Verdict:
    """A name server answers, programs ask it, and Coder's server and localhost have addresses."""
    unable = [*problems(context, _resolves)]
    if unable:
        return found(unable, "")
    name = context.ask(_server)
    address = context.ask(_coder_address) if name and name != _HOST and not _is_address(name) else ""
    if address:
        return ok(f"{name} is {address}")
    servers = nameservers(text_file.read(context.layout.resolv_conf))
    evidence = [f"{context.layout.resolv_conf}: {', '.join(servers) or 'no nameserver'}"]
    remedy = remedies.restart_workspace(
        context,
        by_template(
            context,
            "restart the workspace, which takes over the host's name servers; if the host itself cannot"
            ' resolve the name, set "dns" in its /etc/docker/daemon.json',
            "restart the workspace, which takes over the cluster's name servers; if other pods cannot"
            " resolve the name, check the cluster's DNS",
        ),
    )
    if not any(answering(server, _RESOLVERS_SECONDS / len(servers)) for server in servers):
        problem = "no name server answers, so no name can be resolved"
        return found([failure("network.resolver-dead", problem, remedy, evidence=evidence)], "")
    if not name or _is_address(name) or name == _HOST:
        return ok("a name server answers")
    problem = f"the name of Coder's server, {name}, has no address"
    return found([failure("network.name-unknown", problem, remedy, evidence=evidence)], "")


def _is_address(name: str) -> bool:
    import ipaddress  # noqa: PLC0415 - slow to import

    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _coder_address(context: Context) -> str:
    return _resolves(context.ask(_server))


@check("network.host", "the name of the Docker host", needs=[Need.LIVE])
def host(context: Context) -> Verdict:
    """Programs reach the Docker host as host.docker.internal."""
    if in_pod(context):
        return skipped("there is no Docker host: the workspace is a pod")
    address = _resolves(_HOST)
    if address:
        return ok(f"{_HOST} is {address}")
    remedy = remedies.change_template(
        context,
        f'the template\'s docker_container needs a host block: host = "{_HOST}", ip = "host-gateway"',
    )
    is_coder = context.ask(_server) == _HOST
    make = failure if is_coder else warning
    problem = f"{_HOST} cannot be resolved, so programs cannot reach the Docker host by name"
    return found([make("network.host-unknown", problem, remedy)], "")


@dataclass(frozen=True, slots=True)
class _Answer:
    """The answer of Coder's server. `status` is 0 if there was none."""

    status: int
    date: str
    version: str
    exit_status: int
    complaint: str
    received: float


def _ask(context: Context) -> _Answer:
    # curl uses the proxies and certificates of the environment as the agent does, and is quick.
    command = ["curl", "--silent", "--show-error", "--include", "--location", "--max-time", "4"]
    done = context.run([*command, f"{context.ask(_url)}/api/v2/buildinfo"], timeout=6)
    head, _, body = done.stdout.replace("\r", "").rpartition("\n\n")
    statuses = re.findall(r"^HTTP/\S+ (\d+)", head, re.MULTILINE)
    dates = re.findall(r"^date: (.+)$", head, re.MULTILINE | re.IGNORECASE)
    try:
        version = str(json.loads(body)["version"])
    except (ValueError, KeyError, TypeError):
        version = ""
    status = int(statuses[-1]) if statuses else 0
    return _Answer(status, dates[-1] if dates else "", version, done.status, done.complaint, time.time())


@check("network.coder", "Coder's server", needs=[Need.LIVE], limit=15)
def coder(context: Context) -> Verdict:
    """Coder's server can be reached at the URL that the agent uses."""
    url = context.ask(_url)
    if not url:
        return skipped("Coder's URL is not known")
    if not context.ask(_coder_address):
        return skipped("the name of Coder's server has no address; see network.dns and network.host")
    answer = context.ask(_ask)
    if answer.version:
        return ok(f"{url} answers, version {answer.version}")
    if answer.status:
        remedy = Remedy(
            "find out what answers: a proxy, another server, or a faulty Coder",
            (f"curl -v {url}/healthz",),
        )
        problem = f"the server at {url} is not Coder: status {answer.status}"
        return found([warning("network.coder-other-server", problem, remedy)], "")
    if answer.exit_status == _UNTRUSTED:
        remedy = Remedy(
            f"put the authority's certificate into {context.layout.share}/ca-certificates, or into the image",
            (context.as_root("update-ca-certificates"),),
        )
    else:
        remedy = Remedy(
            "test from the workspace and from the host whether it can be reached", (f"curl -v {url}/healthz",)
        )
    why = _CURL.get(answer.exit_status, "it cannot be reached")
    code = "network.coder-untrusted" if answer.exit_status == _UNTRUSTED else "network.coder-unreachable"
    problem = f"Coder's server {url}: {why}"
    return found([failure(code, problem, remedy, evidence=[answer.complaint])], "")


@check("network.clock", "the clock", needs=[Need.LIVE], limit=15)
def clock(context: Context) -> Verdict:
    """The clock agrees with that of Coder's server; otherwise certificates and tokens are refused."""
    if not context.ask(_url):
        return skipped("Coder's URL is not known")
    if not context.ask(_coder_address) or not context.ask(_ask).date:
        return skipped("Coder's server gave no answer to compare with")
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - slow to import

    answer = context.ask(_ask)
    try:
        theirs = parsedate_to_datetime(answer.date).timestamp()
    except ValueError:
        return skipped(f"its date cannot be read: {answer.date!r}")
    skew = answer.received - theirs
    if abs(skew) < _SKEW:
        return ok("it agrees with that of Coder's server")
    remedy = Remedy(
        "the workspace uses the host's clock: enable time synchronization on the host",
        ("sudo timedatectl set-ntp true",),
        Where.HOST,
    )
    way = "ahead of" if skew > 0 else "behind"
    problem = f"the clock is {abs(skew):.0f} s {way} that of Coder's server"
    return found([warning("network.clock-skewed", problem, remedy, evidence=[f"Date: {answer.date}"])], "")


@check("network.web-shell", "web-shell", needs=[Need.SYSTEMD, Need.UNITS], limit=20)
def web_shell(context: Context) -> Verdict:
    """The terminals in the browser answer."""
    unit = context.ask(systemd.units).get(systemd.WEB_SHELL, Unit(systemd.WEB_SHELL, {}))
    if unit.left_out or not unit.there:
        return skipped("not part of this image")
    if not unit.active:
        return skipped("its unit does not run; see system.units")
    down = loopback_down(context)
    if down:
        return found([down], "")
    complaint = _asked_web_shell()
    if not complaint:
        return ok("it answers")
    if complaint == _REFUSED and unit.age < _STARTING:
        return ok("it is starting")
    remedy = remedies.restart_unit(context, systemd.WEB_SHELL, "start it again", safe=True)
    evidence = [complaint, *logs.why(context, unit)]
    problem = "web-shell runs but does not answer"
    finding = failure("network.web-shell-silent", problem, remedy, evidence=evidence, about=unit.name)
    return found([finding], "")


def _asked_web_shell() -> str:
    """Why web-shell does not list its terminals; empty if it does.

    Not with curl: starting a process takes twenty times as long as the answer.
    """
    try:
        with socket.socket() as client:
            client.settimeout(_ANSWER_SECONDS)
            client.connect((HOST, int(PORT)))
            client.sendall(f"GET /api/sessions HTTP/1.0\r\nHost: {HOST}:{PORT}\r\n\r\n".encode())
            words = client.recv(4096).split(b"\r\n", 1)[0].split()
    except ConnectionRefusedError:
        return _REFUSED
    except OSError as error:
        return f"{HOST}:{PORT}: {error.strerror or error}"
    status = words[1].decode(errors="replace") if len(words) > 1 else "nothing"
    return "" if status == "200" else f"{HOST}:{PORT}: answers with {status}"
