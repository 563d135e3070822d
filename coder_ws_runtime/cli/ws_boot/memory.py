"""``ws-boot memory``."""

import click

from coder_ws_runtime.boot.memory import end_one_at_a_time
from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.layout import Layout


@click.command(
    "memory",
    epilog=commands.examples(("sudo ws-boot memory", "let one program end, not the workspace")),
)
@commands.with_layout
def memory(layout: Layout) -> None:
    """Let one program end when memory runs out, not the whole workspace.

    Kubernetes has the kernel end all programs of a container at once. This asks it to end the one that
    wants too much. Where that is so already, or cannot be changed, it says so. The unit ws-memory.service
    runs this.
    """
    ending = end_one_at_a_time(layout)
    render.say(f"when memory runs out, the kernel ends {ending.value}", {"step": "memory"})
