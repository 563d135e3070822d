"""`--help` alone has to be enough: every command says what it does, and shows it used."""

from collections.abc import Iterator

import click
import pytest

from coder_ws_runtime.cli.home_persist import home_persist

# They are not for people to type, or only lead to others.
WITHOUT_EXAMPLES = {"home-persist watch", "home-persist attic"}


def commands(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from commands(click.Context(command, parent=context, info_name=name))


ALL = list(commands(click.Context(home_persist, info_name="home-persist")))


@pytest.mark.parametrize("context", ALL, ids=lambda context: context.command_path)
def test_help(context: click.Context) -> None:
    shown = context.get_help()
    assert ("Examples:" in shown) == (context.command_path not in WITHOUT_EXAMPLES)
    for line in shown.partition("Examples:")[2].splitlines():
        assert not line.strip() or line.startswith(("  ", "   ")), "no example is wrapped"
    for parameter in context.command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.opts[-1]} is not explained"


@pytest.mark.parametrize("context", ALL[1:], ids=lambda context: context.command_path)
def test_the_line_in_the_list_is_whole(context: click.Context) -> None:
    assert not context.command.get_short_help_str(limit=66).endswith("...")
