"""Checks of Docker: the client, the socket, the groups, the server."""

from __future__ import annotations

import os

from coder_ws_runtime.boot.docker_group.observation import Observed
from coder_ws_runtime.boot.docker_group.observe import observe
from coder_ws_runtime.boot.docker_group.plan import GROUP, Case, Plan, plan
from coder_ws_runtime.doctor import logs, remedies, systemd
from coder_ws_runtime.doctor.context import Context, account
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import (
    Finding,
    Remedy,
    Verdict,
    Where,
    failure,
    found,
    ok,
    skipped,
)
from coder_ws_runtime.doctor.systemd import Unit
from coder_ws_runtime.doctor.user_files import renamed
from coder_ws_runtime.doctor.versions import ask_version
from coder_ws_runtime.layout import DEFAULT_USER
from coder_ws_runtime.settings import Engine
from coder_ws_runtime.system import docker_api
from coder_ws_runtime.system.docker_api import DockerApiError, NoAnswerError
from coder_ws_runtime.system.process import find_program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_PLUGINS = {"docker-buildx": "docker build", "docker-compose": "docker compose"}
_PLUGIN_SECONDS = 4.0
_OLDEST_API = (1, 24)
"""The oldest API version that the image's client still supports (its own minimum)."""


def _seen(context: Context) -> Observed:
    return observe(context.layout)


def _planned(context: Context) -> Plan:
    return plan(context.ask(_seen))


@check("docker.cli", "the Docker client", needs=[Need.LIVE])
def cli(context: Context) -> Verdict:
    """The client is on PATH and runs, and has what `docker build` and `docker compose` need."""
    remedy = remedies.restart_workspace(context, "restart the workspace: that restores the image's files")
    program = find_program("docker", context.env.get("PATH"))
    if not program:
        evidence = [f"PATH={context.env.get('PATH', '')}"]
        return found([failure("docker.cli-missing", "docker is not on PATH", remedy, evidence=evidence)], "")
    done = ask_version(context, program)
    if not done.ok:
        evidence = [f"{program}: {done.complaint}"]
        return found([failure("docker.cli-broken", "docker does not run", remedy, evidence=evidence)], "")
    findings = [item for plugin in _PLUGINS.items() if (item := _plugin_problem(context, *plugin, remedy))]
    return found(findings, done.stdout.strip().partition(",")[0])


def _plugin_problem(context: Context, name: str, command: str, restart: Remedy) -> Finding | None:
    """Why a plugin cannot be used. The client takes the first one that exists, even if it cannot be run."""
    where = [directory / name for directory in context.layout.docker_plugin_dirs]
    # Not Path.exists(), which raises an error where the user may not look.
    plugin = next((file for file in where if os.path.exists(file)), None)
    if plugin is None:
        evidence = [f"no {name} in {directory}" for directory in context.layout.docker_plugin_dirs]
        problem = f"{command} does not work: the plugin {name} is missing"
        return failure("docker.plugin-missing", problem, restart, evidence=evidence, about=name)
    users = plugin.is_relative_to(context.layout.home)
    why = "" if os.path.isfile(plugin) and os.access(plugin, os.X_OK) else "cannot be run"
    if users and not why:
        done = context.run([str(plugin), "docker-cli-plugin-metadata"], timeout=_PLUGIN_SECONDS)
        why = "" if done.ok else done.complaint
    if not why:
        return None
    aside = (context.as_user(renamed(plugin)),)
    remedy = Remedy("move it away: the image has its own", aside) if users else restart
    problem = f"{command} does not work: its plugin {plugin} does not run"
    return failure("docker.plugin-broken", problem, remedy, evidence=[f"{plugin}: {why}"], about=name)


@check("docker.socket", "the Docker socket", needs=[Need.LIVE])
def socket(context: Context) -> Verdict:
    """The host's socket is mounted, a daemon listens on it, and the user's group may open it."""
    if context.settings.engine is Engine.NONE:
        return skipped("the workspace has no Docker engine")
    seen, planned = context.ask(_seen), context.ask(_planned)
    if planned.actions and not planned.finding and not context.ask(systemd.steps_ran):
        return skipped(Need.BOOT.value)
    problem = _socket_problem(context, seen, planned)
    return found([problem], "") if problem else ok(planned.reason)


