"""Checks of Docker: the client, the socket, the groups, the server, bind mounts."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from coder_ws_runtime.boot.docker_group.observe import Observed, Reach, observe
from coder_ws_runtime.boot.docker_group.plan import GROUP, Case, Plan, plan
from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.context import Context, account, text
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
    warning,
)
from coder_ws_runtime.settings import Engine
from coder_ws_runtime.system import docker_api
from coder_ws_runtime.system.docker_api import DockerApiError

_PLUGINS = {"docker-buildx": "docker build", "docker-compose": "docker compose"}
_OLDEST_API = (1, 24)
"""The oldest interface that the client of the image still speaks (its own minimum)."""
_SUBPATH_API = (1, 45)
"""The interface since which a part of a volume can be mounted (volume-subpath)."""


def _seen(context: Context) -> Observed:
    return observe(context.layout)


def _planned(context: Context) -> Plan:
    return plan(context.ask(_seen))


@check("docker.cli", "the Docker client", needs=[Need.LIVE])
def cli(context: Context) -> Verdict:
    """The client is on PATH and runs, and has what `docker build` and `docker compose` need."""
    remedy = Remedy(
        "restart the workspace: that takes the image's files again", (context.restart(),), Where.CLIENT
    )
    if not shutil.which("docker", path=context.env.get("PATH")):
        problem = "docker is not on PATH"
        return found([failure(problem, remedy, evidence=[f"PATH={context.env.get('PATH', '')}"])], "")
    done = context.run(["docker", "--version"], timeout=4)
    if not done.ok:
        return found([failure("docker does not run", remedy, evidence=[done.complaint])], "")
    findings = []
    for name, command in _PLUGINS.items():
        where = [directory / name for directory in context.layout.docker_plugin_dirs]
        plugin = next((file for file in where if os.access(file, os.X_OK) and file.is_file()), None)
        if plugin is None:
            evidence = [f"no {name} in {directory}" for directory in context.layout.docker_plugin_dirs]
            findings.append(
                failure(f"{command} does not work: the plugin {name} is missing", remedy, evidence=evidence)
            )
    return found(findings, done.stdout.strip().partition(",")[0])


@check("docker.socket", "the Docker socket", needs=[Need.LIVE])
def socket(context: Context) -> Verdict:
    """The host's socket is mounted, somebody listens at it, and the user's group may open it."""
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
        remedy = Remedy(
            "mount the host's socket: the template's docker_container has a volumes block for"
            " /var/run/docker.sock; then restart the workspace",
            (context.restart(),),
            Where.CLIENT,
        )
        return failure("no Docker socket is mounted", remedy, evidence=[f"{path}: no such file"])
    evidence = [_describe(path, seen)]
    if planned.finding:
        template = planned.case in {Case.HIDDEN, Case.UNREACHABLE, Case.NO_USER}
        where = Where.TEMPLATE if template else Where.CLIENT
        commands = () if template else (context.restart(),)
        return failure(
            planned.finding.message, Remedy(planned.finding.hint, commands, where), evidence=evidence
        )
    if planned.actions:
        what = ", ".join(action.describe() for action in planned.actions)
        commands = (context.as_root("systemctl restart ws-docker-group"),)
        problem = "the user cannot open the Docker socket"
        evidence = [planned.reason, *evidence]
        return failure(problem, Remedy(f"let the boot step {what}", commands, safe=True), evidence=evidence)
    return None


def _engine_problem(context: Context, planned: Plan) -> Finding:
    """Nobody listens where systemd should, for the workspace's own engine."""
    if context.live and not context.layout.dockerd.exists():
        remedy = Remedy(
            "use the stack's image with an engine: its tag ends in -engine; or set the template's variable"
            " engine to none",
            where=Where.TEMPLATE,
        )
        evidence = [f"{context.layout.dockerd}: no such file"]
        return failure("this image has no Docker engine", remedy, evidence=evidence)
    units = "ws-docker-engine.socket ws-docker-engine.service"
    remedy = Remedy(
        "start the engine of this workspace again",
        (context.as_root(f"systemctl reset-failed {units}"), context.as_root(f"systemctl restart {units}")),
        safe=True,
    )
    engine = context.ask(systemd.units).get(systemd.DOCKER_ENGINE)
    evidence = [planned.reason, *(systemd.journal(context, engine) if engine else [])]
    return failure("the Docker engine of this workspace does not listen", remedy, evidence=evidence)


def _describe(path: str, seen: Observed) -> str:
    if seen.socket is None:
        return f"{path}: {seen.sight.value}"
    there = seen.socket
    return f"{path}: mode {there.mode:04o}, uid {there.uid}, gid {there.gid}, link count {there.links}"


@check("docker.group", "this shell's groups", needs=[Need.LIVE, Need.SOCKET])
def group(context: Context) -> Verdict:
    """Groups are read at login: a shell that is older than its user's new group does not have it."""
    planned = context.ask(_planned)
    user = context.ask(account)
    if planned.finding or planned.actions:
        return skipped("the group is not settled yet; see docker.socket")
    if planned.gid is None:
        return ok("no group is needed")
    findings = []
    holder = next((item.name for item in context.ask(_seen).groups if item.gid == planned.gid), GROUP)
    if user and context.uid == user.uid and planned.gid not in {os.getgid(), *os.getgroups()}:
        remedy = Remedy("open a new terminal, or get the group in this one", (f"exec newgrp {holder}",))
        problem = f"this shell was started before its user joined the group {holder}, and does not have it"
        evidence = [f"groups of this process: {' '.join(str(gid) for gid in sorted(os.getgroups()))}"]
        findings.append(failure(problem, remedy, evidence=evidence))
    agents = [item for item in planned.laggards if item.name == "coder"]
    if agents:
        remedy = Remedy(
            "start the agent again; it ends the terminals that it has opened",
            (context.as_root("systemctl restart coder-agent"),),
        )
        problem = f"the agent was started before the user joined the group {holder}, and so are new terminals"
        findings.append(failure(problem, remedy, evidence=[f"PID {item.pid}" for item in agents]))
    return found(findings, f"this shell has the group {holder}")


