"""Runs verbs of the driver, each in a process of its own, without the time that loading takes.

One process loads everything and forks a child for each run. strace(1) attaches to the child before it begins,
so it sees what the verb does and nothing of Python's start.
"""

import atexit
import ctypes
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import IO, NamedTuple

from devtools.shell import ROOT

# prctl(2): with the Yama security module only a parent may attach to a process that does not say this.
_PR_SET_PTRACER, _ANY = 0x59616D61, -1
# All but the message that it is attached, which is waited for. Not --seccomp-bpf: with it strace 6.1 injects
# nothing.
_STRACE = ("strace", "--quiet=exit,path-resolution,personality,thread-execve,superseded", "--signal=none")


class Ended(NamedTuple):
    """How a run ended, as :class:`subprocess.CompletedProcess` has it."""

    returncode: int
    stdout: str
    stderr: str


@cache
def server() -> "Server":
    """The one of this process, which ends with it."""
    made = Server()
    atexit.register(made.close)
    return made


class Server:
    """The process that forks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.server"],
            cwd=ROOT,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, verb: str, environment: Mapping[str, str], strace: Sequence[str] = ()) -> Ended:
        """Run one verb.

        Args:
            verb: of the driver.
            environment: of the run.
            strace: words for strace(1), which is not started without any.
        """
        assert self._process.stdin
        assert self._process.stdout
        request = {"verb": verb, "environment": dict(environment), "strace": list(strace)}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return Ended(*json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End the process."""
        with self._process:
            assert self._process.stdin
            self._process.stdin.close()


def _serve(main: Callable[[str], int]) -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(_run(main, **request)), flush=True)


def _run(
    main: Callable[[str], int], verb: str, environment: Mapping[str, str], strace: Sequence[str]
) -> Ended:
    reading, writing = os.pipe()
    is_ready, ready = os.pipe()
    with os.fdopen(os.memfd_create("stdout"), "w+") as out, os.fdopen(os.memfd_create("stderr"), "w+") as err:
        child = os.fork()
        if child == 0:
            os.close(writing)
            ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANY, 0, 0, 0)
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            os.environ.clear()
            os.environ.update(environment)
            os.write(ready, b"1")
            os.read(reading, 1)  # until strace is attached
            os._exit(_status(main, verb))
        os.close(reading)
        os.read(is_ready, 1)
        os.close(is_ready)
        os.close(ready)
        if strace:
            _trace(child, strace, writing)
        else:
            os.close(writing)
        _, status = os.waitpid(child, 0)
        return Ended(os.waitstatus_to_exitcode(status), _text(out), _text(err))


def _trace(child: int, strace: Sequence[str], writing: int) -> None:
    """Let the child begin under strace, until one of them ends."""
    argv = [*_STRACE, *strace, "-p", str(child)]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as tracing:
        assert tracing.stderr
        said = tracing.stderr.readline()
        os.close(writing)
        assert "attached" in said, said


def _status(main: Callable[[str], int], verb: str) -> int:
    """Run a verb to its end, as an interpreter of its own would."""
    try:
        status = main(verb)
    except BaseException:  # noqa: BLE001 - whatever it is, the child ends here
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _text(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


if __name__ == "__main__":
    from tests.crash import driver  # the client needs nothing of what it loads

    driver.load_everything()
    _serve(driver.run)