def _socket_problem(context: Context, seen: Observed, planned: Plan) -> Finding | None:
    path = str(context.layout.docker_socket)
    own = context.settings.engine is Engine.OWN
    if own and (planned.case is Case.ABSENT or planned.finding):
        return _engine_problem(context, planned)
    if planned.case is Case.ABSENT:
        remedy = remedies.change_template(
            context,
            "mount the host's socket: the template's docker_container has a volumes block for"
            " /var/run/docker.sock",
        )
        evidence = [f"{path}: no such file"]
        return failure("docker.socket-absent", "no Docker socket is mounted", remedy, evidence=evidence)
    evidence = [_describe(path, seen)]
    if planned.finding:
        code = f"docker.socket-{planned.finding.code.partition('.')[2]}"
        return failure(code, planned.finding.message, _beyond(context, planned), evidence=evidence)
    if planned.actions:
        what = ", ".join(action.describe() for action in planned.actions)
        remedy = _run_step(context, f"let the boot step {what}", planned.case)
        code = "docker.proxy-dead" if planned.case is Case.PROXY else "docker.socket-closed"
        problem = "the user cannot open the Docker socket"
        return failure(code, problem, remedy, evidence=[planned.reason, *evidence])
    return _behind_the_proxy(context, evidence) if planned.case is Case.PROXY else None


def _engine_problem(context: Context, planned: Plan) -> Finding:
    """No process listens on the socket of the workspace's own engine."""
    if context.live and not context.layout.dockerd.exists():
        remedy = Remedy(
            "use the image with an engine: its tag ends in -engine; or set the template's variable"
            " engine to none",
            where=Where.TEMPLATE,
        )
        evidence = [f"{context.layout.dockerd}: no such file"]
        problem = "this image has no Docker engine"
        return failure("docker.engine-not-installed", problem, remedy, evidence=evidence)
    text = "start the engine of this workspace again"
    remedy = remedies.start_again(context, text, systemd.ENGINE_SOCKET, systemd.DOCKER_ENGINE)
    engine = context.ask(systemd.units).get(systemd.DOCKER_ENGINE)
    evidence = [planned.reason, *(logs.why(context, engine) if engine else [])]
    problem = "the Docker engine of this workspace does not listen"
    return failure("docker.engine-silent", problem, remedy, evidence=evidence)


def _beyond(context: Context, planned: Plan) -> Remedy:
    """What to do outside of the workspace, as commands if possible."""
    assert planned.finding is not None  # noqa: S101 - the caller looked
    match planned.case, planned.finding.code:
        case Case.NO_SOCKET, _:
            text = (
                "Docker made this directory because there was no socket when the workspace started;"
                " remove it, and start the daemon, which creates the socket"
            )
            remove = "sudo rmdir /var/run/docker.sock"
            return remedies.change_host(context, text, remove, "sudo systemctl restart docker.socket docker")
        case ((Case.HIDDEN | Case.UNREACHABLE | Case.NO_USER), _):
            return remedies.change_template(context, planned.finding.hint)
        case _, "docker-group.silent":
            return _start_daemon(context)
        case _:
            return remedies.restart_workspace(context, planned.finding.hint)


def _start_daemon(context: Context) -> Remedy:
    text = "start the host's Docker daemon, which creates a new socket"
    return remedies.change_host(context, text, "sudo systemctl start docker")


def _run_step(context: Context, text: str, case: Case) -> Remedy:
    """Run the boot step again. It cannot start a proxy that is masked, or that systemd has given up."""
    needs = (systemd.PROXY, systemd.PROXY_SOCKET) if case is Case.PROXY else ()
    return remedies.start_again(context, text, systemd.DOCKER_GROUP, needs=needs)


def _behind_the_proxy(context: Context, evidence: list[str]) -> Finding | None:
    """What is wrong behind the proxy's socket, which always accepts connections."""
    try:
        server_version(context)
    except NoAnswerError as error:
        said = [f"through the proxy: the daemon {error}", *evidence]
    except (PermissionError, DockerApiError):
        return None
    else:
        return None
    unit = context.ask(systemd.answers).get(systemd.PROXY, Unit(systemd.PROXY, {}))
    if unit.masked or not unit.active or unit.restarts:
        remedy = _run_step(context, "start the proxy again", Case.PROXY)
        state = f"{unit.name}: {unit['LoadState']}, {unit['ActiveState']} ({unit['Result']})"
        problem = "the proxy in front of the Docker socket does not run"
        return failure(
            "docker.proxy-dead", problem, remedy, evidence=[*said, state, *logs.why(context, unit)]
        )
    problem = "no process answers on the Docker socket"
    return failure("docker.socket-silent", problem, _start_daemon(context), evidence=said)


