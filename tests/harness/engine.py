"""A Docker engine: the one that answers, or Debian's, installed and started."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.harness.shell import STATE, DevError, apt_install, as_root, ask, run, say

_START_SECONDS = 60.0
# Debian's client knows BuildKit; another one that comes first on PATH may lack the plugin for it.
_CLIENTS = ("/usr/bin/docker", "docker")


class Engine:
    """A Docker engine that answers.

    Args:
        client: how the client is called, e.g. ``["docker"]`` or ``["sudo", "docker"]``.
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
        """What `docker inspect` says of one thing."""
        found: list[dict[str, Any]] = json.loads(self.docker("inspect", *words).stdout)
        return found[0]

    def has_image(self, name: str) -> bool:
        """Whether an image is there."""
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
        """Build an image with BuildKit. The build uses the host's network, as its registries may need."""
        words: list[str | Path] = [*self.client, "build", "--network=host", "-t", tag, "-f", dockerfile]
        for name, value in (args or {}).items():
            words += ["--build-arg", f"{name}={value}"]
        run([*words, context], env={"DOCKER_BUILDKIT": "1"})


def find() -> Engine | None:
    """The engine that answers, if there is one."""
    sudo = as_root()
    for program in _CLIENTS:
        path = shutil.which(program)
        for prefix in ([], sudo or []):
            if (
                path
                and run([*prefix, path, "version", "-f", "{{.Server.Version}}"], check=False).returncode == 0
            ):
                return Engine([*prefix, path])
    return None


def ensure() -> Engine:
    """An engine that answers; where there is none, Debian's is installed and started.

    Raises:
        DevError: there is none, and no way to get one.
    """
    engine = find()
    if engine is None:
        root = as_root()
        if root is None:
            raise DevError(
                "no Docker engine answers, and there is no root to start one", "./dev up --sandbox"
            )
        if not shutil.which("dockerd", path=_sbin_path()):
            if not ask("No Docker engine answers. Install Debian's docker.io and start it?"):
                raise DevError("no Docker engine", "start one, or: ./dev up --sandbox")
            apt_install(["docker.io", "iptables", "ca-certificates"])
        engine = find() or _start(root)
    return engine


def _sbin_path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


def _start(root: list[str]) -> Engine:
    """Start dockerd in a session of its own, so that it outlives this call; `./dev down --all` ends it."""
    STATE.mkdir(exist_ok=True)
    log = STATE / "dockerd.log"
    say(f"starting dockerd (log: {log.relative_to(STATE.parent)})")
    program = shutil.which("dockerd", path=_sbin_path()) or "dockerd"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*root, program],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "PATH": _sbin_path()},
        )
    (STATE / "dockerd.pid").write_text(str(process.pid))
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        engine = find()
        if engine:
            return engine
        if process.poll() is not None:
            break
        time.sleep(0.3)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
    raise DevError(f"dockerd does not answer:\n{tail}", f"look into {log}")


def stop() -> None:
    """End the dockerd that we started, if we did and it still runs."""
    file = STATE / "dockerd.pid"
    root = as_root()
    try:
        pid = int(file.read_text())
        name = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return
    if b"dockerd" in name and root is not None:
        say(f"ending dockerd (PID {pid})")
        run([*root, "kill", str(pid)], check=False)
    file.unlink(missing_ok=True)
