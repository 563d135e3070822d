"""The process of a command: its workspace and how it ends. Without click: every boot loads this."""

from __future__ import annotations

import atexit
import gc
import os
import pwd
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from coder_ws_runtime.cli import render
from coder_ws_runtime.errors import ExitStatus, UserError
from coder_ws_runtime.layout import Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


INTERRUPTED = 130
"""128 plus the number of SIGINT, as a shell reports it."""


class Interrupted(Exception):  # noqa: N818 - not an error of the command's
    """The user pressed Ctrl-C, or SIGTERM arrived. The user has been informed."""


def find_layout(root: Path = Path("/")) -> Layout:
    """The layout of the workspace at `root`, with what the environment overrides."""
    return Layout.of(root, _environment())


def _environment() -> Mapping[str, str]:
    """The environment. root's own home is not persisted: root works on the user's."""
    if os.geteuid() == 0 and os.environ.get("HOME") == pwd.getpwuid(0).pw_dir:
        return {name: value for name, value in os.environ.items() if name != "HOME"}
    return os.environ


@contextmanager
def no_collection() -> Iterator[None]:
    """Import without the garbage collector: what modules define stays, and it would look at all of that."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def is_plain(*words: str) -> bool:
    """Whether this process was called with exactly these words and without a terminal, as by a unit.

    Such a call does not need click, which takes longer to load than the work takes.
    """
    completing = any(name.endswith("_COMPLETE") for name in os.environ)
    return sys.argv[1:] == list(words) and not completing and not render.terminal(sys.stdout)


def run_plain(function: Callable[[Layout], int]) -> int:
    """Run the work of a command without click, and return its exit status. Bugs keep their traceback.

    Args:
        function: the work; it returns the exit status.
    """
    try:
        return function(find_layout())
    except UserError as error:
        render.complain(error)
        return error.exit_status
    except Interrupted:
        return INTERRUPTED
    except KeyboardInterrupt:
        render.complain(UserError("interrupted", code="cli.interrupted"))
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has closed it; Python flushes it once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitStatus.REFUSED


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
