"""What people see on a terminal: lines of its width, wide characters, bars, completion."""

import io
import os
import pty
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from coder_ws_runtime.cli import progress, render, width
from coder_ws_runtime.cli.home_persist.main import home_persist
from coder_ws_runtime.cli.process import INTERRUPTED
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.cli.ws_doctor.main import ws_doctor
from coder_ws_runtime.layout import Layout
from tests.harness.watched import until

REPO = Path(__file__).parents[2]


class Terminal(io.StringIO):
    """What is written to a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Terminal]:
    """Makes stdout and stderr a terminal of 40 columns, when it is called: pytest sets its own before."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "JOURNAL_STREAM"):
        monkeypatch.delenv(name, raising=False)

    def begin() -> Terminal:
        made = Terminal()
        monkeypatch.setattr(sys, "stdout", made)
        monkeypatch.setattr(sys, "stderr", made)
        return made

    return begin


# Width ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("plain", 5),
        ("\x1b[31mred\x1b[0m", 3),
        ("日本語", 6),
        ("한국어/", 7),
        ("e\u0301te\u0301", 3),
        ("🚀.txt", 6),
        ("👩\u200d💻", 2),
        ("👍🏽", 2),
        ("❤\ufe0f", 2),
        ("🇩🇪", 2),
        ("\uff46\uff55\uff4c\uff4c", 8),
        ("\u200b", 0),
    ],
)
def test_width_is_that_of_the_terminal(text: str, columns: int) -> None:
    assert width.width(text) == columns


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("one two three", 20, ["one two three"]),
        ("one two three", 8, ["one two", "  three"]),
        ("日本語 日本語 x", 8, ["日本語", "  日本語", "  x"]),
        ("\x1b[33mwarning:\x1b[0m one two", 12, ["\x1b[33mwarning:\x1b[0m one", "  two"]),
        ("see /a/long/path/that/is/one/word now", 10, ["see", "  /a/long/path/that/is/one/word", "  now"]),
    ],
)
def test_sentences_are_broken_at_blanks(text: str, columns: int, lines: list[str]) -> None:
    assert width.wrap(text, columns) == lines


def test_words_are_broken_where_nothing_else_helps() -> None:
    assert width.wrap("~/.local/share/JetBrains/Toolbox/", 12, "", breaking=True) == [
        "~/.local/",
        "share/",
        "JetBrains/",
        "Toolbox/",
    ]
    assert width.wrap("日本語日本語", 5, "", breaking=True) == ["日本", "語日", "本語"]


# Sentences and tables ------------------------------------------------------------------------------------


def test_warnings_and_footers_are_wrapped(terminal: Callable[[], Terminal]) -> None:
    screen = terminal()
    render.warn("home-persist watch does not run, so what programs save is in this container only")
    render.say("7 paths, all as declared; 48.0 KiB, 63.2 GiB of 252.0 GiB free on the volume")
    lines = [width.plain(line) for line in screen.getvalue().splitlines()]
    assert max(map(width.width, lines)) <= 40
    assert " ".join(line.strip() for line in lines) == (
        "warning: home-persist watch does not run, so what programs save is in this container only"
        " 7 paths, all as declared; 48.0 KiB, 63.2 GiB of 252.0 GiB free on the volume"
    )


def test_what_is_laid_out_is_not_wrapped(terminal: Callable[[], Terminal]) -> None:
    screen = terminal()
    command = f"    $ {'a ' * 40}b"
    render.say(command)
    render.say_json({"text": "word " * 40})
    assert screen.getvalue().splitlines()[0] == command
    assert len(screen.getvalue().splitlines()) == 4


def test_lines_for_programs_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    render.say("word " * 40)
    assert capsys.readouterr().out == "word " * 40 + "\n"


def test_a_table_of_wide_characters_has_straight_columns(terminal: Callable[[], Terminal]) -> None:
    terminal()
    lines = table(["PATH", "SIZE"], [["~/日本語/", "1"], ["~/🚀/", "2"], ["~/abc/", "3"]])
    assert {width.width(line) for line in lines[1:]} == {len("~/日本語/") + 3 + 2 + 1}


