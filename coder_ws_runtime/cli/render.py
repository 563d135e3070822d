"""How the commands speak: reports, errors, exit statuses, and the options they share.

A report line goes to one place only. Where stderr is the journal it becomes a record with fields,
elsewhere it is printed; so nothing is logged twice, and what a user sees in Coder's log is what the
journal has.
"""

import functools
import importlib
import json
import os
import pwd
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from coder_ws_runtime import __version__, journal, sizes
from coder_ws_runtime.errors import ExitStatus, UsageError, UserError
from coder_ws_runtime.layout import Layout

if TYPE_CHECKING:
    from coder_ws_runtime.fs.usage import Usage

size = sizes.size


def usage(found: "Usage | None") -> str:
    """What a tree takes; with '>' in front where it was not counted to the end."""
    if found is None:
        return "-"
    return f"{'' if found.complete else '> '}{size(found.size)}"


INTERRUPTED = 130
"""128 and the number of SIGINT, as a shell reports it."""

Fields = Mapping[str, object]

R = TypeVar("R")

_LONE = re.compile("[\ud800-\udfff]")
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def terminal(stream: TextIO | None) -> bool:
    """Whether `stream` is a terminal that takes escape sequences; one that was closed (None) is none."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") != "dumb"


def coloured(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that shows colours, and its user wants them (no-color.org)."""
    return terminal(stream) and not os.environ.get("NO_COLOR")


def style(text: str, **how: Any) -> str:  # noqa: ANN401 - what click.style takes
    """`text` in colour. Whoever prints it takes the colour out again where it is not wanted."""
    return click.style(text, **how)


def plain(text: str) -> str:
    """`text` without what :func:`style` put in."""
    return _ESCAPES.sub("", text)


def say(message: str, fields: Fields | None = None, priority: int = journal.INFO) -> None:
    """One line of the report: to the journal with its fields, or to stdout."""
    _write(message, sys.stdout, fields, priority)


def warn(message: str, fields: Fields | None = None) -> None:
    """One line about something that is not as it should be: to the journal, or to stderr."""
    prefix = "" if journal.connected() else style("warning: ", fg="yellow")
    _write(f"{prefix}{message}", sys.stderr, fields, journal.WARNING)


def note(message: str, fields: Fields | None = None) -> None:
    """One line about work that goes on: to the journal, or to stderr."""
    _write(message, sys.stderr, fields, journal.INFO)


def complain(error: UserError) -> None:
    """What a user caused: ``error: …``, and ``hint: …`` if there is one."""
    where = f"{error.place}: " if error.place else ""
    if journal.connected():
        fields = {"code": error.code, "place": error.place, "hint": error.hint}
        journal.log(str(error), journal.ERROR, {key: value for key, value in fields.items() if value})
        return
    _print(f"{style('error:', fg='red', bold=True)} {where}{error.message}", sys.stderr)
    if error.hint:
        _print(f"{style('hint:', fg='cyan')} {error.hint}", sys.stderr)


def say_json(value: object) -> None:
    """One JSON document on stdout, for programs: never to the journal in its place."""
    document = json.dumps(value, indent=2, ensure_ascii=False)
    if _LONE.search(document):  # from names that are not UTF-8
        document = json.dumps(value, indent=2)
    _print(document, sys.stdout)


def _write(message: str, stream: TextIO | None, fields: Fields | None, priority: int) -> None:
    if journal.connected():
        journal.log(plain(message), priority, fields)
    else:
        _print(message, stream)