def _describe(path: str, seen: Observed) -> str:
    if seen.socket is None:
        return f"{path}: {seen.sight.value}"
    there = seen.socket
    return f"{path}: mode {there.mode:04o}, uid {there.uid}, gid {there.gid}, link count {there.links}"


@check("docker.group", "this shell's groups", needs=[Need.LIVE, Need.SOCKET])
def group(context: Context) -> Verdict:
    """This shell has the group: it reads its groups at login, so an older shell does not have a new one."""
    planned = context.ask(_planned)
    user = context.ask(account)
    if planned.finding or planned.actions:
        return skipped("the group is not set up yet; see docker.socket")
    if planned.gid is None:
        return ok("no group is needed")
    findings = []
    holder = next((item.name for item in context.ask(_seen).groups if item.gid == planned.gid), GROUP)
    if user and context.uid == user.uid and planned.gid not in {os.getgid(), *os.getgroups()}:
        # Not newgrp(1): in its shell, docker would be the group of all new files.
        remedy = Remedy(
            "open a new terminal, or get the group in this one",
            (f'exec sudo -E -u {DEFAULT_USER} env PATH="$PATH" bash',),
        )
        problem = f"this shell was started before its user joined the group {holder}, and does not have it"
        evidence = [f"groups of this process: {' '.join(str(gid) for gid in sorted(os.getgroups()))}"]
        findings.append(failure("docker.group-shell", problem, remedy, evidence=evidence))
    agents = [item for item in planned.without_group if item.name == "coder"]
    if agents:
        remedy = Remedy(
            "start the agent again; that ends the terminals that it has opened",
            (context.as_root("systemctl restart coder-agent"),),
        )
        problem = f"the agent was started before the user joined the group {holder}, and so are new terminals"
        evidence = [f"PID {item.pid}" for item in agents]
        findings.append(failure("docker.group-agent", problem, remedy, evidence=evidence))
    return found(findings, f"this shell has the group {holder}")


def server_version(context: Context) -> dict[str, Any]:
    """The daemon's version. Raises like :func:`coder_ws_runtime.system.docker_api.get`.

    A daemon that does not answer is asked once: each check would wait as long again.
    """
    answer = context.ask(_server_answer)
    if isinstance(answer, Exception):
        raise answer
    return answer


def _server_answer(context: Context) -> dict[str, Any] | Exception:
    try:
        answer = docker_api.get(context.layout.docker_socket, "/version")
    except (PermissionError, DockerApiError) as error:
        return error
    return answer if isinstance(answer, dict) else {}


@check("docker.server", "the Docker daemon", needs=[Need.LIVE, Need.SOCKET])
def server(context: Context) -> Verdict:
    """The host's daemon answers, and supports an API version that our client uses."""
    try:
        version = server_version(context)
    except PermissionError:
        return skipped("we may not open the socket; see docker.socket and docker.group")
    except NoAnswerError as error:
        return found(
            [failure("docker.server-silent", f"the Docker daemon {error}", _look_at_daemon(context))], ""
        )
    except DockerApiError as error:
        return found(
            [failure("docker.server-error", f"the Docker daemon {error}", _look_at_daemon(context))], ""
        )
    if api_number(version) < _OLDEST_API:
        remedy = Remedy("use a newer Docker on the host", where=Where.HOST)
        problem = f"the Docker daemon {version.get('Version')} is too old for the client here"
        evidence = [f"API version {version.get('ApiVersion')}, needed: 1.24"]
        return found([failure("docker.server-too-old", problem, remedy, evidence=evidence)], "")
    return ok(f"version {version.get('Version')}, API version {version.get('ApiVersion')}")


def _look_at_daemon(context: Context) -> Remedy:
    if context.settings.engine is Engine.OWN:
        restart = context.as_root("systemctl restart ws-docker-engine")
        return Remedy("see its log, and start it again", ("journalctl -u ws-docker-engine -e", restart))
    commands = ("systemctl status docker", "journalctl -u docker -e")
    return Remedy("check the daemon on the host", commands, Where.HOST)


def api_number(version: dict[str, Any]) -> tuple[int, ...]:
    """The daemon's API version, e.g. (1, 45)."""
    parts = str(version.get("ApiVersion", "0")).split(".")
    return tuple(int(part) for part in parts if part.isdecimal())