def test_a_table_fits_also_where_its_words_do_not(
    terminal: Callable[[], Terminal], monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal()
    monkeypatch.setenv("COLUMNS", "80")
    uuid = "0b7c8d5e-1111-4222-8333-944455556666"
    name = "a-workspace-whose-name-is-as-long-as-coder-allows"
    rows = [[uuid, name, "123 days ago", "1023.9 MiB", "no container and no projects volume of it"]]
    lines = table(["WORKSPACE", "NAME", "LAST RAN", "SIZE", "STATE"], rows)
    assert max(map(width.width, lines)) <= 80
    columns = [line[: len(uuid)].strip() for line in lines[1:]]
    assert "".join(columns).replace(" ", "").startswith(uuid[:8])


def test_what_matters_less_is_not_bright_black(terminal: Callable[[], Terminal]) -> None:
    """Solarized has the background's colour there (SGR 90)."""
    terminal()
    assert render.style("evidence", fg="bright_black") == "\x1b[2mevidence\x1b[0m"
    for file in (REPO / "coder_ws_runtime").rglob("*.py"):
        assert "\x1b[90m" not in file.read_text()


# Bars -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("done", [0, 7, 100])
def test_no_bar_is_left(done: int, terminal: Callable[[], Terminal]) -> None:
    """A rename moves what it moves without a byte being counted: the bar stood at 0 % for ever."""
    screen = terminal()
    monitor = progress.Progress(first=0.0)
    with monitor.work("~/a/" + "long/" * 20, lambda: 100):
        monitor.advance(done)
        until(lambda: "%" in screen.getvalue(), "it is drawn")
    drawn = [part for part in screen.getvalue().split("\r") if "%" in part]
    assert drawn, "the work was long enough to be shown"
    assert max(map(width.width, (width.plain(part) for part in drawn))) <= 40 + len("\x1b[?25l")
    assert screen.getvalue().endswith("\r\x1b[K\x1b[?25h")


# Completion ------------------------------------------------------------------------------------------------


def _completed(root: Path, shell: str, line: str, word: str) -> list[str]:
    """What a shell is given for the last word of a line."""
    words = line.split(" ")
    env = {
        **os.environ,
        "HOME": "/home/coder",
        f"_{words[0].upper().replace('-', '_')}_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": word if shell == "fish" else str(len(words) - 1),
    }
    done = subprocess.run(
        [Path(sys.executable).parent / words[0]], env=env, capture_output=True, text=True, check=True
    )
    return done.stdout.split("\n")[:-1]


@pytest.fixture
def declared(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    layout = Layout.of(root)
    layout.volume.mkdir(parents=True)
    layout.manifest_dir.mkdir(parents=True)
    paths = [".config/My Tool/", ".config/日本/", ".config/a'b/"]
    document = f'{{"source": "x", "paths": {paths!r}}}'.replace("'.", '".').replace("/'", '/"')
    (layout.manifest_dir / "x.json").write_text(document)
    return root


@pytest.mark.parametrize(
    ("shell", "offered"),
    [
        ("bash", "plain,~/.config/My\\ Tool/"),
        ("zsh", "~/.config/My Tool/"),
        ("fish", "plain,~/.config/My Tool/"),
    ],
)
def test_paths_with_blanks_are_quoted_once(shell: str, offered: str, declared: Path) -> None:
    line = f"home-persist remove --switch-off --root {declared} ~/.config/My"
    assert offered in _completed(declared, shell, line, "~/.config/My")


def test_fish_gives_what_was_typed_with_its_quotes(declared: Path) -> None:
    line = f"home-persist remove --switch-off --root {declared} ~/.config/My\\ T"
    offered = _completed(declared, "fish", line, "~/.config/My\\ T")
    assert offered == ["plain,~/.config/My Tool/"]


@pytest.mark.parametrize(
    ("word", "offered"),
    [
        ("jetb", {"jetbrains", "jetbrains.files", "jetbrains.locks"}),
        ("docker.so", {"docker.socket"}),
        ("docker.cli,disk.tm", {"docker.cli,disk.tmp"}),
    ],
)
@pytest.mark.parametrize("option", ["--only", "--ignore"])
def test_checks_are_completed(option: str, word: str, offered: set[str], tmp_path: Path) -> None:
    found = _completed(tmp_path, "bash", f"ws-doctor {option} {word}", word)
    assert offered <= {item.partition(",")[2] for item in found}


@pytest.mark.programs("fish")
def test_a_real_fish_offers_them(declared: Path, tmp_path: Path) -> None:
    source = tmp_path / "home-persist.fish"
    programs = Path(sys.executable).parent
    env = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    made = subprocess.run(
        ["home-persist"],
        env={**env, "_HOME_PERSIST_COMPLETE": "fish_source"},
        capture_output=True,
        text=True,
        check=True,
    )
    source.write_text(made.stdout)
    line = f"home-persist remove --switch-off --root {declared} .config/My"
    asked = subprocess.run(
        ["fish", "--no-config", "-c", f"source {source}; complete -C '{line}'"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.splitlines() == [".config/My Tool/"]


def test_commands_exist() -> None:
    assert {home_persist.name, ws_doctor.name} == {"home-persist", "ws-doctor"}


# Ctrl-C ----------------------------------------------------------------------------------------------


def test_an_interrupted_add_says_what_stays_declared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from coder_ws_runtime.cli import commands
    from coder_ws_runtime.cli.home_persist import add
    from coder_ws_runtime.persist import add as adding

    layout = Layout.of(tmp_path)
    for directory in (layout.home / "big one", layout.volume, layout.ledger_dir):
        directory.mkdir(parents=True)
    (layout.home / "big one/file").write_text("x")

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(adding, "settle", interrupt)
    assert commands.run(add.add, ["--root", str(tmp_path), "~/big one"]) == INTERRUPTED
    told = capsys.readouterr().err
    assert "nothing is lost" in told
    assert "home-persist watch continues with it;" in told
    assert "home-persist remove ~/'big one'" in told


@pytest.mark.parametrize(
    "words",
    [
        ["remove", "--switch-off", "--scope", "workspace", "a b"],
        ["disable", "npm"],
        ["gc", "--yes", "--older-than", "30"],
        ["migrate", "--force"],
    ],
    ids=" ".join,
)
def test_an_interrupted_command_is_printed_as_it_was_given(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from coder_ws_runtime.cli import commands
    from coder_ws_runtime.persist.session import Session

    layout = Layout.of(tmp_path)
    for directory in (layout.home, layout.volume, layout.ledger_dir):
        directory.mkdir(parents=True)

    def interrupt(_: Session) -> Session:
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "__enter__", interrupt)
    monkeypatch.setenv("CODER_WORKSPACE_ID", "w1")
    given = [*words, "--root", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/home-persist", *given])
    assert commands.run(home_persist, given) == INTERRUPTED
    command = shlex.join(["home-persist", *given])
    assert f"nothing is lost; to continue: {command}\n" in capsys.readouterr().err


def test_a_pty_is_a_terminal() -> None:
    """The stand-in above behaves as a real one does."""
    primary, secondary = pty.openpty()
    with os.fdopen(secondary, "w") as stream:
        assert render.terminal(stream) == Terminal().isatty()
        assert render.columns_of(stream) > 0
    os.close(primary)
