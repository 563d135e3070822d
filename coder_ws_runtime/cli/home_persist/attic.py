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

    The attic keeps for 30 days what a newer save replaced, files whose link was deleted, and what
    'home-persist remove' and 'home-persist gc' took from the volume. It is not a backup: it has no copy of
    what a program overwrites in place, or deletes inside a kept directory. It has at most 50 versions of a
    file, and takes at most a tenth of the volume.
    """


for _name in ("list", "restore", "prune"):
    attic.add_lazy(_name, f"coder_ws_runtime.cli.home_persist.attic_{_name}", f"{_name}_")
