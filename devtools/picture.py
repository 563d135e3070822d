"""The picture in README.md: a session in a real workspace, recorded as text and drawn as SVG.

`./dev docs --record` records it in the workspace of `./dev up`, and `./dev docs` draws it. A test plays the
session again in a new workspace, and compares.
"""

import re

from devtools.shell import ROOT
from devtools.workspace import Workspace

RECORD = ROOT / "docs/terminal.ansi"
PICTURE = "docs/terminal.svg"
COLUMNS = 84
SESSION = ("ws-doctor", "sudo chmod 0755 /tmp", "ws-doctor --quiet", "ws-doctor --fix --quiet")
"""What is typed: a healthy workspace, one thing that breaks, its report, its remedy."""

_PROMPT = "\x1b[1;34m$\x1b[0m"
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_FORMAT = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>A terminal in a workspace</title>
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}"
  height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own loads a font from another site."""


def play(space: Workspace) -> str:
    """What a terminal of a workspace shows in the session, with its escape sequences."""
    shown = ""
    for command in SESSION:
        words = f"stty -echo cols {COLUMNS} rows 60; {command}"
        done = space.exec("script", "--quiet", "--command", words, "/dev/null", env={"TERM": "xterm"})
        shown += f"{_PROMPT} {command}\n" + done.stdout.replace("\r\n", "\n")
    return shown


def comparable(record: str) -> str:
    """A record as it is each time: without colours, and without what was measured."""
    return re.sub(r"\d+\.\d+ s", "0.00 s", plain(record))


def plain(record: str) -> str:
    """A record without its colours."""
    return _ESCAPE.sub("", record)


def svg(record: str) -> str:
    """The picture of a record; the same text for the same record."""
    # Only in .venv: `./dev` itself, which records, runs outside of it.
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    console = Console(
        width=COLUMNS, record=True, file=StringIO(), force_terminal=True, color_system="standard"
    )
    console.print(Text.from_ansi(record), soft_wrap=True)
    drawn = console.export_svg(title="coder-ws-runtime", code_format=_FORMAT, unique_id="terminal")
    return "".join(f"{line.rstrip()}\n" for line in drawn.splitlines())
