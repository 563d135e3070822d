"""The entry point of ``ws-boot``: calls by units and by the template's script run without click."""

from collections.abc import Callable

from coder_ws_runtime.cli.plain import is_plain, leave
from coder_ws_runtime.cli.process import no_collection, run_plain
from coder_ws_runtime.layout import Layout


def program() -> None:
    """The command ``ws-boot``."""
    leave(main())


def main() -> int:
    """Run ``ws-boot`` with the arguments of this process, and return its exit status."""
    with no_collection():
        step = _plain_step()
    if step is not None:
        return run_plain(step)
    from coder_ws_runtime.cli.ws_boot.main import main as run_command  # noqa: PLC0415 - slow to import

    return run_command()


def _plain_step() -> Callable[[Layout], int] | None:
    """The work of a step that is called without options; each imports only what it needs."""
    if is_plain("docker-group"):
        from coder_ws_runtime.cli.ws_boot.docker_group_step import run as group  # noqa: PLC0415 - as above

        return group
    if is_plain("jetbrains"):
        from coder_ws_runtime.cli.ws_boot.jetbrains_step import run as jetbrains  # noqa: PLC0415 - as above

        return jetbrains
    if is_plain("hooks"):
        from coder_ws_runtime.cli.ws_boot.hooks_step import run_all  # noqa: PLC0415 - as above

        return run_all
    if is_plain("hooks", "--once"):
        from coder_ws_runtime.cli.ws_boot.hooks_step import run_once  # noqa: PLC0415 - as above

        return run_once
    return None
