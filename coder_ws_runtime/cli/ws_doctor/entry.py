"""The entry point of ``ws-doctor``: the call that the agent makes every minute runs without click."""

import sys

from coder_ws_runtime.cli.process import is_plain, no_collection, run_plain


def main() -> None:
    """Entry point of ``ws-doctor``."""
    if is_plain("--metadata"):
        with no_collection():  # also while it runs: that is over in a moment
            from coder_ws_runtime.cli.ws_doctor.look import say_metadata  # noqa: PLC0415 - not for other commands

            sys.exit(run_plain(say_metadata))
    with no_collection():
        from coder_ws_runtime.cli.ws_doctor.main import main as run_command  # noqa: PLC0415 - as above
    run_command()
