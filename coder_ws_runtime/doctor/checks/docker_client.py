"""Checks of what the Docker client uses: its context and its credential helpers."""

import os
import shlex
import socket
from pathlib import Path

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, ok, warning
from coder_ws_runtime.doctor.user_files import move_away
from coder_ws_runtime.layout import DEFAULT_USER
from coder_ws_runtime.system import docker_config
from coder_ws_runtime.system.docker_config import DEFAULT_CONTEXT, ChosenBy, Config, Endpoint
from coder_ws_runtime.system.process import find_program

_SECONDS = 2.0
"""How many seconds a daemon may take to accept a connection."""
_HELPER_SECONDS = 6.0
"""How many seconds a credential helper may take: it may have to start a keyring first."""
_PORT = 2375
"""The daemon's default port, for a URL without one."""
_TLS_FILES = ("ca.pem", "cert.pem", "key.pem")

_FORGET = (
    "import json, pathlib; file, program = pathlib.Path({path!r}), {name!r};"
    " settings = json.loads(file.read_text()); named = settings.get('credHelpers') or {{}};"
    " [each.pop(key) for each in (settings, named) for key in [*each] if each[key] == program];"
    " file.write_text(json.dumps(settings, indent=2))"
)


def _config(context: Context) -> Config:
    return docker_config.load(context.env, context.layout.home)


@check("docker.context", "the target of docker commands", needs=[Need.LIVE])
def context_(context: Context) -> Verdict:
    """The client's context exists, and a daemon listens at its address."""
    config = context.ask(_config)
    problem = _config_problem(context, config)
    if problem:
        return found([problem], "")
    endpoint = docker_config.endpoint(config, context.env)
    problem = (
        _endpoint_problem(context, config, endpoint)
        or _tls_problem(context, config)
        or _builder_problem(context, config)
    )
    if problem:
        return found([problem], "")
    return ok(endpoint.host or "the mounted socket")


def _config_problem(context: Context, config: Config) -> Finding | None:
    if config.error is None:
        return None
    quoted = shlex.quote(str(config.file))
    evidence = [f"{config.file}: {getattr(config.error, 'strerror', None) or config.error}"]
    if isinstance(config.error, PermissionError):
        remedy = Remedy("give it to the user", (context.as_root(f"chown {DEFAULT_USER}: {quoted}"),))
        problem = "docker cannot read its configuration, so it works without its logins"
        code = "docker.config-unreadable"
        return warning(code, problem, remedy, evidence=evidence, about=str(config.file))
    if isinstance(config.error, OSError) and not isinstance(config.error, IsADirectoryError):
        return None
    text = "move it away: docker creates a new one at the next docker login"
    remedy = move_away(context, config.file, text)
    what = "a directory" if isinstance(config.error, IsADirectoryError) else "not valid JSON"
    problem = f"docker's configuration is {what}, so docker works without its logins"
    return warning("docker.config-invalid", problem, remedy, evidence=evidence, about=str(config.file))


def _endpoint_problem(context: Context, config: Config, endpoint: Endpoint) -> Finding | None:
    if endpoint.missing:
        remedy, named_by = _use_default(context, config, endpoint.by)
        problem = f"every docker command fails: the context {endpoint.context!r} does not exist"
        return failure("docker.context-missing", problem, remedy, evidence=named_by)
    why = _deadness(endpoint.host) if endpoint.host and not _is_mounted(context, endpoint.host) else ""
    if not why:
        return None
    remedy, named_by = _use_default(context, config, endpoint.by)
    if endpoint.by is ChosenBy.HOST_VARIABLE:
        problem = f"every docker command fails: DOCKER_HOST is {endpoint.host}, and no daemon answers there"
        return failure("docker.host-variable-dead", problem, remedy, evidence=[why, *named_by])
    problem = (
        f"every docker command fails: the context {endpoint.context!r} uses {endpoint.host}, and no"
        " daemon answers there"
    )
    return failure("docker.context-dead", problem, remedy, evidence=[why, *named_by])


def _use_default(context: Context, config: Config, by: ChosenBy) -> tuple[Remedy, list[str]]:
    """How to make docker use the mounted socket again, and what makes it connect elsewhere."""
    text = "use the mounted socket"
    if by is not ChosenBy.CONFIG:
        from coder_ws_runtime.doctor.variables import take_out  # noqa: PLC0415 - rarely needed

        return take_out(context, by.value, text)
    config_dir = config.file.parent
    option = (
        "" if config_dir == context.layout.home / ".docker" else f"--config {shlex.quote(str(config_dir))} "
    )
    command = context.as_user(f"docker {option}context use default")
    return Remedy(text, (command,)), [f"named by {config.file}"]


