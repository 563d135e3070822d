"""How every command speaks: one line per error, the documented exit statuses, no colour in a pipe."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import click
import pytest

from coder_ws_runtime.cli import commands, render
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.errors import NoVolumeError, UserError
from coder_ws_runtime.layout import Layout

REPO = Path(__file__).parents[2]


@commands.group("tool")
def tool() -> None:
    """A tool."""


@tool.command()
@click.option("--size", type=int)
@click.option("--share", type=click.FloatRange(min=0))
@commands.with_layout
@commands.with_json
def show(layout: Layout, as_json: bool, size: int | None, share: float | None) -> int | None:  # noqa: FBT001
    """Show the root."""
    render.say_json({"root": str(layout.root)}) if as_json else render.say(f"root {layout.root}")
    return size


@tool.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
def read(file: str) -> None:
    """Read a file."""
    render.say(file)


@tool.command()
@click.argument("how")
def end(how: str) -> None:
    """End in a way."""
    match how:
        case "refused":
            raise UserError("cannot do it", code="x.y", place="/a/file:3", hint="mend the file")
        case "no-volume":
            raise NoVolumeError("no volume", code="x.volume")
        case "ctrl-c":
            raise KeyboardInterrupt
        case "bug":
            raise RuntimeError("a bug")


@pytest.mark.parametrize(
    ("args", "status", "stderr"),
    [
        pytest.param(["show"], 0, "", id="done"),
        pytest.param(["show", "--size", "1"], 1, "", id="what the command returns"),
        pytest.param(
            ["end", "refused"], 1, "error: /a/file:3: cannot do it\nhint: mend the file\n", id="user error"
        ),
        pytest.param(["end", "no-volume"], 3, "error: no volume\n", id="its own exit status, no hint"),
        pytest.param(
            ["shwo"], 2, "error: no such command 'shwo'\nhint: did you mean 'show'?\n", id="near command"
        ),
        pytest.param(
            ["zzzz"], 2, "error: no such command 'zzzz'\nhint: known: show, read, end\n", id="unknown command"
        ),
        pytest.param(
            ["show", "--jsn"], 2, "error: no such option --jsn\nhint: did you mean --json?\n", id="option"
        ),
        pytest.param(
            ["end"],
            2,
            "error: missing argument 'HOW'\nhint: tool end --help shows what it takes\n",
            id="missing argument",
        ),
        pytest.param(
            ["show", "--root", "/nowhere/at/all"],
            2,
            "error: invalid value for '--root': Directory '/nowhere/at/all' does not exist\n"
            "hint: tool show --help shows what it takes\n",
            id="root that does not exist",
        ),
        pytest.param(
            ["show", "--verison"],
            2,
            "error: no such option --verison\nhint: tool show --help shows what it takes\n",
            id="no option is near",
        ),
        pytest.param(
            ["read", "-dash"],
            2,
            "error: no such option -d\nhint: put an argument that begins with '-' after --: tool read -- …\n",
            id="a name that begins as options do",
        ),
        pytest.param(
            ["show", "--share", "x"],
            2,
            "error: invalid value for '--share': 'x' is not a number\n"
            "hint: tool show --help shows what it takes\n",
            id="not a number",
        ),
        pytest.param(
            ["read", "/nowhere/at/all"],
            2,
            "error: file '/nowhere/at/all' does not exist\nhint: tool read --help shows what it takes\n",
            id="file that does not exist",
        ),
        pytest.param(["end", "ctrl-c"], 130, "\nerror: interrupted\nhint: run it again\n", id="ctrl-c"),
    ],
)
def test_exit_status_and_one_line(
    args: list[str], status: int, stderr: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run(tool, args, interrupted="run it again") == status
    assert capsys.readouterr().err == stderr


@pytest.mark.parametrize(
    "args", [["show", "--json", "--share", "x"], ["show", "--json", "--nothing"], ["shwo", "--json"]]
)
def test_a_wrong_command_line_is_a_document_too(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(tool, args) == 2
    told = capsys.readouterr()
    document = json.loads(told.out)
    assert (document["document"], document["error"]["code"]) == ("error", "cli.usage")
    assert told.err.startswith(f"error: {document['error']['message']}\n")


def test_a_bug_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        commands.run(tool, ["end", "bug"])


def test_no_argument_shows_the_help_in_the_order_of_the_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(tool, []) == 2
    told = capsys.readouterr().err
    assert told.index("Show the root.") < told.index("End in a way.")


def test_root_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.run(tool, ["show", "--root", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"root": str(tmp_path)}


def test_table_is_aligned_whatever_its_colours(capsys: pytest.CaptureFixture[str]) -> None:
    for line in table(["path", "state"], [["a", render.style("ok", fg="green")], ["bcdef", "gone"]]):
        render.say(line)
    assert capsys.readouterr().out == "path   state\na      ok\nbcdef  gone\n"


NARROW = {
    "it is wide enough": (
        26,
        ["NAME  WHAT          WHY", "a     words, words  good", "b     word"],
    ),
    "the widest column is folded at its blanks": (
        20,
        ["NAME  WHAT    WHY", "a     words,  good", "      words", "b     word"],
    ),
    "no word is broken": (5, ["NAME  WHAT    WHY", "a     words,  good", "      words", "b     word"]),
}
ROWS = [["a", "words, words", "good"], ["b", "word", ""]]
PROGRAM = """
from coder_ws_runtime.cli.tables import table
print(*table(["NAME", "WHAT", "WHY"], ROWS), sep="|", end="|")
"""


@pytest.mark.parametrize(("columns", "lines"), NARROW.values(), ids=NARROW)
def test_table_on_a_narrow_terminal(columns: int, lines: list[str]) -> None:
    ours, theirs = pty.openpty()
    env = {"TERM": "xterm", "COLUMNS": str(columns)}
    words = [sys.executable, "-c", PROGRAM.replace("ROWS", repr(ROWS))]
    subprocess.run(words, stdout=theirs, env=env, cwd=REPO, check=True)
    told = os.read(ours, 4000).decode()
    os.close(ours)
    os.close(theirs)
    assert render.plain(told).split("|")[:-1] == lines


def test_a_table_elsewhere_has_a_row_a_line() -> None:
    env = {"COLUMNS": "5"}
    words = [sys.executable, "-c", PROGRAM.replace("ROWS", repr(ROWS))]
    done = subprocess.run(words, stdout=subprocess.PIPE, env=env, cwd=REPO, check=True)
    assert len(done.stdout.decode().split("|")[:-1]) == 3


UNHEARD = {
    "a full disk": (
        "> /dev/full",
        1,
        "error: the output cannot be written: No space left on device\n",
    ),
    "stdout is closed": (">&-", 0, ""),
    "stderr is closed, too": (">&- 2>&-", 0, ""),
    "who reads has had enough": ("| true; exit ${PIPESTATUS[0]}", 1, ""),
}


@pytest.mark.parametrize(("where", "status", "said"), UNHEARD.values(), ids=UNHEARD)
def test_output_that_nobody_takes(where: str, status: int, said: str) -> None:
    """No traceback, and the work is done."""
    program = (
        "import select, sys; from coder_ws_runtime.cli import commands, render;"
        " from tests.unit.test_render import tool; gone = select.poll(); gone.register(1, 0);"
        f" gone.poll({30_000 if '|' in where else 0}); sys.exit(commands.run(tool, ['show']))"
    )
    script = f'"{sys.executable}" -c "{program}" {where}'
    done = subprocess.run(["bash", "-c", script], cwd=REPO, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, said)


@pytest.mark.parametrize(
    ("env", "colours"),
    [
        pytest.param({"TERM": "xterm"}, True, id="terminal"),
        pytest.param({"TERM": "xterm", "NO_COLOR": "1"}, False, id="NO_COLOR"),
        pytest.param({"TERM": "xterm", "NO_COLOR": ""}, True, id="empty NO_COLOR"),
        pytest.param({"TERM": "dumb"}, False, id="dumb terminal"),
    ],
)
def test_colours_on_a_terminal_only(env: dict[str, str], colours: bool) -> None:  # noqa: FBT001
    ours, theirs = pty.openpty()
    code = "from coder_ws_runtime.cli import commands, render; render.warn('x')"
    subprocess.run(
        [sys.executable, "-c", code],
        stderr=theirs,
        env=env,
        cwd=REPO,
        check=True,
    )
    told = os.read(ours, 1000).decode()
    os.close(ours)
    os.close(theirs)
    assert ("\x1b[" in told) is colours
    assert render.plain(told).strip() == "warning: x"


def test_a_name_that_is_not_utf8_is_printed(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    render.say("~/\udcff: ä")
    assert capsysbinary.readouterr().out == "~/\\udcff: ä\n".encode()


def test_json_is_json_also_with_names_that_are_not_utf8(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    render.say_json({"path": "\udcff", "other": "ä"})
    written = capsysbinary.readouterr().out
    assert json.loads(written.decode()) == {"path": "\udcff", "other": "ä"}


AGES = {-90000.0: "just now", 59.0: "just now", 60.0: "1 minute ago", 7200.0: "2 hours ago"}


@pytest.mark.parametrize(("seconds", "said"), AGES.items())
def test_ago(seconds: float, said: str) -> None:
    assert render.ago(seconds) == said
