"""Checks of the network: names, the host, Coder's server, the clock, web-shell."""

import json
import os
import queue
import re
import socket
import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.checks.agent import agent_url
from coder_ws_runtime.doctor.context import Context, text
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Remedy, Verdict, Where, failure, found, ok, skipped, warning
from coder_ws_runtime.doctor.systemd import Unit
from coder_ws_runtime.doctor.template import by_template, in_pod

_HOST = "host.docker.internal"
_RESOLVE_SECONDS = 4.0
_SKEW = 60.0
"""Seconds between two clocks from which on tokens and certificates begin to be refused."""
_WEB_SHELL = "http://127.0.0.1:4000/api/sessions"

# Exit statuses of curl(1).
_CURL = {
    5: "the proxy's name is not known",
    6: "its name is not known",
    7: "nobody listens there",
    28: "it does not answer in time",
    35: "the TLS connection fails",
    51: "its certificate is for another name",
    52: "it hangs up without an answer",
    60: "its certificate is not trusted here",
}
_UNTRUSTED = 60


def _url(context: Context) -> str:
    """Coder's URL, as the agent knows it or else as the template says it."""
    return (context.ask(agent_url) or context.settings.workspace.access_url).rstrip("/")


def _resolves(name: str) -> str:
    """An address of `name`, empty if there is none.

    A name server that does not answer is given up long before resolv.conf(5) would.
    """
    answer: queue.SimpleQueue[str] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(str(socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)[0][4][0]))
        except (OSError, UnicodeError):
            answer.put("")

    threading.Thread(target=ask, daemon=True).start()
    try:
        return answer.get(timeout=_RESOLVE_SECONDS)
    except queue.Empty:
        return ""


@check("network.dns", "names", needs=[Need.LIVE])
def dns(context: Context) -> Verdict:
    """The name of Coder's server has an address."""
    name = urlsplit(context.ask(_url)).hostname
    if not name:
        return skipped("Coder's URL is not known")
    if name == _HOST:
        return skipped("Coder's server is on the host; see network.host")
    address = context.ask(_coder_address)
    if address:
        return ok(f"{name} is {address}")
    servers = [
        line for line in text(context.layout.resolv_conf).splitlines() if line.startswith("nameserver")
    ]
    remedy = Remedy(
        by_template(
            context,
            "restart the workspace, which takes the host's name servers again; if the host itself does not"
            ' know the name either, set "dns" in its /etc/docker/daemon.json',
            "restart the workspace, which takes the cluster's name servers again; if other pods do not know"
            " the name either, look at the cluster's DNS",
        ),
        (context.restart(),),
        Where.CLIENT,
    )
    evidence = [f"{context.layout.resolv_conf}: {', '.join(servers) or 'no nameserver'}"]
    return found(
        [failure(f"the name of Coder's server, {name}, has no address", remedy, evidence=evidence)], ""
    )


def _coder_address(context: Context) -> str:
    return _resolves(urlsplit(context.ask(_url)).hostname or "")


@check("network.host", "the name of the Docker host", needs=[Need.LIVE])
def host(context: Context) -> Verdict:
    """Programs reach the Docker host as host.docker.internal."""
    if in_pod(context):
        return skipped("there is no Docker host: the workspace is a pod")
    address = _resolves(_HOST)
    if address:
        return ok(f"{_HOST} is {address}")
    remedy = Remedy(
        f'the template\'s docker_container has a host block: host = "{_HOST}", ip = "host-gateway"; then'
        " restart the workspace",
        (context.restart(),),
        Where.CLIENT,
    )
    is_coder = urlsplit(context.ask(_url)).hostname == _HOST
    make = failure if is_coder else warning
    return found([make(f"{_HOST} has no address, so the Docker host cannot be reached by name", remedy)], "")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Coder's server said. `status` is 0 if it said nothing."""

    status: int
    date: str
    version: str
    exit_status: int
    complaint: str
    received: float


def _ask(context: Context) -> _Answer:
    # curl knows the proxies and certificates of the environment as the agent does, and is quick.
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
            "see who answers there: a proxy, another server, or Coder in trouble", (f"curl -v {url}/healthz",)
        )
        problem = f"what answers at {url} is not Coder: status {answer.status}"
        return found([warning(problem, remedy)], "")
    if answer.exit_status == _UNTRUSTED:
        remedy = Remedy(
            f"put the authority's certificate into {context.layout.share}/ca-certificates, or in the image",
            (context.as_root("update-ca-certificates"),),
        )
    else:
        remedy = Remedy(
            "look from the workspace and from the host whether it can be reached", (f"curl -v {url}/healthz",)
        )
    why = _CURL.get(answer.exit_status, "it cannot be reached")
    return found([failure(f"Coder's server {url}: {why}", remedy, evidence=[answer.complaint])], "")


@check("network.clock", "the clock", needs=[Need.LIVE], limit=15)
def clock(context: Context) -> Verdict:
    """The clock goes as Coder's server's does: certificates and tokens are valid for a time."""
    if not context.ask(_url):
        return skipped("Coder's URL is not known")
    if not context.ask(_coder_address) or not context.ask(_ask).date:
        return skipped("there is no answer of Coder's server to compare with")
    answer = context.ask(_ask)
    try:
        theirs = parsedate_to_datetime(answer.date).timestamp()
    except ValueError:
        return skipped(f"its date cannot be read: {answer.date!r}")
    skew = answer.received - theirs
    if abs(skew) < _SKEW:
        return ok("it goes as that of Coder's server")
    remedy = Remedy(
        "the host's clock is the workspace's: let the host keep time",
        ("timedatectl set-ntp true",),
        Where.HOST,
    )
    way = "ahead of" if skew > 0 else "behind"
    problem = f"the clock is {abs(skew):.0f} s {way} that of Coder's server"
    return found([warning(problem, remedy, evidence=[f"Date: {answer.date}"])], "")


@check("network.web-shell", "web-shell", needs=[Need.SYSTEMD, Need.UNITS])
def web_shell(context: Context) -> Verdict:
    """The terminals in the browser answer."""
    unit = context.ask(systemd.units).get(systemd.WEB_SHELL, Unit(systemd.WEB_SHELL, {}))
    if unit.left_out or not unit.there:
        return skipped("not a part of this image")
    if not unit.active:
        return skipped("its unit does not run; see system.units")
    command = ["curl", "--silent", "--show-error", "--fail", "--max-time", "3", "--output", os.devnull]
    # The unit counts as started some time before its program listens.
    patience = ["--retry", "4", "--retry-connrefused", "--retry-delay", "1", "--retry-max-time", "5"]
    done = context.run([*command, *patience, _WEB_SHELL], timeout=9)
    if done.ok:
        return ok("it answers")
    remedy = systemd.restart(context, systemd.WEB_SHELL, "start it again", safe=True)
    evidence = [done.complaint, *systemd.journal(context, unit)]
    return found([failure("web-shell runs and does not answer", remedy, evidence=evidence)], "")
