"""Ask a program that answers at once, without :mod:`.process`: its modules take longer than the answer."""

from __future__ import annotations

import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_READ = 65536
_KILL = 9
"""SIGKILL; the module `signal` loads `enum`."""


def output_of(argv: Sequence[str], limit: float) -> str | None:
    """What a program writes to its standard output; None if it fails, or does not end in time.

    Args:
        argv: the program, which is looked for on PATH, and its arguments.
        limit: seconds; after that, the program is killed.
    """
    reading, writing = os.pipe()
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, writing, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    try:
        child = os.posix_spawnp(argv[0], list(argv), os.environ, file_actions=actions)
    except OSError:
        os.close(reading)
        return None
    finally:
        os.close(writing)
    said, ended = _read(reading, time.monotonic() + limit)
    os.close(reading)
    if not ended:
        os.kill(child, _KILL)
    _, status = os.waitpid(child, 0)
    return said.decode(errors="replace") if ended and status == 0 else None


def _read(pipe: int, deadline: float) -> tuple[bytes, bool]:
    """What is written to a pipe, and whether all writers closed it before `deadline`."""
    said = b""
    while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
        data = os.read(pipe, _READ)
        if not data:
            return said, True
        said += data
    return said, False
