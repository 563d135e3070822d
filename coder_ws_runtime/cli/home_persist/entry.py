"""The entry points of ``home-persist``: what units call runs without click."""

from coder_ws_runtime.cli.plain import is_plain, leave
from coder_ws_runtime.cli.process import no_collection, run_plain


def program() -> None:
    """The command ``home-persist``."""
    leave(main())


def main() -> int:
    """Run ``home-persist`` with the arguments of this process, and return its exit status."""
    if is_plain("resolve"):
        with no_collection():
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

    leave(run_command())
