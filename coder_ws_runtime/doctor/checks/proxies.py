"""The check of proxies: a proxy that does not answer stops curl, git, npm, pip and the agent."""

import re
import shlex
import socket
from collections.abc import Iterator

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, ok
from coder_ws_runtime.system import text_file

_SECONDS = 2.0
_APT = r"\s*Acquire::https?::Proxy\s+\"([^\"]+)\""
_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks5": 1080, "socks5h": 1080}
_SETTINGS = (
    (".npmrc", "npm", r"\s*(?:https-|http-)?proxy\s*=\s*[\"']?([^\s\"']+)", "#"),
    (".config/pip/pip.conf", "pip", r"\s*proxy\s*=\s*(\S+)", "#"),
    (".curlrc", "curl", r"\s*(?:--?)?(?:proxy|x)[\s=:]+[\"']?([^\s\"']+)", "#"),
    (".wgetrc", "wget", r"\s*https?_proxy\s*=\s*(\S+)", "#"),
    ("/etc/apt/apt.conf", "apt", _APT, "//"),
    ("/etc/apt/apt.conf.d/*", "apt", _APT, "//"),
)
"""Files of programs with a proxy of their own: the path in the home, or of the system; the program; the line
with the proxy; and how a comment begins."""
_NONE = {"direct", "false", "null", "none"}
_DEFAULT_PORT = 1080
"""As curl(1) assumes for a proxy without one."""


@check("network.proxies", "proxies", needs=[Need.LIVE])
def proxies(context: Context) -> Verdict:
    """The proxies that the environment names answer; otherwise programs reach no server."""
    named: dict[str, list[str]] = {}
    for name in _VARIABLES:
        if context.env.get(name):
            named.setdefault(context.env[name], []).append(name)
    findings = [*_of_programs(context)]
    if not named and not findings:
        return ok("none is set")
    for url, names in named.items():
        why = deadness(url)
        if not why:
            continue
        from coder_ws_runtime.doctor.variables import take_out_all  # noqa: PLC0415 - rarely needed

        remedy, set_in = take_out_all(context, names, "connect without it")
        problem = f"programs reach no server: the proxy that {' and '.join(names)} set does not answer"
        findings.append(
            failure("network.proxy-dead", problem, remedy, evidence=[why, *set_in], about=names[0])
        )
    return found(findings, ", ".join(name for names in named.values() for name in names))


def _of_programs(context: Context) -> Iterator[Finding]:
    """Proxies in the settings of single programs."""
    for pattern, program, line, mark in _SETTINGS:
        by_root = pattern.startswith("/")
        top = context.layout.root if by_root else context.layout.home
        for file in top.glob(pattern.lstrip("/")):
            if file.parent.name == "apt.conf.d" and file.suffix not in {"", ".conf"}:
                continue  # apt does not read it; see apt.conf(5)
            dead: dict[int, str] = {}
            for number, text in enumerate(text_file.read(file).split("\n"), 1):
                named = re.match(line, text)
                why = deadness(named[1]) if named and named[1].lower() not in _NONE else ""
                dead |= {number: why} if why else {}
            if dead:
                script = shlex.quote(";".join(f"{number}s|^|{mark} |" for number in dead))
                command = f"sed -i --follow-symlinks {script} {shlex.quote(str(file))}"
                run = context.as_root if by_root else context.as_user
                problem = f"{program} reaches no server: the proxy in {file} does not answer"
                evidence = [f"{file}, line {number}: {why}" for number, why in dead.items()]
                remedy, about = Remedy("comment it out", (run(command),)), str(file)
                yield failure("network.proxy-dead", problem, remedy, evidence=evidence, about=about)


def deadness(url: str) -> str:
    """Why no proxy answers at a URL; empty if one does. The address without its password."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - slow to import; most have no proxy

    host = ""
    try:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        host = parts.hostname or ""
        port = parts.port or _PORTS.get(parts.scheme, _DEFAULT_PORT)
        socket.create_connection((host, port), timeout=_SECONDS).close()
    except OSError as error:
        return f"{host}: {error.strerror or error}"
    except ValueError:  # its text may have the password
        return f"{host}: not a URL of a proxy".removeprefix(": ")
    return ""