def _is_mounted(context: Context, host: str) -> bool:
    """Whether a URL is the mounted socket, which has checks of its own."""
    path = host.removeprefix("unix://")
    return path != host and os.path.realpath(path) == os.path.realpath(context.layout.docker_socket)


def _deadness(host: str) -> str:
    """Why no daemon answers at a URL; empty if one does, or if we cannot try this kind of URL."""
    from urllib.parse import urlsplit  # noqa: PLC0415 - slow to import; most have no host of their own

    try:
        url = urlsplit(host)
        if url.scheme == "unix":
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(_SECONDS)
                client.connect(url.path or url.netloc)
        elif url.scheme in {"tcp", "http", "https"}:
            address = (url.hostname or "127.0.0.1", url.port or _PORT)
            socket.create_connection(address, timeout=_SECONDS).close()
    except PermissionError:
        return ""  # docker.group reports this in detail
    except (OSError, ValueError) as error:
        return f"{host}: {getattr(error, 'strerror', None) or error}"
    return ""


def _tls_problem(context: Context, config: Config) -> Finding | None:
    if not context.env.get("DOCKER_TLS_VERIFY"):
        return None
    directory = Path(context.env.get("DOCKER_CERT_PATH") or config.file.parent)
    missing = [str(directory / name) for name in _TLS_FILES if not os.access(directory / name, os.R_OK)]
    if not missing:
        return None
    from coder_ws_runtime.doctor.variables import take_out  # noqa: PLC0415 - rarely needed

    remedy, set_in = take_out(context, "DOCKER_TLS_VERIFY", "the mounted socket needs no TLS")
    problem = "every docker command fails: DOCKER_TLS_VERIFY is set, and there are no certificates"
    evidence = [*(f"{name}: cannot be read" for name in missing), *set_in]
    return failure("docker.tls-files-missing", problem, remedy, evidence=evidence)


def _builder_problem(context: Context, config: Config) -> Finding | None:
    """A builder that does not exist; a context's name is a builder too (docker buildx, BUILDX_BUILDER)."""
    name = context.env.get("BUILDX_BUILDER", "")
    directory = Path(context.env.get("BUILDX_CONFIG") or config.file.parent / "buildx")
    if not name or name == DEFAULT_CONTEXT or os.path.exists(directory / "instances" / name):
        return None
    if docker_config.has_context(config, name):
        return None
    from coder_ws_runtime.doctor.variables import take_out  # noqa: PLC0415 - rarely needed

    remedy, set_in = take_out(context, "BUILDX_BUILDER", "build with the engine itself")
    problem = f"docker build fails: BUILDX_BUILDER is {name}, a builder that does not exist"
    return failure("docker.builder-missing", problem, remedy, evidence=set_in)


@check("docker.credentials", "logins to registries", needs=[Need.LIVE])
def credentials(context: Context) -> Verdict:
    """The programs that store docker's logins exist and answer; otherwise pulls and logins fail."""
    config = context.ask(_config)
    findings = []
    for program, setting in config.helpers.items():
        path = find_program(program, context.env.get("PATH"))
        if path is None:
            problem = f"docker cannot pull or log in: {program} is not on PATH"
            evidence = [f"{setting} in {config.file}"]
            remedy = _without(context, config, program)
            findings.append(
                failure("docker.credential-helper-missing", problem, remedy, evidence=evidence, about=program)
            )
            continue
        done = context.run([path, "list"], timeout=_HELPER_SECONDS)
        if not done.ok:
            said = (done.stdout.strip() or done.complaint).splitlines()[-1:]
            problem = f"docker's logins cannot be read: {program} does not work here"
            evidence = [f"{setting} in {config.file}", *said]
            remedy = _without(context, config, program)
            findings.append(
                warning("docker.credential-helper-broken", problem, remedy, evidence=evidence, about=program)
            )
    used = ", ".join(config.helpers)
    return found(findings, used or "they are kept in docker's configuration")


def _without(context: Context, config: Config, program: str) -> Remedy:
    """Remove one program from the settings; the others, also of other registries, stay."""
    name = program.removeprefix("docker-credential-")
    script = _FORGET.format(path=str(config.file), name=name)
    command = context.as_user(f"python3 -c {shlex.quote(script)}")
    return Remedy(
        f"remove {name} from docker's configuration; docker login then stores logins in that file", (command,)
    )
