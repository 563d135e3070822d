"""Options that take a number: what no clock counts is refused in one line, also where click would take it."""

import click
import pytest

from coder_ws_runtime.cli import commands
from devtools.reference import PROGRAMS, walk

OPTIONS = [
    pytest.param(
        program,
        [*context.command_path.split()[1:], option.opts[0]],
        id=f"{context.command_path} {option.name}",
    )
    for program in PROGRAMS
    for context in walk(program, PROGRAMS[program])
    for option in context.command.params
    if isinstance(option, click.Option) and isinstance(option.type, click.types.FloatParamType)
]


def test_there_are_some() -> None:
    assert len(OPTIONS) > 3


@pytest.mark.parametrize("value", ["nan", "inf", "1e300", "many"])
@pytest.mark.parametrize(("program", "words"), OPTIONS)
def test_no_number_of_a_clock(
    program: str, words: list[str], value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run(PROGRAMS[program], [*words[:-1], f"{words[-1]}={value}"], name=program) == 2
    first, *rest = capsys.readouterr().err.splitlines()
    assert first.startswith(f"error: invalid value for '{words[-1]}': ")
    assert "range" in first or value in first
    assert [line.partition(":")[0] for line in rest] == ["hint"]
