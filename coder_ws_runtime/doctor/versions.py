"""Whether a program runs, and its version: it is started once, and again after it has changed.

The doctor checks every minute in every workspace; `claude --version` alone takes longer than all checks.
"""

from __future__ import annotations

import os

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.documents.cache import load_validated
from coder_ws_runtime.system.process import Completed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_SECONDS = 8.0


class _BrokenError(Exception):
    def __init__(self, done: Completed) -> None:
        super().__init__(done.complaint)
        self.done = done


def ask_version(context: Context, program: str) -> Completed:
    """How ``PROGRAM --version`` ended; a success is remembered until the program changes.

    Args:
        context: the workspace.
        program: its path.
    """

    def ask(_: bytes) -> str:
        done = context.run([program, "--version"], timeout=_SECONDS)
        if not done.ok:
            raise _BrokenError(done)
        return done.stdout or done.stderr

    # root starts it each time: the user must not be able to change what root remembers.
    if not context.live or context.uid == 0 or not context.layout.runtime_dir.is_dir():
        return _without_memory(context, program)
    try:
        said: Any = load_validated(
            _identity(program),
            place=program,
            model_file=__file__,
            validate=ask,
            cache_dir=context.layout.runtime_dir / "versions",
        )
    except OSError:
        return _without_memory(context, program)
    except _BrokenError as error:
        return error.done
    return Completed((program, "--version"), 0, str(said), "")


def _without_memory(context: Context, program: str) -> Completed:
    return context.run([program, "--version"], timeout=_SECONDS)


def _identity(program: str) -> bytes:
    """A value that changes when the program does; a change of its mode changes its ctime (inode(7)).

    Raises:
        OSError: it does not exist.
    """
    real = os.path.realpath(program)
    found = os.stat(real)
    return f"{real} {found.st_dev} {found.st_ino} {found.st_size} {found.st_ctime_ns}".encode(
        errors="surrogateescape"
    )
