"""The remedy for a file that its program cannot read: its bad lines become comments, or a copy is kept."""

from pathlib import Path

import pytest

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.user_files import Complaints, comment_out, set_aside


def said(lines: list[int]) -> Complaints:
    return Complaints(not lines, lines)


def first_bad(text: str) -> Complaints:
    """As git does it: the first line that it cannot read."""
    return said([number for number, line in enumerate(text.split("\n"), 1) if line.startswith("bad")][:1])


def every_bad(text: str) -> Complaints:
    """As ssh does it."""
    return said([number for number, line in enumerate(text.split("\n"), 1) if line.startswith("bad")])


def at_the_end(text: str) -> Complaints:
    """A program that counts one line more at the end."""
    return said([len(text.split("\n")) + 1] if "bad" in text and "# bad" not in text else [])


def never_content(_: str) -> Complaints:
    return said([1])


def silent_later(text: str) -> Complaints:
    """A program that is ended because it takes too long, after the first question."""
    return said([1]) if text.startswith("bad") else Complaints(accepted=False)


# What the program says, the file, and a part of the command.
CASES = {
    "one line": (first_bad, "good\nbad\n", "'2s/^/# /'"),
    "one after the other": (first_bad, "bad\ngood\nbad\n", "'1s/^/# /;3s/^/# /'"),
    "all at once": (every_bad, "bad\nbad\n", "'1s/^/# /;2s/^/# /'"),
    "no line break at the end": (at_the_end, "bad", "'1s/^/# /'"),
    "too many": (first_bad, "bad\n" * 99, "cp "),
    "a comment does not help": (never_content, "bad\n", "cp "),
    "it names no line": (lambda _: Complaints(accepted=False), "bad\n", "cp "),
    "it does not answer": (silent_later, "bad\nbad\n", "cp "),
}


@pytest.mark.parametrize(("says", "content", "command"), CASES.values(), ids=CASES)
def test_comment_out(says: object, content: str, command: str, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text(content)
    assert callable(says)
    remedy = comment_out(Context.of(tmp_path, {}), file, says)
    assert command in remedy.commands[0]
    assert file.read_text() == content, "the doctor itself changes nothing"


def test_what_a_link_leads_to_is_set_aside_where_it_lasts(tmp_path: Path) -> None:
    kept = tmp_path / "volume/settings"
    kept.parent.mkdir()
    kept.write_text("x")
    link = tmp_path / "settings"
    link.symlink_to(kept)
    remedy = set_aside(Context.of(tmp_path, {}), link)
    assert f"{kept} {kept}.broken" in remedy.commands[0]
    assert remedy.commands[1].endswith(f"truncate --size=0 {kept}")
