"""Words that make readers stop are kept out of what people read; see "English" in CONTRIBUTING.md.

A word is matched whole and without regard to case. Code is not prose: fenced blocks and `code` in Markdown,
and in Python everything except comments and strings. Files that are generated are fixed at their source.
"""

import io
import re
import tokenize
from dataclasses import dataclass

import pytest

from devtools import docs
from devtools.shell import ROOT
from tests.lint.test_lint import tracked

WORDS = {
    r"mend(s|ed|ing)?": "fix; of the doctor's: remedy",
    r"anew": "again, new",
    r"of late": "recently",
    r"whoever": "you, users, anyone who",
    r"(is|are) well": "is healthy, is ok",
    r"(lies|lie|lay) (in|on|over|there|below|beside|where|here)": "is on, is next to",
    r"no more(?=\s*([.,;:|]|$))": "no longer",
    r"(is|are|was|were) told": "name the actor: the template sets, the report says",
    r"takes? the place of": "replaces",
    r"keeps nobody from": "does not block",
    r"beside": "next to, in addition to",
    r"any more": "no longer",
    r"for want of": "for lack of",
    r"for ever": "permanently; for the same bytes: pin the digest",
}
"""Regular expressions of words to avoid, and what to write instead."""

SOURCES = ("coder_ws_runtime/*.py", "devtools/*.py", "*.tf", "units/*", "images/*", "manifests/*.json")
"""Files in which comments and strings have to pass too. Markdown always has to."""


@dataclass(frozen=True)
class Allowed:
    """A line that may have such a word, and why."""

    file: str
    line: str
    why: str


ALLOWED: tuple[Allowed, ...] = ()
"""Exceptions: the file, how the line begins, and why."""

_GAP = r"[ \t]*\s[ \t]*"
"""Between the words of a phrase: a line may end there, a paragraph may not."""
_INSTEAD = {
    re.compile(rf"\b{words.replace(' ', _GAP)}(?!\w)", re.IGNORECASE): other for words, other in WORDS.items()
}
_STRINGS = ("STRING", "FSTRING_MIDDLE")
"""Kinds of tokens; since 3.12 an f-string is split at its expressions."""
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def without_code(text: str) -> str:
    """Markdown without its code, on the same lines."""
    return _CODE.sub(lambda code: "`" + "\n" * code[0].count("\n"), text)


def comments_and_strings(text: str) -> str:
    """A Python source without its code, on the same lines."""
    lines = [""] * (text.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or tokenize.tok_name[token.type] in _STRINGS:
            for number, part in enumerate(token.string.split("\n"), token.start[0]):
                lines[number] += f" {part.removeprefix('#').lstrip() if part.startswith('#') else part}"
    return "\n".join(lines[1:])


def prose_of(name: str, text: str) -> str:
    """What people read in a file, on the same lines."""
    if name.endswith(".py"):
        return comments_and_strings(text)
    return without_code(text) if name.endswith(".md") else text


def allowed(name: str, line: str) -> bool:
    """Whether an exception covers the line of the file."""
    return any(name == one.file and line.startswith(one.line) for one in ALLOWED)


def words_to_avoid(name: str, text: str) -> list[str]:
    """Each word to avoid in a file's text, with its line and what to write instead.

    A phrase that is broken over two lines is found on the first of them.
    """
    prose = prose_of(name, text)
    lines = text.splitlines()
    found: list[str] = []
    for words, other in _INSTEAD.items():
        for match in words.finditer(prose):
            number = prose.count("\n", 0, match.start()) + 1
            if not allowed(name, lines[number - 1]):
                found.append(f"{name}:{number}: {' '.join(match[0].split())!r}: {other}")
    return found


def files() -> list[str]:
    """Markdown that people write, and SOURCES."""
    made = docs.generated().keys() - set(docs.IN_PART)
    return [name for name in tracked("*.md", *SOURCES) if name not in made]


@pytest.mark.parametrize("name", files())
def test_no_word_to_avoid_is_in(name: str) -> None:
    assert words_to_avoid(name, (ROOT / name).read_text()) == []


def test_each_exception_is_needed() -> None:
    for one in ALLOWED:
        text = (ROOT / one.file).read_text()
        pairs = zip(text.splitlines(), prose_of(one.file, text).splitlines(), strict=False)
        lines = [prose for line, prose in pairs if line.startswith(one.line)]
        found = [words for words in _INSTEAD for line in lines if words.search(line)]
        assert found, f"{one}: no such line, or no such word in it: remove the exception"


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("The command that mends it.\n", 1),
        ("Starts anew.\n", 1),
        ("Recommended amendments, renewed.\n", 0),
        ("It is broken\nof late, they say.\n", 1),
        ("What is no\nmore than two.\n", 0),
        ("It is kept no more.\n", 1),
        ("Not in `mend` or\n```\nmend\n```\n", 0),
        ("One.\n```\nmend\n```\nIt takes the place\nof it.\n", 1),
    ],
)
def test_words_are_found_whole(text: str, count: int) -> None:
    assert len(words_to_avoid("page.md", text)) == count


def test_code_of_python_is_not_prose() -> None:
    source = 'beside = 1\n"""It is put beside\nit."""\nf = f"beside"  # starts\n# anew\n'
    lines = sorted(found.split(" ")[0] for found in words_to_avoid("a.py", source))
    assert lines == ["a.py:2:", "a.py:4:", "a.py:5:"]
