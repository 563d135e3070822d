"""How the commands print: reports, warnings, errors, JSON.

A report line goes to one place only. If stderr is the journal, the line becomes a record with fields;
otherwise it is printed. So nothing is logged twice, and the journal has what a user sees in Coder's
log.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping, Sequence

from coder_ws_runtime import text as sizes
from coder_ws_runtime.cli import width
from coder_ws_runtime.documents.published import publish
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.system import journal
from coder_ws_runtime.text import find_nearest, plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from coder_ws_runtime.fs.usage import Usage

size = sizes.size
plain = width.plain


def usage(found: Usage | None) -> str:
    """The size of a tree, with '>' in front if it was not measured completely."""
    if found is None:
        return "-"
    return f"{'' if found.complete else '> '}{size(found.size)}"


Fields = Mapping[str, object]

_LONE = "[\ud800-\udfff]"


def terminal(stream: TextIO | None) -> bool:
    """Whether `stream` is a terminal that understands escape sequences. None, a closed stream, is not."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") != "dumb"


def coloured(stream: TextIO) -> bool:
    """Whether `stream` is a terminal that shows colours, and the user wants them (no-color.org)."""
    return terminal(stream) and not os.environ.get("NO_COLOR")


def style(text: str, **how: Any) -> str:  # noqa: ANN401 - what click.style takes
    """`text` in colour. The print functions remove the colour where it is not wanted.

    Instead of bright black this uses dim: in Solarized and other palettes, bright black is the background.
    """
    if not any(coloured(stream) for stream in (sys.stdout, sys.stderr) if stream is not None):
        return text
    import click  # noqa: PLC0415 - slow to import; a boot step shows no colours

    if how.get("fg") == "bright_black":
        how = {**how, "fg": None, "dim": True}
    return click.style(text, **how)


class Fixed(str):
    """A line with a fixed layout, such as a row of a table. It is not wrapped."""

    __slots__ = ()


def columns_of(stream: TextIO) -> int:
    """The width of the terminal that `stream` is; COLUMNS overrides it."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    try:
        return os.get_terminal_size(stream.fileno()).columns or _COLUMNS
    except (OSError, ValueError):
        return _COLUMNS


_COLUMNS = 80


def say(message: str, fields: Fields | None = None, priority: int = journal.INFO) -> None:
    """Print one line of the report: to the journal with its fields, or to stdout.

    On a terminal, a sentence is wrapped at its width; an indented or :class:`Fixed` line is not.
    """
    _write(message, sys.stdout, fields, priority)


def warn(message: str, fields: Fields | None = None) -> None:
    """Print one line about a problem: to the journal, or to stderr."""
    prefix = "" if journal.connected() else style("warning: ", fg="yellow")
    _write(f"{prefix}{message}", sys.stderr, fields, journal.WARNING)


def note(message: str, fields: Fields | None = None) -> None:
    """Print one line about work in progress: to the journal, or to stderr."""
    _write(message, sys.stderr, fields, journal.INFO)


def complain(error: UserError) -> None:
    """Print an error that a user can fix: ``error: …``, and ``hint: …`` if it has one."""
    where = f"{sizes.visible(error.place)}: " if error.place else ""
    if journal.connected():
        fields = {"code": error.code, "place": error.place, "hint": error.hint}
        journal.log(str(error), journal.ERROR, {key: value for key, value in fields.items() if value})
        return
    _print(f"{style('error:', fg='red', bold=True)} {where}{error.message}", sys.stderr)
    if error.hint:
        _print(f"{style('hint:', fg='cyan')} {error.hint}", sys.stderr)


def say_document(name: str, content: Mapping[str, object]) -> None:
    """Print a document of the contract to stdout, for programs; never to the journal.

    Args:
        name: one of :data:`coder_ws_runtime.cli.contract.DOCUMENTS`.
        content: its fields apart from name and version.
    """
    say_json(publish(name, content))


def say_json(value: object) -> None:
    """Print one JSON value to stdout."""
    document = json.dumps(value, indent=2, ensure_ascii=False)
    if re.search(_LONE, document):  # from names that are not UTF-8
        document = json.dumps(value, indent=2)
    _print(Fixed(document), sys.stdout)


def _write(message: str, stream: TextIO | None, fields: Fields | None, priority: int) -> None:
    if journal.connected():
        journal.log(plain(message), priority, fields)
    else:
        _print(message, stream)


def _print(message: str, stream: TextIO | None) -> None:
    """Print a line.

    Raises:
        UserError: stdout cannot be written. If stderr cannot be written, there is no place for an error.
        BrokenPipeError: the reader of stdout has closed it.
    """
    if stream is None:  # closed by the caller
        return
    shown = message if coloured(stream) else plain(message)
    if (
        terminal(stream)
        and not isinstance(message, Fixed)
        and not message[:1].isspace()
        and "\n" not in shown
    ):
        shown = "\n".join(width.wrap(shown, columns_of(stream)))
    try:
        try:
            print(shown, file=stream, flush=True)
        except UnicodeEncodeError:  # a name that is not UTF-8, or that the locale does not have
            code = stream.encoding
            print(shown.encode(code, "backslashreplace").decode(code), file=stream, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is still buffered would fail again when we exit.
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
        if stream is sys.stdout:
            raise UserError(f"the output cannot be written: {error.strerror}", code="cli.output") from error


def nearest_path(path: str, known: Sequence[str]) -> str:
    """A hint that names the nearest of these paths, which are relative to the home; empty if none is near."""
    from coder_ws_runtime.persist.manifest.paths import in_shell  # noqa: PLC0415 - only mistakes need it

    near = find_nearest(path, known)  # without ~/, which all have in common
    return f"did you mean {in_shell(near)}?" if near else ""


_SHOWN = 5


def paths(found: Sequence[str]) -> str:
    """Paths relative to the home in one line; if there are many, the first few."""
    shown = ", ".join(f"~/{path}" for path in found[:_SHOWN])
    return f"{shown} and {len(found) - _SHOWN} more" if len(found) > _SHOWN else shown


def ago(seconds: float) -> str:
    """The age of something, in one unit; a time in the future, from a wrong clock, is "just now"."""
    for length, word in ((86400, "day"), (3600, "hour"), (60, "minute")):
        count = int(seconds // length)
        if count > 0:
            return f"{plural(count, word)} ago"
    return "just now"
