"""``home-persist attic``: the versions that were replaced, and how to get them back."""

import click

from coder_ws_runtime.cli import commands


@click.group(
    cls=commands.Group,
    epilog=commands.examples(
        ("home-persist attic list", "what is there"),
        ("home-persist attic restore ~/.npmrc", "put the newest copy back"),
    ),
)
def attic() -> None:
    """List the versions that were replaced, and put them back.

    Where home and volume both had content, one of them won; the other is kept here for 30 days, and so
    is what 'home-persist remove' took from the volume, what a program deleted, and what 'home-persist gc'
    collected. There are at most 50 versions of a file; together they take at most a tenth of the volume.
    """


for _name in ("list", "restore", "prune"):
    attic.add_lazy(_name, f"coder_ws_runtime.cli.home_persist.attic_{_name}", f"{_name}_")
