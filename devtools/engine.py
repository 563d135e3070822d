"""A Docker engine: the running one, or Debian's, installed and started."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from devtools.shell import ROOT, STATE, DevError, apt_install, as_root, ask, default_path, run, say, show

_ANSWER_SECONDS = 20.0
_START_SECONDS = 60.0
_STOP_SECONDS = 60
# The distribution's client comes with BuildKit; another one that is first on PATH may lack the plugin.
_CLIENTS = ("docker", "/usr/bin/docker")
_PLUGIN_SINCE = 23
# Debian 13 and Ubuntu have the client and its plugin in packages of their own, Debian 12 has not.
_PACKAGES = ("docker.io", "docker-cli", "docker-buildx", "iptables", "ca-certificates")
# BuildKit ends with what the failed step printed and an excerpt of the Dockerfile.
_BUILD_LINES = 50
_SYSTEMD = Path("/run/systemd/system")
_LOG = STATE / "dockerd.log"
_PID = STATE / "dockerd.pid"


class Engine:
    """A running Docker engine.

    Args:
        client: the command of the client, e.g. ``["docker"]`` or ``["sudo", "docker"]``.
    """

    def __init__(self, client: list[str]) -> None:
        self.client = client
        self._privileged: bool | None = None

    def docker(
        self, *words: str | Path, check: bool = True, stdin: bytes | None = None, timeout: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the client with these words."""
        return run([*self.client, *words], check=check, stdin=stdin, timeout=timeout)

    def inspect(self, *words: str) -> dict[str, Any]:
        """The result of `docker inspect` for one object."""
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *words).stdout)
        return found[0]

    def has_image(self, name: str) -> bool:
        """Whether the engine has an image."""
        return self.docker("image", "inspect", name, check=False).returncode == 0

    def security(self, image: str) -> list[str]:
        """The flags of a privileged container, or those with the same effect where it is refused.

        A machine that itself lacks a capability cannot grant it, and Docker grants all or fails.
        """
        if self._privileged is None:
            trial = self.docker(
                "run", "--rm", "--privileged", "--entrypoint", "/bin/true", image, check=False
            )
            self._privileged = trial.returncode == 0
        if self._privileged:
            return ["--privileged"]
        options = ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")
        flags = ["--cap-add=ALL", "--cap-drop=SYS_RESOURCE"]
        return flags + [word for option in options for word in ("--security-opt", option)]

    def build(self, dockerfile: Path, tag: str, context: Path, *, args: dict[str, str] | None = None) -> None:
        """Build an image with BuildKit. The build uses the host's network, as its registries may need.

        Raises:
            DevError: the build failed, or this client cannot build and its plugin is not to be had.
        """
        if not _builds(self.client):
            apt_install(["docker-buildx"], "This docker client cannot build images without its plugin buildx")
        *prefix, program = self.client
        words = [*prefix, "env", "DOCKER_BUILDKIT=1", program, "build", "--network=host"]
        for name, value in (args or {}).items():
            words += ["--build-arg", f"{name}={value}"]
        words += ["-t", tag, "-f", str(dockerfile), str(context)]
        if sys.stderr.isatty():
            if show(words) != 0:
                raise DevError(f"{tag} could not be built", "the step that failed is shown above")
            return
        done = run(words, check=False)
        if done.returncode != 0:
            raise DevError(f"{tag} could not be built:\n{_last(done.stderr, _BUILD_LINES)}")


def find() -> Engine | None:
    """The running engine, if there is one; with a client that can build, if there is one."""
    programs = dict.fromkeys(path for path in map(shutil.which, _CLIENTS) if path)
    answering = [[path] for path in programs if _answers([path])]
    if not answering and programs:
        sudo = as_root()
        answering = [[*sudo, path] for path in programs if sudo and _answers([*sudo, path])]
    if not answering:
        return None
    return Engine(next((client for client in answering if _builds(client)), answering[0]))


def _answers(client: list[str]) -> bool:
    """Whether an engine answers this client; not if it hangs."""
    try:
        return run([*client, "version"], check=False, timeout=_ANSWER_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _builds(client: list[str]) -> bool:
    """Whether a client has BuildKit: by the plugin, or built in, as it was before version 23."""
    if run([*client, "buildx", "version"], check=False).returncode == 0:
        return True
    version = run([*client, "version", "-f", "{{.Client.Version}}"], check=False).stdout
    major = version.partition(".")[0]
    return major.isdecimal() and int(major) < _PLUGIN_SINCE


def ensure() -> Engine:
    """The running engine; if there is none, Debian's is installed and started.

    Raises:
        DevError: there is none, and it cannot be installed or started.
    """
    engine = find()
    if engine is not None:
        return engine
    root = as_root()
    if root is None:
        raise DevError("no Docker engine is running, and only root can start one", "./dev up --sandbox")
    if not shutil.which("dockerd", path=default_path()):
        apt_install(_PACKAGES, "No Docker engine is running")
    elif not ask("No Docker engine is running: start dockerd?"):
        raise DevError("no Docker engine is running", "start one, or: ./dev up --sandbox")
    return find() or _start(root)


def _start(root: list[str]) -> Engine:
    """Start dockerd so that it keeps running after this call; `./dev down --all` stops it.

    Raises:
        DevError: it does not answer.
    """
    if _SYSTEMD.is_dir() and run([*root, "systemctl", "start", "docker"], check=False).returncode == 0:
        say("started docker.service")
    elif not _running_dockerd():
        _start_daemon(root)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        engine = find()
        if engine:
            return engine
        if not _SYSTEMD.is_dir() and not _running_dockerd():
            break
        time.sleep(0.3)
    tail = _last(_LOG.read_text(errors="replace"), 5) if _LOG.exists() else ""
    raise DevError(f"dockerd does not answer\n{tail}".rstrip(), f"see {_LOG}")


def _start_daemon(root: list[str]) -> None:
    """Start dockerd without systemd, in a session of its own."""
    STATE.mkdir(exist_ok=True)
    say(f"starting dockerd (log: {_LOG.relative_to(ROOT)})")
    program = shutil.which("dockerd", path=default_path()) or "dockerd"
    # By a shell, so that sudo is over, and has asked for its password, when this call is.
    script = 'PATH="$3"; setsid "$1" >"$2" 2>&1 </dev/null & echo $!'
    started = run([*root, "sh", "-c", script, "sh", program, _LOG, default_path()])
    _PID.write_text(started.stdout.strip())


def _running_dockerd() -> int | None:
    """The PID of the dockerd that we started, if it still runs."""
    try:
        pid = int(_PID.read_text())
        name = Path(f"/proc/{pid}/comm").read_text()
    except (OSError, ValueError):
        return None
    return pid if name.strip() in ("dockerd", "setsid") else None


def _last(text: str, count: int) -> str:
    return "\n".join(text.strip().splitlines()[-count:])


def stop() -> None:
    """Stop the dockerd that we started, if it still runs, so that the next one can start."""
    pid = _running_dockerd()
    root = as_root()
    if pid is not None and root is not None:
        say(f"stopping dockerd (PID {pid})")
        run([*root, "kill", str(pid)], check=False)
        deadline = time.monotonic() + _STOP_SECONDS
        while _running_dockerd():
            if time.monotonic() > deadline:
                raise DevError(f"dockerd (PID {pid}) does not stop", f"see {_LOG}")
            time.sleep(0.1)
    _PID.unlink(missing_ok=True)
