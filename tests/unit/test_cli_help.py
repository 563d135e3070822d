"""`--help` alone has to be enough: every command says what it does, and shows it used."""

from collections.abc import Iterator

import click
import pytest

from coder_ws_runtime.cli import commands
from coder_ws_runtime.cli.home_persist.main import home_persist, resolve
from coder_ws_runtime.cli.ws_boot.main import command as ws_boot
from coder_ws_runtime.cli.ws_doctor.main import ws_doctor

# They are not for people to type.
WITHOUT_EXAMPLES = {"home-persist watch", "ws-boot web-shell"}


def walked(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from walked(
                click.Context(command, parent=context, info_name=name, **command.context_settings)
            )


TOP = (("home-persist", home_persist), ("ws-boot", ws_boot), ("ws-doctor", ws_doctor))
ALL = [one for name, top in TOP for one in walked(click.Context(top, info_name=name, **top.context_settings))]


@pytest.mark.parametrize("context", ALL, ids=lambda context: context.command_path)
def test_help(context: click.Context) -> None:
    shown = context.get_help()
    assert ("Examples:" in shown) == (context.command_path not in WITHOUT_EXAMPLES)
    for line in shown.partition("Examples:")[2].splitlines():
        assert not line.strip() or line.startswith(("  ", "   ")), "no example is wrapped"
    for parameter in context.command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.opts[-1]} is not explained"


@pytest.mark.parametrize(
    "context", [one for one in ALL if one.parent], ids=lambda context: context.command_path
)
def test_the_line_in_the_list_is_whole(context: click.Context) -> None:
    assert not context.command.get_short_help_str(limit=66).endswith("...")


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_the_old_name_of_resolve(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(resolve, [word], name="home-persist-resolve") == 0
    assert capsys.readouterr().out.startswith("Usage: home-persist-resolve [OPTIONS]\n")
