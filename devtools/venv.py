"""The virtual environment: what requirements-dev.txt locks, and the commands of this checkout."""

import hashlib
import sys
from pathlib import Path

from devtools import shell
from devtools.shell import ROOT, say

LOCK = ROOT / "requirements-dev.txt"
VENV = (ROOT / ".venv").resolve()
_STAMP = VENV / ".lock-digest"


def _digest() -> str:
    """Of all that decides what is installed; and where, because its scripts hold that path."""
    parts = (LOCK.read_bytes(), (ROOT / "pyproject.toml").read_bytes(), str(VENV).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def current() -> bool:
    """Whether there is nothing to do."""
    python = VENV / "bin/python"
    return python.exists() and _STAMP.exists() and _STAMP.read_text() == _digest()


def ensure() -> Path:
    """Make or mend it, and return its directory of programs.

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
    shell.run([*pip, "--require-hashes", "-r", LOCK])
    # The commands of this checkout, as .venv/bin/home-persist and so on.
    shell.run([*pip, "--no-deps", "--no-build-isolation", "-e", ROOT])
    _STAMP.write_text(_digest())
    return programs


def _usable() -> bool:
    """Whether it is whole, and was made where it lies: a moved one has scripts that find no Python."""
    script = VENV / "bin/pip"
    try:
        place = script.read_text().startswith(f"#!{VENV}/")
    except OSError:
        return False
    return place and shell.run([VENV / "bin/python", "-m", "pip", "--version"], check=False).returncode == 0
