"""Run programs and say so; the standard library only, `./dev` starts without anything else."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
STATE = ROOT / ".dev"
"""What `./dev` keeps between two calls; safe to delete."""


class DevError(Exception):
    """Something that whoever runs `./dev` can mend. The second argument is how."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def say(message: str) -> None:
    """Tell what is being done."""
    print(f"==> {message}", flush=True)


def run(
    argv: Sequence[str | Path],
    *,
    check: bool = True,
    stdin: str | bytes | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program and capture what it prints.

    Raises:
        DevError: it ended with another status than 0, unless `check` is off.
    """
    words = [str(word) for word in argv]
    done = subprocess.run(
        words,
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        env=None if env is None else {**os.environ, **env},
        timeout=timeout,
        check=False,
    )
    text = subprocess.CompletedProcess(
        words, done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    )
    if check and text.returncode != 0:
        tail = "\n".join((text.stderr or text.stdout).strip().splitlines()[-15:])
        raise DevError(f"{' '.join(words[:4])} … ended with status {text.returncode}:\n{tail}")
    return text


def show(argv: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> int:
    """Run a program that prints for itself, and return its exit status."""
    sys.stdout.flush()
    return subprocess.run(
        [str(word) for word in argv], env=None if env is None else {**os.environ, **env}, check=False
    ).returncode


def as_root() -> list[str] | None:
    """What a command line begins with to run as root; None if that is not to be had without a password."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and run(["sudo", "-n", "true"], check=False).returncode == 0:
        return ["sudo"]
    if shutil.which("sudo") and sys.stdin.isatty():
        return ["sudo"]
    return None


def ask(question: str) -> bool:
    """Ask on a terminal; elsewhere the answer is yes, and it is said."""
    if not sys.stdin.isatty() or os.environ.get("CI"):
        say(f"{question} (no terminal to ask on: yes)")
        return True
    return input(f"==> {question} [Y/n] ").strip().lower() in ("", "y", "yes")


def apt_install(packages: Sequence[str]) -> None:
    """Install Debian packages.

    Raises:
        DevError: this is no Debian, or there is no way to be root.
    """
    root = as_root()
    if root is None or not shutil.which("apt-get"):
        raise DevError(
            f"these Debian packages are needed: {' '.join(packages)}",
            f"sudo apt-get install {' '.join(packages)}",
        )
    say(f"installing {' '.join(packages)}")
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-yqq", "--no-install-recommends", *packages]
    if run([*root, *install], check=False, env=quiet).returncode != 0:
        # An index that is too old names files that are gone.
        run([*root, "apt-get", "update", "-qq"], check=False)
        run([*root, *install], env=quiet)
