"""``home-persist``: keeps declared paths of the home."""

import click

from coder_ws_runtime.cli import commands
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system import journal


@commands.group("home-persist")
def home_persist() -> None:
    """Keep files of your home when its container is replaced.

    Every container starts with a new home. Declared paths are kept: their content is on a volume, which
    all your containers mount, and the home has links to it. Paths are declared by manifests of the image
    (/etc/home-persist.d), by the template, and by you ('add', 'enable').

    Exit status: 0 done, 1 some paths or manifests were refused, 2 wrong usage, 3 no usable volume.

    More: /usr/local/share/doc/coder-ws-runtime/docs/persistence.md
    """


@home_persist.command(
    context_settings={"help_option_names": ["-h", "--help"]},  # it is also a program of its own
    epilog=commands.examples(
        ("home-persist resolve --dry-run", "show what would be done"),
        ("home-persist resolve", "do it"),
    ),
)
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing; show what would be done.")
@commands.with_quiet
@commands.with_json
@commands.with_layout
def resolve(layout: Layout, *, dry_run: bool, quiet: bool, as_json: bool) -> int:
    """Make every declared path a link into the volume.

    Content that is only in the home is moved to the volume first. If the home and the volume both have
    content, directories are merged, and of two versions of a file, the newer save wins; a file from the
    image counts as older. The other version goes to the attic (home-persist attic list). Nothing is removed
    unless the same bytes exist somewhere else. You can run this at any time; after an interruption, run it
    again to continue.

    Exit status: 0 done, 1 some paths or manifests were refused, 2 wrong usage, 3 no usable volume.
    """
    from coder_ws_runtime.cli.home_persist.resolve import run  # noqa: PLC0415 - not for --help

    return run(layout, dry_run=dry_run, quiet=quiet, as_json=as_json)


# In the order of --help. `resolve` is in this module because every boot waits for it.
for _module, *_names in (
    ("status", "status"),
    ("add", "add"),
    ("remove", "remove"),
    ("optional", "available", "enable", "disable"),
    ("attic", "attic"),
    ("validate", "validate", "schema"),
    ("migrate", "migrate"),
    ("gc", "gc"),
    ("watch", "watch"),
    ("compile", "compile"),
):
    for _name in _names:
        home_persist.add_lazy(_name, f"coder_ws_runtime.cli.home_persist.{_module}", _name)

_WORDS = """\b
Words:
  seeded     moved to the volume for the first time
  merged     both had content: what the volume lacked was moved to it
  owner      the scope of a path with one copy for all your workspaces
  workspace  the scope of a path with one copy for each workspace
  attic      where replaced versions are kept for 30 days
"""
_EXAMPLES = commands.examples(
    ("home-persist status", "show what is kept, and its state"),
    ("home-persist add ~/.config/gh", "keep another path"),
    ("home-persist available", "list the tools whose files the image can keep too"),
    ("home-persist add --help", "help for one command"),
)
home_persist.epilog = f"{_WORDS}\n{_EXAMPLES}"

_INTERRUPTED = "nothing is lost: run it again to continue"


def main() -> int:
    """Run ``home-persist`` with the arguments of this process, and return its exit status."""
    return commands.run(home_persist, interrupted=_INTERRUPTED)


def resolve_main() -> int:
    """Run ``home-persist-resolve``, the name of the former shell script, and return its exit status."""
    journal.log("home-persist-resolve is the old name of 'home-persist resolve'", journal.DEBUG)
    return commands.run(resolve, name="home-persist-resolve", interrupted=_INTERRUPTED)
