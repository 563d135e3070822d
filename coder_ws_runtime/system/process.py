"""The one way to run another program.

Modules that start and attend programs are imported there: a boot step that has nothing to do loads faster.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence

from coder_ws_runtime.dataclass import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended.

    `status` is its exit status, minus the signal's number if a signal ended it, 124 if the time limit did (as
    in timeout(1)), and 127 if there is no such program (as in a shell).
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
NOT_STARTED = 126
NOT_FOUND = 127

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

_READ = 65536
_LAST_READS = 64
"""How much is read after the end: more than a pipe holds (pipe(7)), however small the pieces."""


if TYPE_CHECKING:

    class Runner(Protocol):
        """Runs a program; tests use another one."""

        def __call__(
            self,
            argv: Sequence[str],
            *,
            timeout: float = 30.0,
            env: Mapping[str, str] | None = None,
            stdin: str | None = None,
        ) -> Completed:
            """Run `argv` to its end, for at most `timeout` seconds, and return how it ended."""

else:
    Runner = object  # for annotations


def find_program(name: str, path: str | None) -> str | None:
    """Where a program is, as :func:`shutil.which` finds it; that module takes longer to load than to do this.

    Args:
        name: without a slash.
        path: directories with colons between; None: the system's default.
    """
    for directory in (os.defpath if path is None else path).split(os.pathsep):
        file = os.path.join(directory, name)
        if os.path.isfile(file) and os.access(file, os.X_OK):
            return os.path.abspath(file)
    return None


def run(
    argv: Sequence[str],
    *,
    timeout: float = 30.0,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> Completed:
    """Run a program to its end and capture its output. Never raises, however it ends.

    It works in ``/``: the directory in which we were called may be removed, or a broken repository.

    Args:
        argv: program and arguments; no shell is involved.
        timeout: seconds; after that, the program is killed.
        env: its whole environment, or None for ours.
        stdin: its input; None closes its standard input.
    """
    import subprocess  # noqa: PLC0415 - see the module's docstring

    args = tuple(argv)
    try:
        done = subprocess.run(
            args,
            cwd="/",
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
    except OSError as error:
        # We may not execute it, it is for another kind of machine, or it is damaged.
        return Completed(args, NOT_STARTED, "", f"{args[0]}: {error.strerror or error}".lower())
    return Completed(args, done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True, slots=True)
class Program:
    """A program to run, its whole environment, and its working directory."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str


def supervise(
    program: Program,
    *,
    timeout: float,
    output: Callable[[bytes], None],
    waiting: Sequence[tuple[float, Callable[[], None]]] = (),
) -> Completed:
    """Run a program that may print much or hang, in its own process group.

    Its output is passed to `output` as it arrives; the result's `stdout` is empty. Programs that it leaves
    running continue, but nobody reads their output. If the time is over, or an exception such as
    KeyboardInterrupt leaves this function, the whole group is ended: with SIGTERM, and after `GRACE` seconds
    with SIGKILL.

    Args:
        program: the program to run.
        timeout: its time limit in seconds.
        output: gets what it writes to stdout and stderr.
        waiting: functions to call while it runs, each after a number of seconds.
    """
    import subprocess  # noqa: PLC0415 - see the module's docstring

    args = program.argv
    # A signal between the start and the `try` below would leave the program running.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        child = subprocess.Popen(
            args,
            env=dict(program.env),
            cwd=program.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask),  # noqa: PLW1509 - no threads
        )
    except OSError as error:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        return Completed(args, NOT_STARTED, "", error.strerror or str(error))
    assert child.stdout is not None  # noqa: S101 - it is a pipe
    # Readable once the child has ended; it stays a zombie until wait(), so its group ID is not reused.
    ended = os.pidfd_open(child.pid)
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        in_time = _attend(child.stdout.fileno(), ended, timeout, output, sorted(waiting, key=_moment))
    except BaseException:
        _end_group(child.pid, ended)
        raise
    else:
        if not in_time:
            _end_group(child.pid, ended)
    finally:
        child.wait()
        child.stdout.close()
        os.close(ended)
    if not in_time:
        return Completed(args, TIMED_OUT, "", f"{args[0]} did not end within {timeout:g} s")
    return Completed(args, child.returncode, "", "")


def _moment(call: tuple[float, Callable[[], None]]) -> float:
    return call[0]


def _attend(
    pipe: int,
    ended: int,
    timeout: float,
    output: Callable[[bytes], None],
    waiting: list[tuple[float, Callable[[], None]]],
) -> bool:
    """Pass on the child's output until it ends or `timeout` is over; returns whether it ended."""
    import selectors  # noqa: PLC0415 - see the module's docstring

    began = time.monotonic()
    os.set_blocking(pipe, False)
    with selectors.DefaultSelector() as ready:
        ready.register(pipe, selectors.EVENT_READ)
        ready.register(ended, selectors.EVENT_READ)
        while True:
            passed = time.monotonic() - began
            while waiting and waiting[0][0] <= passed < timeout:
                waiting.pop(0)[1]()
            # Do not read to EOF: a program that was left running may keep the pipe open.
            late = passed >= timeout
            patience = 0 if late else min([timeout, *map(_moment, waiting)]) - passed
            keys = {key.fd for key, _ in ready.select(patience)}
            if late or ended in keys:
                for _ in range(_LAST_READS):
                    if not _pass_on(pipe, output):
                        break
                return ended in keys
            if pipe in keys and not _pass_on(pipe, output):
                ready.unregister(pipe)


def _pass_on(pipe: int, output: Callable[[bytes], None]) -> bool:
    """Read once; returns whether there was any output."""
    try:
        data = os.read(pipe, _READ)
    except BlockingIOError:
        return False
    if data:
        output(data)
    return bool(data)


def _end_group(leader: int, ended: int) -> None:
    """End a process group with SIGTERM, and with SIGKILL once its leader has ended or `GRACE` is over."""
    import selectors  # noqa: PLC0415 - see the module's docstring

    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGTERM)
    with selectors.DefaultSelector() as ready:
        ready.register(ended, selectors.EVENT_READ)
        ready.select(GRACE)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
