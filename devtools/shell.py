"""Run programs and say so; the standard library only, `./dev` starts without anything else."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""
STATE = ROOT / ".dev"
"""What `./dev` keeps between two calls; safe to delete."""


class DevError(Exception):
    """Something that the user of `./dev` can fix. The second argument says how."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def say(message: str) -> None:
    """Print what is being done."""
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
    try:
        done = subprocess.run(
            words,
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env=None if env is None else {**os.environ, **env},
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError as error:
        done = subprocess.CompletedProcess(words, 127, b"", f"{error.filename}: not found".encode())
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


def default_path() -> str:
    """PATH, with the directories of system programs that a user's may lack."""
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"


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
    """Ask on a terminal; elsewhere the answer is yes, and this is printed."""
    if not sys.stdin.isatty() or os.environ.get("CI"):
        say(f"{question} (no terminal to ask on: yes)")
        return True
    return input(f"==> {question} [Y/n] ").strip().lower() in ("", "y", "yes")


def apt_install(packages: Sequence[str], why: str) -> None:
    """Install Debian packages, after asking.

    Args:
        packages: their names; those that this release of Debian or Ubuntu does not have are left out.
        why: a clause that ends in what they are for, for the question.

    Raises:
        DevError: this is no Debian, there is no way to be root, or the answer was no.
    """
    by_hand = f"sudo apt-get install {' '.join(packages)}"
    root = as_root()
    if not shutil.which("apt-get"):
        raise DevError(f"{why}, and there is no apt-get to install {' '.join(packages)}", "install them")
    if root is None:
        raise DevError(f"{why}, and only root can install {' '.join(packages)}", by_hand)
    if not ask(f"{why}: install {' '.join(packages)} with apt-get?"):
        raise DevError(why, by_hand)
    # sudo passes no environment on.
    apt = [*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    install = ["install", "-yqq", "--no-install-recommends"]
    known = [name for name in packages if _has_candidate(name)]
    # An index that is missing or too old names files that are not there.
    if known != list(packages) or run([*apt, *install, *known], check=False).returncode != 0:
        run([*apt, "update", "-qq"], check=False)
        run([*apt, *install, *(name for name in packages if _has_candidate(name))])


def _has_candidate(package: str) -> bool:
    """Whether apt could install a package."""
    known = run(["apt-cache", "policy", package], check=False).stdout
    return "Candidate: " in known and "Candidate: (none)" not in known
