"""Engines that are not the usual one: real podman, and a real dockerd without root. Both are Debian's."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from devtools.engine import Engine

_SECONDS = 60.0
_SCRIPT = "dockerd-rootless.sh"
# A machine that lacks CAP_SYS_RESOURCE cannot raise a limit, and podman raises these by default.
_CONTAINERS = '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]\n'


class OtherEngine:
    """An engine in a directory of its own, which is removed with it.

    Args:
        words: its command line; ``{}`` stands for its directory.
        user: who runs it.
        env: what its environment has in addition to ours.
    """

    def __init__(
        self, words: Sequence[str], *, user: str = "root", env: dict[str, str] | None = None
    ) -> None:
        account = pwd.getpwnam(user)
        # Below the user's home: /tmp may be mounted without what an engine needs. Short: it has a socket.
        self.directory = Path(tempfile.mkdtemp(prefix=".cws-", dir=account.pw_dir))
        os.chown(self.directory, account.pw_uid, account.pw_gid)
        self.socket = self.directory / "docker.sock"
        self.log = self.directory / "log"
        command = [word.replace("{}", str(self.directory)) for word in words]
        # A /tmp of its own, for which the user's rights are enough.
        private = ["unshare", "--mount", "--propagation", "private", "sh", "-c"]
        become = 'exec setpriv --reuid="$0" --regid="$0" --init-groups "$@"'
        script = f"mount -t tmpfs -o mode=1777 tmpfs /tmp && {become}"
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [*private, script, user, *command],
                env={
                    **os.environ,
                    **{key: value.replace("{}", str(self.directory)) for key, value in (env or {}).items()},
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        client = shutil.which("docker") or "docker"
        self.engine = Engine([client, "-H", f"unix://{self.socket}"])
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _SECONDS
        while self.engine.docker("version", check=False).returncode != 0:
            if time.monotonic() > deadline or self._process.poll() is not None:
                said = self.log.read_text()[-2000:]
                self.stop()
                raise RuntimeError(f"the engine does not answer:\n{said}")
            time.sleep(0.2)

    def load(self, source: Engine, image: str) -> None:
        """Give it an image of another engine."""
        with subprocess.Popen([*source.client, "save", image], stdout=subprocess.PIPE) as save:
            subprocess.run([*self.engine.client, "load"], stdin=save.stdout, check=True, capture_output=True)

    def stop(self) -> None:
        """End it with all that it started, and remove its files."""
        listed = self.engine.docker("ps", "-aq", check=False).stdout.split()
        if listed:
            self.engine.docker("rm", "-f", *listed, check=False)
        try:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(timeout=30)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            point = line.split(" ")[1]
            if point.startswith(f"{self.directory}/"):
                subprocess.run(["umount", "-l", point], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


_GID = 4245
"""A group of the host's, as podman.socket gets one by SocketGroup=."""


def rootless_script() -> str | None:
    """The script that starts a dockerd without root: Docker's own packages have it on PATH."""
    return shutil.which(_SCRIPT, path=f"{os.environ['PATH']}:/usr/share/docker.io/contrib")


def podman() -> OtherEngine:
    """Podman as root, with the socket that docker's client speaks to."""
    configure = f"printf '%s' '{_CONTAINERS}' > \"$CONTAINERS_CONF\"; exec \"$@\""
    place = ["--root", "{}/root", "--runroot", "{}/run", "--tmpdir", "{}/tmp"]
    options = ["--cgroup-manager=cgroupfs", "--events-backend=file"]
    service = ["system", "service", "--time=0", "unix://{}/docker.sock"]
    made = OtherEngine(
        ["sh", "-c", configure, "sh", "podman", *place, *options, *service],
        env={"CONTAINERS_CONF": "{}/containers.conf"},
    )
    os.chown(made.socket, 0, _GID)
    made.socket.chmod(0o660)
    return made


def rootless(user: str) -> OtherEngine:
    """dockerd without root, in a namespace of users."""
    for device in ("/dev/net/tun", "/dev/fuse"):
        if os.path.exists(device):
            os.chmod(device, 0o666)  # as udev leaves them
    prepare = 'mkdir -p -m 700 "$XDG_RUNTIME_DIR" && exec "$@"'
    options = ["--storage-driver=overlay2", "--data-root={}/data"]
    return OtherEngine(
        ["sh", "-c", prepare, "sh", rootless_script() or _SCRIPT, *options],
        user=user,
        env={"HOME": "{}", "XDG_RUNTIME_DIR": "{}", "PATH": f"/usr/sbin:/sbin:{os.environ['PATH']}"},
    )
