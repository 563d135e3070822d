"""The entry points of ``home-persist``: what units call runs without click."""

import gc
import os
import sys

from coder_ws_runtime.system.journal import notify

WATCH_REPORT = "/run/coder-ws/watch.json"
"""Layout.watch_report, which takes too long to load here."""


def program() -> None:
    """The command ``home-persist``."""
    status = main()
    from coder_ws_runtime.cli.plain import leave  # noqa: PLC0415 - see main()

    leave(status)


def main() -> int:
    """Run ``home-persist`` with the arguments of this process, and return its exit status."""
    if sys.argv[1:] == ["watch"] and not os.path.exists(WATCH_REPORT):
        # At boot, before all imports: ExecStop=, which waits for what programs save last, is called only if
        # the unit was ready. The home is in place: resolve has run. What programs save before the daemon
        # watches is found by its first look at every path. Who restarts it later waits for that look.
        notify("READY=1")
    from coder_ws_runtime.cli.plain import is_plain  # noqa: PLC0415 - as above
    from coder_ws_runtime.cli.process import no_collection, run_plain  # noqa: PLC0415 - as above

    if is_plain("resolve"):
        gc.disable()  # to the end: what this makes is needed until then
        from coder_ws_runtime.cli.home_persist.resolve import run  # noqa: PLC0415 - not for other commands

        return run_plain(run)
    if is_plain("watch"):
        with no_collection():
            from coder_ws_runtime.cli.home_persist.daemon import run as run_daemon  # noqa: PLC0415 - as above
        return run_plain(run_daemon)
    from coder_ws_runtime.cli.home_persist.main import main as run_command  # noqa: PLC0415 - as above

    return run_command()


def resolve_program() -> None:
    """The command ``home-persist-resolve``, the name of the former shell script."""
    from coder_ws_runtime.cli.home_persist.main import resolve_main as run_command  # noqa: PLC0415 - as above
    from coder_ws_runtime.cli.plain import leave  # noqa: PLC0415 - as above

    leave(run_command())