def _print(message: str, stream: TextIO | None) -> None:
    """Print a line.

    Raises:
        UserError: stdout does not take it; where stderr does not, nobody is left to be told.
        BrokenPipeError: who read stdout has had enough.
    """
    if stream is None:  # closed by whoever runs us
        return
    try:
        print(message if coloured(stream) else plain(message), file=stream, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is still buffered would fail again at our end.
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
        if stream is sys.stdout:
            raise UserError(
                f"what there is to say cannot be written: {error.strerror}", code="cli.output"
            ) from error


# Commands ------------------------------------------------------------------------------------------


class Group(click.Group):
    """A command with subcommands: they are listed in the order of the source, the nearest is named."""

    def add_lazy(self, name: str, module: str, attribute: str) -> None:
        """Add a subcommand that is imported only when it is used: start-up is measured."""
        self._lazy = {**getattr(self, "_lazy", {}), name: (module, attribute)}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of a name, None if there is none."""
        if cmd_name in getattr(self, "_lazy", {}):
            module, attribute = self._lazy[cmd_name]
            command: click.Command = getattr(importlib.import_module(module), attribute)
            return command
        return super().get_command(ctx, cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The subcommands as they were added: the author's order, not the alphabet's."""
        return [*self.commands, *getattr(self, "_lazy", {})]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Without any argument show the help, with the status of a usage error in every click."""
        if not args and not self.invoke_without_command and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True)
            ctx.exit(ExitStatus.USAGE)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The subcommand that `args` begins with.

        Raises:
            UsageError: there is no such subcommand; the hint names the nearest.
        """
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-") and not ctx.resilient_parsing:
            raise UsageError(
                f"no such command {name!r}", code="cli.usage", hint=nearest(name, self.list_commands(ctx))
            )
        return super().resolve_command(ctx, args)


def nearest(word: str, known: Sequence[str]) -> str:
    """A hint that names the nearest of `known`, or all of them if none is near."""
    import difflib  # noqa: PLC0415 - slow to import, and only mistakes need it

    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def nearest_path(path: str, known: Sequence[str]) -> str:
    """A hint that names the nearest of paths relative to the home; empty if none is near."""
    import difflib  # noqa: PLC0415 - as above

    # Without the ~/ that all have in common.
    near = difflib.get_close_matches(path, known, n=1)
    return f"did you mean '~/{near[0]}'?" if near else ""


_SHOWN = 5


def paths(found: Sequence[str]) -> str:
    """Paths relative to the home in one line; of many the first."""
    shown = ", ".join(f"~/{path}" for path in found[:_SHOWN])
    return f"{shown} and {len(found) - _SHOWN} more" if len(found) > _SHOWN else shown


def ago(seconds: float) -> str:
    """How long ago something was, in one number; what lies ahead, by a clock that was wrong, is just now."""
    for length, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count = int(seconds // length)
        if count > 0:
            return f"{count} {word}{'' if count == 1 else 's'} ago"
    return "just now"


def group(name: str, *, invoke_without_command: bool = False) -> Callable[[Callable[..., Any]], Group]:
    """Declare the top command `name`, with ``-h``, ``--help`` and ``--version``.

    Args:
        name: what the user calls it.
        invoke_without_command: whether it does something by itself, without a subcommand.
    """

    def declare(function: Callable[..., Any]) -> Group:
        declared = click.version_option(__version__, prog_name=name)(function)
        context = {"help_option_names": ["-h", "--help"]}
        return click.group(
            name, cls=Group, context_settings=context, invoke_without_command=invoke_without_command
        )(declared)

    return declare


def with_layout(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` the option ``--root``, which it gets as its argument `layout`."""

    @click.option(
        "--root",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        default="/",
        metavar="DIR",
        help="Work on the tree below DIR as if it were /.",
    )
    @functools.wraps(command)
    def with_root(*args: Any, root: Path, **kwargs: Any) -> R:  # noqa: ANN401 - whatever `command` takes
        return command(*args, layout=Layout.of(root, _environment()), **kwargs)

    return with_root


def _environment() -> Mapping[str, str]:
    """The environment. root's own home is not the one that persists: what root looks at is the user's."""
    if os.geteuid() == 0 and os.environ.get("HOME") == pwd.getpwuid(0).pw_dir:
        return {name: value for name, value in os.environ.items() if name != "HOME"}
    return os.environ


def with_json(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` the flag ``--json``, which it gets as its argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")(command)


def with_quiet(command: Callable[..., R]) -> Callable[..., R]:
    """Give `command` the flag ``--quiet``, which it gets as its argument `quiet`."""
    return click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings and errors.")(command)


def examples(*rows: tuple[str, str]) -> str:
    """The end of a command's help: each row is a command line, and what it is for."""
    width = max(len(line) for line, _ in rows)
    shown = "\n".join(f"  {line:{width}}  {what}" for line, what in rows)
    return f"\b\nExamples:\n{shown}"


def is_whole(context: click.Context) -> bool:
    """Whether a group that does something by itself is to do that: no subcommand was given.

    Raises:
        UsageError: an option of the group stands before a subcommand, which would not heed it.
    """
    if context.invoked_subcommand is None:
        return True
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(
                f"{parameter.opts[-1]} is not for {context.invoked_subcommand} where it stands",
                code="cli.usage",
                hint=f"options of a subcommand come after it: {context.command_path}"
                f" {context.invoked_subcommand} --help shows them",
            )
    return False


def run(
    command: click.Command, args: Sequence[str] | None = None, *, name: str = "", interrupted: str = ""
) -> int:
    """Run `command` to its end and return its exit status; bugs keep their traceback.

    Args:
        command: what it returns is its exit status; None means done.
        args: its arguments; None means those of this process.
        name: what the user calls it, if that is another name than its own.
        interrupted: what to tell a user who pressed Ctrl-C, beside that it was interrupted.
    """
    try:
        status = command.main(
            args if args is None else list(args), prog_name=name or command.name, standalone_mode=False
        )
    except UserError as error:
        complain(error)
        return error.exit_status
    except click.UsageError as error:
        complain(_usage(error))
        return ExitStatus.USAGE
    except click.ClickException as error:
        complain(UserError(_sentence(error.format_message()), code="cli.failed"))
        return error.exit_code
    except click.Abort:
        complain(UserError("interrupted", code="cli.interrupted", hint=interrupted))
        return INTERRUPTED
    return int(status or ExitStatus.DONE)


def _usage(error: click.UsageError) -> UsageError:
    """What click found wrong with the command line, in our words."""
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
    """A hint that names the nearest option; click offers what has hardly a letter in common."""
    import difflib  # noqa: PLC0415 - as above

    near = difflib.get_close_matches(error.option_name, error.possibilities or (), n=1, cutoff=0.7)
    return f"did you mean {near[0]}?" if near else ""


def _sentence(text: str) -> str:
    """As our messages are: no capital at the beginning, no full stop at the end, one line."""
    text = " ".join(text.split()).removesuffix(".")
    return text[:1].lower() + text[1:]
