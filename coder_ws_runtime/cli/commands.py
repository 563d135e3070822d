"""How the commands are declared and run: groups, shared options, exit statuses."""

import functools
import importlib
import math
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from coder_ws_runtime import __version__
from coder_ws_runtime.cli import render
from coder_ws_runtime.cli.process import INTERRUPTED, Interrupted, find_layout
from coder_ws_runtime.errors import ExitStatus, UsageError, UserError
from coder_ws_runtime.text import find_nearest, suggest

R = TypeVar("R")

DAY = 86400
"""Seconds; no command waits longer."""
CENTURY = 36525
"""Days; no limit of age is longer."""


class Number(click.FloatRange):
    """A number in a range. For click, ``nan`` is in each."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """The number. Fails as click's types do."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


class Group(click.Group):
    """A command with subcommands, listed in the order of the source. It suggests the nearest name."""

    def add_lazy(self, name: str, module: str, attribute: str) -> None:
        """Add a subcommand whose module is imported only when it is used: start-up time is measured."""
        self._lazy = {**getattr(self, "_lazy", {}), name: (module, attribute)}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand with this name; None if there is none."""
        if cmd_name in getattr(self, "_lazy", {}):
            module, attribute = self._lazy[cmd_name]
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The subcommands in the order in which they were added, not sorted."""
        return [*self.commands, *getattr(self, "_lazy", {})]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without arguments, show the help and exit as for a usage error, in every version of click."""
        if not args and not self.invoke_without_command and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(ExitStatus.USAGE)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand at the start of `args`.

        Raises:
            UsageError: there is no such subcommand; the hint names the nearest.
        """
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-") and not ctx.resilient_parsing:
            raise UsageError(
                f"no such command {name!r}",
                code="cli.usage",
                hint=suggest(name, self.list_commands(ctx)),
            )
        return super().resolve_command(ctx, args)


def group(name: str, *, invoke_without_command: bool = False) -> Callable[[Callable[..., Any]], Group]:
    """Declare the top-level command `name`, with ``-h``, ``--help`` and ``--version``.

    Args:
        name: what users call it.
        invoke_without_command: whether it does something without a subcommand.
    """

    def declare(function: Callable[..., Any]) -> Group:
        declared = click.version_option(__version__, prog_name=name)(function)
        context = {"help_option_names": ["-h", "--help"]}
        return click.group(
            name, cls=Group, context_settings=context, invoke_without_command=invoke_without_command
        )(declared)

    return declare


def with_layout(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` the option ``--root``, which it receives as the argument `layout`."""

    @click.option(
        "--root",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default="/",
        metavar="DIR",
        help="Work on the directory tree DIR as if it were /.",
    )
    @functools.wraps(command)
    def with_root(*args: Any, root: Path, **kwargs: Any) -> R:  # noqa: ANN401 - whatever `command` takes
        return command(*args, layout=find_layout(root), **kwargs)

    return with_root


def with_json(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` the flag ``--json``, which it receives as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")(command)


def with_quiet(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` the flag ``--quiet``, which it receives as the argument `quiet`."""
    return click.option("-q", "--quiet", is_flag=True, help="Print only warnings and errors.")(command)


def examples(*rows: tuple[str, str]) -> str:
    """The examples at the end of a command's help: each row has a command line and what it does."""
    width = max(len(line) for line, _ in rows)
    shown = "\n".join(f"  {line:{width}}  {what}" for line, what in rows)
    return f"\b\nExamples:\n{shown}"


def has_no_subcommand(context: click.Context) -> bool:
    """Whether a group that works without a subcommand should do so: no subcommand was given.

    Raises:
        UsageError: an option of the group is before a subcommand, which would ignore it.
    """
    if context.invoked_subcommand is None:
        return True
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(
                f"{parameter.opts[-1]} has no effect before {context.invoked_subcommand}",
                code="cli.usage",
                hint=f"options of a subcommand come after it: {context.command_path}"
                f" {context.invoked_subcommand} --help shows them",
            )
    return False


def run(
    command: click.Command, args: Sequence[str] | None = None, *, name: str = "", interrupted: str = ""
) -> int:
    """Run `command` to its end and return its exit status. Bugs keep their traceback.

    With ``--json``, an error that ends it becomes a document too: ``error``.

    Args:
        command: returns its exit status; None means success.
        args: its arguments; None means those of this process.
        name: what users call it, if not by its own name.
        interrupted: what to tell a user who pressed Ctrl-C, in addition to "interrupted".
    """
    words = sys.argv[1:] if args is None else list(args)
    try:
        status = command.main(words, prog_name=name or command.name, standalone_mode=False)
    except UserError as error:
        return _fail(error, words)
    except click.UsageError as error:
        return _fail(_usage(error), words)
    except click.ClickException as error:
        render.complain(UserError(_sentence(error.format_message()), code="cli.failed"))
        return error.exit_code
    except Interrupted:
        return INTERRUPTED
    except click.Abort:
        render.complain(UserError("interrupted", code="cli.interrupted", hint=interrupted))
        return INTERRUPTED
    return int(status or ExitStatus.DONE)


def _fail(error: UserError, words: Sequence[str]) -> int:
    """Print the error that ended a command, and return its exit status."""
    if "--json" in words:
        try:
            render.say_document("error", {"error": error.as_dict()})
        except (UserError, BrokenPipeError):  # nobody reads it; the error is on stderr too
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    render.complain(error)
    return error.exit_status


def _usage(error: click.UsageError) -> UsageError:
    """What click found wrong with the command line, in our style."""
    if isinstance(error, click.NoSuchOption):
        message = f"no such option {error.option_name}"
        hint = _nearest_option(error)
    elif isinstance(error, click.BadParameter) and isinstance(error.param, click.Argument) and error.message:
        message, hint = error.message, ""
    else:
        message, hint = error.format_message(), ""
    if not hint and error.ctx is not None:
        hint = f"{error.ctx.command_path} --help shows what it takes"
    for of_click, ours in _PLAINLY.items():
        message = message.replace(of_click, ours)
    return UsageError(_sentence(message), code="cli.usage", hint=hint)


_PLAINLY = {
    "is not a valid float range": "is not a number",
    "is not a valid integer range": "is not a whole number",
}


def _nearest_option(error: click.NoSuchOption) -> str:
    """A hint that names the nearest option; click suggests options that hardly resemble it."""
    known = {option.lstrip("-"): option for option in error.possibilities or ()}
    near = find_nearest(error.option_name.lstrip("-"), list(known), similarity=0.7)
    if near:
        return f"did you mean {known[near]}?"
    if error.option_name.startswith("--") or error.ctx is None:
        return ""
    if any(isinstance(one, click.Argument) for one in error.ctx.command.params):
        return f"put an argument that begins with '-' after --: {error.ctx.command_path} -- …"
    return ""


def _sentence(text: str) -> str:
    """In the style of our messages: one line, no capital at the beginning, no full stop at the end."""
    text = " ".join(text.split()).removesuffix(".")
    return text[:1].lower() + text[1:]
