"""``ws-boot memory``."""

import click

from coder_ws_runtime.boot.memory import end_one_at_a_time
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.layout import Layout


@click.command(
    "memory",
    epilog=commands.examples(("sudo ws-boot memory", "end one program, not the workspace")),
)
@commands.with_layout
def memory(layout: Layout) -> None:
    """End one program when memory runs out, not the whole workspace.

    Kubernetes has the kernel end all programs of a container at once. This changes it to end only one. If
    that is already so or cannot be changed, this says so. The unit ws-memory.service runs it.
    """
    ending = end_one_at_a_time(layout)
    render.say(f"when memory runs out, the kernel ends {ending.value}", {"step": "memory"})
