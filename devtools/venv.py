"""The virtual environment: what requirements-dev.txt locks, and the commands of this checkout."""

import hashlib
import re
import sys
import tempfile
from pathlib import Path

from devtools import shell
from devtools.shell import ROOT, say

LOCK = ROOT / "requirements-dev.txt"
VENV = (ROOT / ".venv").resolve()
_STAMP = VENV / ".lock-digest"
_SYSTEMD = "systemd-python"
_HEADERS = ("libsystemd-dev", "pkg-config", "gcc", "libc6-dev", "python3-dev")


def _digest() -> str:
    """Of all that decides what is installed; and where, because its scripts hold that path."""
    parts = (LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(VENV).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def current() -> bool:
    """Whether there is nothing to do."""
    python = VENV / "bin/python"
    return python.exists() and _STAMP.exists() and _STAMP.read_text() == _digest()


def ensure() -> Path:
    """Make or repair it, and return its directory of programs.

    Raises:
        DevError: it cannot be made, or a package cannot be installed.
    """
    programs = VENV / "bin"
    if current():
        return programs
    if not _usable():
        say("making .venv")
        make: list[str | Path] = [sys.executable, "-m", "venv", "--clear", VENV]
        if shell.run(make, check=False).returncode != 0:
            shell.apt_install(["python3-venv"], "Debian has Python's venv in a package of its own")
            shell.run(make)
    say("installing what requirements-dev.txt locks")
    pip: list[str | Path] = [programs / "python", "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    # The lock is whole, so there is nothing to resolve. pip 23.2 ignores the pin of `coverage`, which another
    # package needs with an extra, takes the newest one, and finds no hash of it.
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as lock:
        lock.write(LOCK.read_text() if can_build_systemd() else _without(_SYSTEMD, LOCK.read_text()))
        lock.flush()
        shell.run([*pip, "--require-hashes", "--no-deps", "-r", lock.name])
    # The commands of this checkout, as .venv/bin/home-persist and so on.
    shell.run([*pip, "--no-deps", "--no-build-isolation", "-e", ROOT])
    _STAMP.write_text(_digest())
    return programs


def can_build_systemd() -> bool:
    """Whether systemd-python can be built: it has no wheel, and needs libsystemd's headers.

    Without it the tests of the journal say that it is missing.
    """
    if shell.run(["pkg-config", "--exists", "libsystemd"], check=False).returncode == 0:
        return True
    try:
        shell.apt_install(_HEADERS, "systemd-python is built against libsystemd")
    except shell.DevError as error:
        say(f"without systemd-python: {error}")
        return False
    return True


def _without(package: str, lock: str) -> str:
    """A lock file without one package: its line, and the indented ones below it."""
    return re.sub(rf"^{re.escape(package)}==.*\n(?:[ ].*\n)*", "", lock, flags=re.MULTILINE)


def _usable() -> bool:
    """Whether it is complete and was made at this path: the scripts of a moved one do not find Python."""
    script = VENV / "bin/pip"
    try:
        place = script.read_text().startswith(f"#!{VENV}/")
    except OSError:
        return False
    return place and shell.run([VENV / "bin/python", "-m", "pip", "--version"], check=False).returncode == 0
