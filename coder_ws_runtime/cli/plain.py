"""A process that units and agents call: what is needed before anything that is slow to load."""

from __future__ import annotations

import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def is_plain(*words: str, terminal: bool = False) -> bool:
    """Whether this process was called with exactly these words, and not on a terminal, as by a unit.

    Such a call does not need click, which takes longer to load than the work takes.

    Args:
        words: the arguments.
        terminal: whether a terminal does not matter.
    """
    completing = any(name.endswith("_COMPLETE") for name in os.environ)
    seen = not terminal and sys.stdout is not None and sys.stdout.isatty()
    return sys.argv[1:] == list(words) and not completing and not seen


def leave(status: int) -> NoReturn:
    """End this process with an exit status, and leave it to the kernel to free what it holds.

    Python would take its modules apart one by one, which takes a seventh of the time of a short command.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:  # None: it was closed before the command began
                stream.flush()
    except OSError:
        sys.exit(status)  # Python tries once more, and says what is wrong
    atexit._run_exitfuncs()  # noqa: SLF001 - os._exit() leaves them out
    os._exit(status)
