"""``home-persist``: what a home keeps."""

import click

from coder_ws_runtime.cli import commands
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system import journal


@commands.group("home-persist")
def home_persist() -> None:
    """Keep files of the home beyond the life of its container.

    Every container has a new home. What is declared lasts: its content is on the volume,
    a file system of yours that every container mounts, and the home has a link to it. Paths are declared
    by manifests of the image (/etc/home-persist.d), by the template, and by you ('add', 'enable').

    Exit status: 0 done, 1 some paths or manifests were refused, 2 wrong usage, 3 no usable volume.
    How it works, and why: /usr/local/share/doc/coder-ws-runtime/persistence.md
    """


@home_persist.command(
    context_settings={"help_option_names": ["-h", "--help"]},  # it is a program of its own, too
    epilog=commands.examples(
        ("home-persist resolve --dry-run", "what would be done"),
        ("home-persist resolve", "do it"),
    ),
)
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing; say what would be done.")
@commands.with_quiet
@commands.with_json
@commands.with_layout
def resolve(layout: Layout, *, dry_run: bool, quiet: bool, as_json: bool) -> int:
    """Make every declared path a link into the volume.

    What the home has and the volume lacks is moved there first. Where both have something, the volume's
    wins, but what took the place of our link since this container began is the newer save and wins over
    the volume's; directories are merged. What loses goes to the attic (home-persist attic list). Nothing
    is ever removed that exists nowhere else. Run it as often as you like; interrupted, it goes on when it
    is run again.

    Exit status: 0 done, 1 some paths or manifests were refused, 2 wrong usage, 3 no usable volume.
    """
    from coder_ws_runtime.cli.home_persist.resolve import run  # noqa: PLC0415 - not for --help

    return run(layout, dry_run=dry_run, quiet=quiet, as_json=as_json)


# In the order of --help. `resolve` is here, because it is what every boot waits for.
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
  workspace  the scope of a path with a copy for each of them
  attic      where replaced versions are kept for 30 days
"""
_EXAMPLES = commands.examples(
    ("home-persist status", "what is kept, and how it is"),
    ("home-persist add ~/.config/gh", "keep a path of your own"),
    ("home-persist available", "what the image can keep besides"),
    ("home-persist add --help", "more of a command"),
)
home_persist.epilog = f"{_WORDS}\n{_EXAMPLES}"

_INTERRUPTED = "nothing is lost: run it again to go on"


def main() -> int:
    """Run ``home-persist`` with the arguments of this process, and return its exit status."""
    return commands.run(home_persist, interrupted=_INTERRUPTED)


def resolve_main() -> int:
    """Run ``home-persist-resolve``, the name that the shell resolver had, and return its exit status."""
    journal.log("home-persist-resolve is the old name of 'home-persist resolve'", journal.DEBUG)
    return commands.run(resolve, name="home-persist-resolve", interrupted=_INTERRUPTED)
