"""The entry point of ``ws-doctor``: the agent's call of every minute, and people's, run without click."""

import os
import sys

from coder_ws_runtime.cli.plain import is_plain, leave
from coder_ws_runtime.doctor import glance
from coder_ws_runtime.system import journal


def program() -> None:
    """The command ``ws-doctor``."""
    leave(main())


def main() -> int:
    """Run ``ws-doctor`` with the arguments of this process, and return its exit status."""
    plain = is_plain("--metadata")
    if plain and sys.stdout is not None and not journal.connected() and glance.is_unchanged(glance.MEMORY):
        return _say_well()
    # After that, because it takes as long to load as the glance takes.
    from coder_ws_runtime.cli.process import no_collection, run_plain  # noqa: PLC0415

    if plain:
        with no_collection():  # also while it runs: that is over in a moment
            from coder_ws_runtime.cli.ws_doctor.look import say_metadata  # noqa: PLC0415 - not for other commands

            return run_plain(say_metadata)
    if is_plain(terminal=True) or is_plain("--strict", terminal=True):
        with no_collection():
            from coder_ws_runtime.cli.ws_doctor.look import say_report  # noqa: PLC0415 - as above

        return run_plain(lambda layout: say_report(layout, strict=len(sys.argv) > 1))
    with no_collection():
        from coder_ws_runtime.cli.ws_doctor.main import main as run_command  # noqa: PLC0415 - as above
    return run_command()


def _say_well() -> int:
    """Print the line, and return the exit status, which a reader that has gone changes."""
    try:
        os.write(sys.stdout.fileno(), f"{glance.WELL}\n".encode())
    except BrokenPipeError:
        return 1  # ExitStatus.REFUSED, as of a complete look
    return 0
