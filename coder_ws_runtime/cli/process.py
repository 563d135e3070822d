"""The process of a command: which workspace it works on, and how it ends. No click: every boot loads this."""

import os
import pwd
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from coder_ws_runtime.cli import render
from coder_ws_runtime.errors import ExitStatus, UserError
from coder_ws_runtime.layout import Layout

INTERRUPTED = 130
"""128 and the number of SIGINT, as a shell reports it."""


class Interrupted(Exception):  # noqa: N818 - not an error of the command's
    """The user pressed Ctrl-C, or SIGTERM came; the user has been told."""


def find_layout(root: Path = Path("/")) -> Layout:
    """The layout of the workspace below `root`, with what the environment overrides."""
    return Layout.of(root, _environment())


def _environment() -> Mapping[str, str]:
    """The environment. root's own home is not the one that persists: what root looks at is the user's."""
    if os.geteuid() == 0 and os.environ.get("HOME") == pwd.getpwuid(0).pw_dir:
        return {name: value for name, value in os.environ.items() if name != "HOME"}
    return os.environ


def is_plain(*words: str) -> bool:
    """Whether this process was called with just these words, away from a terminal, as a unit calls it.

    Such a call needs no click, which takes longer to load than the work takes.
    """
    completing = any(name.endswith("_COMPLETE") for name in os.environ)
    return sys.argv[1:] == list(words) and not completing and not render.terminal(sys.stdout)


def run_plain(function: Callable[[Layout], int]) -> int:
    """Run the work of a command without click, and return its exit status; bugs keep their traceback.

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
        # Who read stdout has had enough; Python flushes it once more when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ExitStatus.REFUSED
