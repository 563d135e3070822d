"""``ws-boot docker-group``."""

import click

from coder_ws_runtime.cli import commands
from coder_ws_runtime.cli.ws_boot.docker_group_step import run
from coder_ws_runtime.layout import Layout


@click.command(
    "docker-group",
    epilog=commands.examples(
        ("ws-boot docker-group", "show whether the user can open the socket"),
        ("sudo ws-boot docker-group", "give the user access"),
    ),
)
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing; show what would be done.")
@commands.with_json
@commands.with_layout
def docker_group(layout: Layout, *, dry_run: bool, as_json: bool) -> int:
    """Give the user access to the Docker socket.

    The socket is the host's, and its group has a number of the host. This gives the group docker that
    number. If another group has the number, the user joins that group; if it is 0, a proxy is started. The
    socket itself is never changed. Only root can do this; without root, it shows what has to be done.

    Programs get their groups when they start. Those that already run are listed; they need a new login.

    Exit status: 0 the user can open the socket or there is none, 1 the user cannot, 2 wrong usage.
    """
    return run(layout, dry_run=dry_run, as_json=as_json)
