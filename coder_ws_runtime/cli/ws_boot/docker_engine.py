"""``ws-boot docker-engine``."""

import os
import shlex

import click

from coder_ws_runtime.boot import docker_engine as boot
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.loading import workspace_settings
from coder_ws_runtime.errors import UsageError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.settings import Engine


@click.command(
    "docker-engine",
    epilog=commands.examples(("ws-boot docker-engine --dry-run", "how dockerd is started here")),
)
@click.option("-n", "--dry-run", is_flag=True, help="Start nothing; print the command line.")
@commands.with_layout
def docker_engine(layout: Layout, *, dry_run: bool) -> None:
    """Become dockerd, the Docker engine of this workspace.

    It uses the socket that systemd passes to it, the MTU of the workspace's network, and the address pools
    from the settings. The unit ws-docker-engine.service runs this, in images that have an engine.
    """
    values, faults = workspace_settings(layout)
    for fault in faults:
        render.complain(fault)
    if values.engine is not Engine.OWN:
        raise UsageError(
            f"the settings say that the engine is {values.engine.value!r}, not the workspace's own",
            code="docker-engine.not-own",
            place=str(layout.settings_file),
            hint="use the image without an engine, or the template that gives each workspace its own engine",
        )
    words = boot.command(
        layout,
        values.docker,
        cgroup=boot.own_cgroup(_text(f"{layout.proc}/self/cgroup")),
        unified=(layout.cgroups / "cgroup.controllers").exists(),
        network_mtu=boot.network_mtu(_text(f"{layout.proc}/net/route"), layout.interfaces),
    )
    if dry_run:
        click.echo(shlex.join(words))
        return
    try:
        os.execv(words[0], words)  # noqa: S606
    except OSError as error:
        raise UsageError(
            f"{words[0]} cannot be started: {error.strerror}",
            code="docker-engine.missing",
            hint="images whose tag ends in -engine have it",
        ) from error


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