def _version(context: Context) -> dict[str, Any]:
    answer = docker_api.get(context.layout.docker_socket, "/version")
    return answer if isinstance(answer, dict) else {}


@check("docker.server", "the Docker daemon", needs=[Need.LIVE, Need.SOCKET])
def server(context: Context) -> Verdict:
    """The host's daemon answers, and speaks a version of its interface that our client knows."""
    seen = context.ask(_seen)
    if seen.socket is None or seen.socket.reach is not Reach.ANSWERS:
        return skipped("nobody can be reached at the socket; see docker.socket and docker.group")
    try:
        version = context.ask(_version)
    except PermissionError:
        return skipped("the socket may not be opened; see docker.group")
    except DockerApiError as error:
        remedy = _look_at_daemon(context)
        return found([failure(f"the Docker daemon {error}", remedy)], "")
    if _number(version) < _OLDEST_API:
        remedy = Remedy("use a newer Docker on the host", where=Where.HOST)
        problem = f"the Docker daemon {version.get('Version')} is too old for the client here"
        evidence = [f"interface {version.get('ApiVersion')}, needed is 1.24"]
        return found([failure(problem, remedy, evidence=evidence)], "")
    return ok(f"version {version.get('Version')}, interface {version.get('ApiVersion')}")


def _look_at_daemon(context: Context) -> Remedy:
    if context.settings.engine is Engine.OWN:
        restart = context.as_root("systemctl restart ws-docker-engine")
        return Remedy("see what it says, and start it again", ("journalctl -u ws-docker-engine -e", restart))
    commands = ("systemctl status docker", "journalctl -u docker -e")
    return Remedy("look at the daemon on the host", commands, Where.HOST)


def _number(version: dict[str, Any]) -> tuple[int, ...]:
    parts = str(version.get("ApiVersion", "0")).split(".")
    return tuple(int(part) for part in parts if part.isdecimal())


@check("docker.bind-mounts", "bind mounts of other containers", needs=[Need.LIVE, Need.SOCKET])
def bind_mounts(context: Context) -> Verdict:
    """A bind mount names a path of the host: a path of the workspace is another directory there, or none."""
    if context.settings.engine is Engine.OWN:
        return ok("the engine is the workspace's own, and so are the paths of bind mounts")
    try:
        containers = docker_api.get(context.layout.docker_socket, "/containers/json")
        version = context.ask(_version)
    except (PermissionError, DockerApiError):
        return skipped("the Docker daemon does not answer; see docker.server")
    if not isinstance(containers, list):
        return skipped("the Docker daemon gives no list of containers; see docker.server")
    own = own_container(context.layout.proc)
    ours: dict[str, Any] = next((item for item in containers if item.get("Id") == own), {})
    findings = [
        _misled(context, other, source, ours, version)
        for other in containers
        if other.get("Id") != own
        for source in _workspace_paths(context, other)
    ]
    return found(findings, "no container has a path of the workspace in the place of one of the host")


def own_container(proc: Path) -> str:
    """The id of the container that we are in; empty if it cannot be seen.

    The engine mounts the container's own hostname file from a directory that is named by the id.
    """
    for line in text(proc / "self/mountinfo").splitlines():
        fields = line.split(" ")
        parts = fields[3].split("/") if len(fields) > 4 and fields[4] == "/etc/hostname" else []  # noqa: PLR2004
        if len(parts) > 2 and parts[-1] == "hostname":  # noqa: PLR2004 - …/containers/ID/hostname
            return parts[-2]
    return ""


def _workspace_paths(context: Context, container: dict[str, Any]) -> Iterator[str]:
    """The sources of its bind mounts that are directories of the workspace, too."""
    inside = [context.layout.home, context.layout.volume]
    for mount in container.get("Mounts", []):
        source = str(mount.get("Source", ""))
        below = any(Path(source).is_relative_to(directory) for directory in inside)
        if mount.get("Type") == "bind" and below and os.path.lexists(source):
            yield source


def _misled(
    context: Context, other: dict[str, Any], source: str, ours: dict[str, Any], version: dict[str, Any]
) -> Finding:
    name = str((other.get("Names") or [other.get("Id", "")])[0]).lstrip("/")
    mounts = [item for item in ours.get("Mounts", []) if Path(source).is_relative_to(item["Destination"])]
    volume = max(
        (item for item in mounts if item.get("Name")), key=lambda item: len(item["Destination"]), default=None
    )
    if volume is None:
        how = f"copy what it needs below {context.settings.projects or '~/projects'}, which is a volume"
    elif _number(version) >= _SUBPATH_API:
        subpath = os.path.relpath(source, volume["Destination"])
        part = "" if subpath == "." else f",volume-subpath={subpath}"
        mount = f"type=volume,source={volume['Name']},target=…{part}"
        how = f"start it with --mount {mount} in the place of -v {source}:…"
    else:
        ours_id = ours["Id"][:12]
        how = (
            f"start it with --volumes-from {ours_id}, which gives it {volume['Destination']} at the same path"
        )
    return warning(
        f"the container {name} has the host's {source}, not the workspace's: there it is another directory",
        Remedy(f"end it, then {how}", (f"docker rm --force {name}",)),
        evidence=[f"bind mount of {source}; paths of bind mounts are the host's"],
    )
