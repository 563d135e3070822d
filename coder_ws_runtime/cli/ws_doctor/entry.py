"""The entry point of ``ws-doctor``: the call that the agent makes every minute runs without click."""

from coder_ws_runtime.cli.plain import is_plain, leave
from coder_ws_runtime.cli.process import no_collection, run_plain


def program() -> None:
    """The command ``ws-doctor``."""
    leave(main())


def main() -> int:
    """Run ``ws-doctor`` with the arguments of this process, and return its exit status."""
    if is_plain("--metadata"):
        with no_collection():  # also while it runs: that is over in a moment
            from coder_ws_runtime.cli.ws_doctor.look import say_metadata  # noqa: PLC0415 - not for other commands

            return run_plain(say_metadata)
    with no_collection():
        from coder_ws_runtime.cli.ws_doctor.main import main as run_command  # noqa: PLC0415 - as above
    return run_command()
