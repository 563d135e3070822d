"""The process of a command: its workspace and how it ends. Without click: every boot loads this."""

from __future__ import annotations

import gc
import os
import pwd
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from coder_ws_runtime.cli import render
from coder_ws_runtime.errors import ExitStatus, UserError
from coder_ws_runtime.layout import Layout

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
