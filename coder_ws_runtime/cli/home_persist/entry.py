"""The entry points of ``home-persist``: what units call runs without click."""

import sys

from coder_ws_runtime.cli.process import is_plain, no_collection, run_plain


def main() -> None:
    """Entry point of ``home-persist``."""
    if is_plain("resolve"):
        with no_collection():
            from coder_ws_runtime.cli.home_persist.resolve import run  # noqa: PLC0415 - not for other commands
        sys.exit(run_plain(run))
    if is_plain("watch"):
        with no_collection():
            from coder_ws_runtime.cli.home_persist.daemon import run as run_daemon  # noqa: PLC0415 - as above
        sys.exit(run_plain(run_daemon))
    from coder_ws_runtime.cli.home_persist.main import main as run_command  # noqa: PLC0415 - as above

    sys.exit(run_command())


def resolve_main() -> None:
    """Entry point of ``home-persist-resolve``, the name of the former shell script."""
    from coder_ws_runtime.cli.home_persist.main import resolve_main as run_command  # noqa: PLC0415 - as above

    sys.exit(run_command())
