"""``home-persist attic``: replaced versions, and how to get them back."""

import click

from coder_ws_runtime.cli import commands


@click.group(
    cls=commands.Group,
    epilog=commands.examples(
        ("home-persist attic list", "see what there is"),
        ("home-persist attic restore ~/.npmrc", "put the newest copy back"),
    ),
)
def attic() -> None:
    """List replaced versions, and put them back.

    If home and volume both had content, one of them won; the attic keeps the other for 30 days. It also
    keeps what 'home-persist remove' took from the volume, what a program deleted, and what 'home-persist gc'
    removed. It has at most 50 versions of a file, and takes at most a tenth of the volume.
    """


for _name in ("list", "restore", "prune"):
    attic.add_lazy(_name, f"coder_ws_runtime.cli.home_persist.attic_{_name}", f"{_name}_")
