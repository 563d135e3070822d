"""Programs in the background: started in a session of their own, known by their PID, ended by it."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from devtools.shell import DevError

_STOP_SECONDS = 20.0


class Daemons:
    """The daemons of one directory: `<name>.pid` and `<name>.log` for each.

    Args:
        directory: where; must exist.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def start(self, name: str, argv: Sequence[str | Path]) -> int:
        """Start a program, unless it runs, and return its PID."""
        pid = self.pid(name)
        if pid:
            return pid
        log = self.directory / f"{name}.log"
        words = [str(word) for word in argv]
        # Not subprocess, which expects to see the end of what it has started.
        started = os.posix_spawnp(
            words[0],
            words,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        (self.directory / f"{name}.pid").write_text(f"{started} {_began(started)}")
        return started

    def pid(self, name: str) -> int:
        """The PID of a daemon that runs; 0 if it does not, also where another program has the PID now."""
        try:
            pid, began = (self.directory / f"{name}.pid").read_text().split()
        except (OSError, ValueError):
            return 0
        return int(pid) if _began(int(pid)) == began else 0

    def stop(self, name: str) -> None:
        """End a daemon: by SIGTERM, and where that does not help by SIGKILL."""
        pid = self.pid(name)
        if pid:
            _signal(pid, signal.SIGTERM)
            if not _gone(lambda: self.pid(name) == 0, _STOP_SECONDS):
                _signal(pid, signal.SIGKILL)
                _gone(lambda: self.pid(name) == 0, _STOP_SECONDS)
        (self.directory / f"{name}.pid").unlink(missing_ok=True)

    def kill(self, name: str) -> None:
        """End a daemon and its children at once, as a power failure does."""
        pid = self.pid(name)
        if pid:
            os.killpg(pid, signal.SIGKILL)
            _gone(lambda: self.pid(name) == 0, _STOP_SECONDS)
        (self.directory / f"{name}.pid").unlink(missing_ok=True)

    def check(self, name: str) -> None:
        """Raises DevError if a daemon has ended, with the end of its log."""
        if not self.pid(name):
            raise DevError(f"{name} has ended:\n{self.tail(name)}", f"look into {self.directory}/{name}.log")

    def tail(self, name: str, count: int = 10) -> str:
        """The last lines of a daemon's log."""
        try:
            lines = (self.directory / f"{name}.log").read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return "\n".join(lines[-count:])


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _gone(over: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if over():
            return True
        time.sleep(0.1)
    return False


def _began(pid: int) -> str:
    """When a process was started, in the kernel's clock ticks; empty if it has ended (proc_pid_stat(5))."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
