"""The check of proxies: a proxy that does not answer stops curl, git, npm, pip and the agent."""

import socket

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Verdict, failure, found, ok

_SECONDS = 2.0
_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks5": 1080, "socks5h": 1080}
_DEFAULT_PORT = 1080
"""As curl(1) assumes for a proxy without one."""


@check("network.proxies", "proxies", needs=[Need.LIVE])
def proxies(context: Context) -> Verdict:
    """The proxies that the environment names answer; otherwise programs reach no server."""
    named: dict[str, list[str]] = {}
    for name in _VARIABLES:
        if context.env.get(name):
            named.setdefault(context.env[name], []).append(name)
    if not named:
        return ok("none is set")
    findings = []
    for url, names in named.items():
        why = _deadness(url)
        if not why:
            continue
        from coder_ws_runtime.doctor.variables import take_out_all  # noqa: PLC0415 - rarely needed

        remedy, set_in = take_out_all(context, names, "connect without it")
        problem = f"programs reach no server: the proxy that {' and '.join(names)} set does not answer"
        findings.append(
            failure("network.proxy-dead", problem, remedy, evidence=[why, *set_in], about=names[0])
        )
    return found(findings, ", ".join(name for names in named.values() for name in names))


def _deadness(url: str) -> str:
    """Why no proxy answers at a URL; empty if one does. The address without its password."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - slow to import; most have no proxy

    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        host = parts.hostname or ""
        port = parts.port or _PORTS.get(parts.scheme, _DEFAULT_PORT)
        socket.create_connection((host, port), timeout=_SECONDS).close()
    except OSError as error:
        return f"{parts.hostname}: {error.strerror or error}"
    except ValueError as error:
        return f"{parts.hostname}: {error}"
    return ""
