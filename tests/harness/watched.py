"""Workspaces with a running daemon: homes on the disk, each with its own ledger, and one volume in memory."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime.layout import Layout
from devtools.shell import ROOT
from tests.harness.tree import content, read

_SHM = Path("/dev/shm")
A_MOMENT = 30.0
"""Seconds, on a machine that is busy with other tests."""


def until(holds: Callable[[], object], what: str = "", seconds: float = A_MOMENT) -> None:
    """Wait until something holds.

    A look that fails counts as not yet: what the daemon renames may go, or become another kind, meanwhile.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(OSError):
            if holds():
                return
        time.sleep(0.005)
    assert holds(), f"it did not happen in {seconds:.0f} s: {what or holds}"


def new_volume() -> Path:
    """A directory on another file system than the homes."""
    return Path(tempfile.mkdtemp(prefix="cws-watched-", dir=_SHM if _SHM.is_dir() else None))


class Watched:
    """One workspace: a home, and `home-persist` on it.

    Args:
        base: its root, for ``--root``.
        volume: the owner's volume, or a directory through which it is reached.
        declared: the paths of its manifest.
    """

    def __init__(self, base: Path, volume: Path, declared: list[object]) -> None:
        base.mkdir(parents=True)
        self.layout = Layout.of(base)
        self.name = base.name
        for directory in (self.layout.home, self.layout.manifest_dir, self.layout.ledger_dir):
            directory.mkdir(parents=True)
        self.layout.volume.parent.mkdir()
        self.layout.volume.symlink_to(volume)
        self.declare(*declared)
        self.process: subprocess.Popen[bytes] | None = None
        self.log = base / "daemon.log"

    def declare(self, *paths: object) -> None:
        """Write its manifest."""
        document = json.dumps({"source": "watched", "paths": paths})
        (self.layout.manifest_dir / "new").write_text(document)
        (self.layout.manifest_dir / "new").rename(self.layout.manifest_dir / "watched.json")

    @property
    def home(self) -> Path:
        return self.layout.home

    @property
    def volume(self) -> Path:
        return self.layout.volume

    # Commands ---------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "CODER_WORKSPACE_ID": f"id-{self.name}",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command of `home-persist` to its end."""
        argv = [sys.executable, "-m", "tests.crash.command", *words, "--root", str(self.layout.root)]
        return subprocess.run(
            argv, cwd=ROOT, env=self.environment(), capture_output=True, text=True, timeout=120, check=False
        )

    def resolve(self) -> None:
        done = self.command("resolve")
        assert done.returncode == 0, done.stderr

    def shell(self, script: str) -> str:
        """What programs of the workspace do: a script of sh(1) in the home."""
        done = subprocess.run(
            ["sh", "-euc", script],
            cwd=self.home,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (script, done.stdout, done.stderr)
        return done.stdout

    def lose_container(self) -> None:
        """A new container: a new home, and a new ledger."""
        for directory in (self.home, self.layout.ledger_dir):
            shutil.rmtree(directory)
            directory.mkdir()

    # The daemon -------------------------------------------------------------------------------------

    def start(self, *before: str, module: str = "tests.crash.command") -> None:
        """Start the daemon and wait until it is ready.

        Args:
            before: the words of a program that starts it.
            module: which module is the command.
        """
        self.layout.watch_report.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*before, sys.executable, "-m", module, "watch", "--root", str(self.layout.root)],
                cwd=ROOT,
                env=self.environment(),
                stderr=log,
                stdout=log,
            )
        until(lambda: self.layout.watch_report.exists() or self.ended(), f"{self.name} is ready")
        assert not self.ended(), self.said()

    def ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def stop(self, seconds: float = A_MOMENT) -> float:
        """Stop the daemon as systemd does; how long that took, in seconds."""
        process = self._running()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(seconds) == 0, self.said()
        self.process = None
        return time.monotonic() - began

    def kill(self) -> None:
        """End the daemon, whatever it is doing."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()
        self.process = None

    def pause(self) -> None:
        self._running().send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._running().send_signal(signal.SIGCONT)

    def reload(self) -> None:
        self._running().send_signal(signal.SIGHUP)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        return self.process

    def said(self) -> str:
        """The daemon's log."""
        return self.log.read_text() if self.log.exists() else ""

    def report(self) -> dict[str, object]:
        found: dict[str, object] = json.loads(self.layout.watch_report.read_text())
        return found

    def problems(self) -> list[str]:
        """The paths with a problem, by the daemon's report."""
        found = self.report()["problems"]
        assert isinstance(found, dict)
        return sorted(found)

    # What is there ----------------------------------------------------------------------------------

    def linked(self, path: str) -> bool:
        """Whether a path is a link to the volume."""
        place = self.home / path
        return place.is_symlink() and str(place.readlink()).startswith(f"{self.volume}/")

    def save(self, path: str, text: str) -> None:
        """Save as most programs do: a new file, renamed over the old one."""
        place = self.home / path
        place.parent.mkdir(parents=True, exist_ok=True)
        new = place.with_name(f"{place.name}.new")
        new.write_text(text)
        new.rename(place)

    def kept(self) -> dict[str, str]:
        """What the volume has, without what is ours; it changes while it is read."""
        while True:
            with suppress(FileNotFoundError, NotADirectoryError):
                return content(self.volume.resolve())

    def volume_has(self, path: str, text: str) -> bool:
        """Whether one file of the volume has this text."""
        place = self.volume / path
        return place.is_file() and place.read_text() == text

    def attic(self) -> list[str]:
        """The contents of the attic, in no order."""
        return list(read(self.volume.resolve() / ".home-persist/attic").values())
