"""The one way to run another program."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended.

    `status` is its exit status, minus the signal's number if a signal ended it, 124 if the time
    limit did (as with timeout(1)), and 127 if there is no such program (as with a shell).
    """

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it ended with status 0."""
        return self.status == 0

    @property
    def complaint(self) -> str:
        """The last line that it wrote to stderr, or how it ended: for one-line messages."""
        lines = self.stderr.strip().splitlines()
        return lines[-1] if lines else f"{self.argv[0]} ended with status {self.status}"


TIMED_OUT = 124
NOT_FOUND = 127


class Runner(Protocol):
    """What runs a program; tests give another one."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
    ) -> Completed:
        """Run `argv` to its end, `timeout` seconds at most, and return how it ended."""


def run(
    argv: Sequence[str],
    *,
    timeout: float = 30.0,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> Completed:
    """Run a program to its end and capture what it prints. Never raises for how it ends.

    Args:
        argv: program and arguments; no shell is involved.
        timeout: seconds; after them the program is killed.
        env: its whole environment, or None for ours.
        stdin: what it reads; None closes its standard input.
    """
    args = tuple(argv)
    try:
        done = subprocess.run(
            args,
            env=None if env is None else dict(env),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Completed(args, TIMED_OUT, "", f"{args[0]} did not end within {timeout:g} s")
    except FileNotFoundError:
        return Completed(args, NOT_FOUND, "", f"{args[0]}: not found")
    except PermissionError:
        return Completed(args, 126, "", f"{args[0]}: permission denied")
    return Completed(args, done.returncode, done.stdout, done.stderr)
