"""A real workspace: the container that the template plans, booted on a real engine."""

import copy
import json
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any

from devtools import recorded
from devtools.container import Upload, create
from devtools.engine import Engine
from devtools.images import PREFIX, tag
from devtools.shell import DevError

_LOOKED = "test -e /run/coder-ws/watch.json || ! systemctl is-active -q home-persist-watch"
"""Whether the daemon has written its first report, or does not run."""
READY_SECONDS = 60.0

# A stand-in for the script that Coder's server gives: that one downloads the agent and becomes it. What
# is seen of it is the same: a program called coder with the argument agent, in the unit's control group.
AGENT_STAND_IN = """#!/bin/sh
set -eu
echo "agent stand-in: user $(id -un), groups $(id -Gn)"
echo "token ${CODER_AGENT_TOKEN:+set}, ~/.claude $(readlink "$HOME/.claude")"
cd "$(mktemp -d -t coder.XXXXXX)"
printf '#!/bin/sh\\nwhile :; do sleep 3600 & wait; done\\n' > coder
chmod +x coder
exec ./coder agent
"""
SETTINGS_FILE = "/etc/coder/workspace.json"
AGENT_FILE = "/etc/coder/agent-init.sh"


class Workspace:
    """One workspace. Boot it with :meth:`boot`; remove it with :meth:`remove`, with or without volumes.

    Args:
        engine: where it runs.
        name: part of the names of its container and of its volumes.
        owner: workspaces of one owner share the home volume.
        image: the image's name; the base of this checkout by default.
        workspace_id: Coder's id; a new one by default.
        record: the template's plan.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        *,
        owner: str = "ada",
        image: str = "",
        workspace_id: str = "",
        record: Path = recorded.RECORD,
    ) -> None:
        self.engine = engine
        self.name = name
        self.container = f"{PREFIX}-{owner}-{name}"
        self.home_volume = f"{PREFIX}-{owner}-home"
        self.projects_volume = f"{PREFIX}-{owner}-{name}-projects"
        self.shared_volume = f"{PREFIX}-shared"
        self.workspace_id = workspace_id or str(uuid.uuid4())
        self.plan = recorded.load(record, name=name, owner=owner, workspace_id=self.workspace_id)
        """What the template plans in addition to the container: the agent, its scripts and apps."""
        self.attributes: dict[str, Any] = self.plan.pop("container")
        self.attributes["image"] = image or tag("base")
        planned = {upload["file"]: upload["content"] for upload in self.attributes["upload"]}
        self.settings: dict[str, Any] = json.loads(planned[SETTINGS_FILE])
        self.agent_script = AGENT_STAND_IN
        self.uploads: list[Upload] = []

    def without_coder(self) -> "Workspace":
        """Itself, as one that no server of Coder belongs to."""
        self.settings["workspace"]["access_url"] = ""
        self.attributes["env"] = [pair for pair in self.attributes["env"] if "CODER_AGENT_URL=" not in pair]
        return self

    # Life -----------------------------------------------------------------------------------------

    def planned(self) -> dict[str, Any]:
        """The planned attributes with what is this workspace's own: names, settings, and the agent's script.

        Names begin with the prefix of this checkout, so that nothing of a workspace in use is touched.
        """
        planned = copy.deepcopy(self.attributes)
        planned["name"] = self.container
        planned["hostname"] = self.name
        volumes = {
            "/mnt/home-persist": self.home_volume,
            self.settings["projects"]: self.projects_volume,
            "/mnt/shared": self.shared_volume,
        }
        for volume in planned["volumes"]:
            if not volume.get("host_path"):
                volume["volume_name"] = volumes[volume["container_path"]]
        contents = {SETTINGS_FILE: json.dumps(self.settings), AGENT_FILE: self.agent_script}
        for upload in planned["upload"]:
            upload["content"] = contents[upload["file"]]
        return planned

    def boot(self, *, extra: list[str] | None = None, wait: bool = True) -> "Workspace":
        """Start a new container.

        Args:
            extra: further words for `docker create`.
            wait: until systemd says that the boot is over.
        """
        create(self.engine, self.planned(), extra=extra, files=self.uploads)
        if wait:
            self.wait_ready()
        return self

    def upload(self, file: str, content: str, *, mode: int = 0o644, owner: int = 0) -> None:
        """Put a file into the container before it starts, as if the image had it."""
        self.uploads.append(Upload(file, content.encode(), mode, owner))

    def wait_ready(self) -> str:
        """Wait until the boot is over and the daemon has looked at all paths.

        Returns what `systemctl is-system-running` says.

        Raises:
            DevError: it is not over after a minute, or the container has ended.
        """
        deadline = time.monotonic() + READY_SECONDS
        state = ""
        while time.monotonic() < deadline:
            done = self.exec("systemctl", "is-system-running", user="root")
            state = done.stdout.strip()
            booted = state in ("running", "degraded", "maintenance")
            if booted and self.exec("sh", "-c", _LOOKED, user="root").returncode == 0:
                return state
            if not self.is_running():
                log = self.engine.docker("logs", "--tail", "20", self.container, check=False)
                raise DevError(f"{self.container} has ended:\n{log.stdout}{log.stderr}")
            time.sleep(0.1)
        raise DevError(f"{self.container} is not ready after {READY_SECONDS:.0f} s: {state or done.stderr}")

    def is_running(self) -> bool:
        """Whether the container runs."""
        done = self.engine.docker("inspect", "-f", "{{.State.Running}}", self.container, check=False)
        return done.stdout.strip() == "true"

    def stop(self) -> float:
        """Stop the container as the template does, and return the seconds that it took."""
        began = time.monotonic()
        self.engine.docker("stop", "-t", "30", self.container)
        return time.monotonic() - began

    def quickest_stop(self, enough: float, *, tries: int = 3) -> float:
        """As `stop`; one that took longer than `enough` is tried again after a start.

        What else runs on the machine only makes a stop slower; a unit that does not end does so each time.

        Returns:
            the seconds of the quickest.
        """
        seconds = self.stop()
        for _ in range(tries - 1):
            if seconds < enough:
                break
            self.start()
            seconds = min(seconds, self.stop())
        return seconds

    def start(self) -> None:
        """Start a stopped container again."""
        self.engine.docker("start", self.container)
        self.wait_ready()

    def remove(self, *, volumes: bool = False) -> None:
        """Remove the container, as a stop of the workspace does; with `volumes` all that it had."""
        self.engine.docker("rm", "-f", "-v", self.container, check=False)
        if volumes:
            names = (self.home_volume, self.projects_volume, self.shared_volume)
            self.engine.docker("volume", "rm", "-f", *names, check=False)

    # Inside ---------------------------------------------------------------------------------------

    def exec(
        self, *words: str, user: str = "coder", stdin: bytes | None = None, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside; how it ends is the caller's concern."""
        flags = ["-i"] if stdin is not None else []
        for name, value in (env or {}).items():
            flags += ["-e", f"{name}={value}"]
        return self.engine.docker(
            "exec", *flags, "-u", user, self.container, *words, check=False, stdin=stdin
        )

    def sh(self, script: str, *, user: str = "coder") -> subprocess.CompletedProcess[str]:
        """Run a script in the user's login shell."""
        return self.exec("bash", "-lc", script, user=user)

    def as_agent(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a planned script as the agent does: by its own interpreter, in the agent's environment.

        Raises:
            AssertionError: the agent does not run.
        """
        ran = self.exec("sh", "-c", 'cat "/proc/$(systemctl show -P MainPID coder-agent)/environ"')
        assert ran.returncode == 0, ran.stderr
        own = self.plan["agent"].get("env", {})
        pairs = [*ran.stdout.split("\0")[:-1], *(f"{name}={value}" for name, value in own.items())]
        interpreter = script.partition("\n")[0].removeprefix("#!") if script.startswith("#!") else "/bin/bash"
        return self.exec("env", "-i", "-C", "/home/coder", *pairs, *interpreter.split(), "-c", script)

    def out(self, script: str, *, user: str = "coder") -> str:
        """What a script prints, without the last newline.

        Raises:
            AssertionError: it ended with another status than 0.
        """
        done = self.sh(script, user=user)
        assert done.returncode == 0, f"{script!r} ended with {done.returncode}: {done.stderr or done.stdout}"
        return done.stdout.rstrip("\n")
