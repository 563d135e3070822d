"""Words that make readers stop are kept out of what people read; see "English" in CONTRIBUTING.md.

A word is matched whole and without regard to case. Code (fenced blocks and `code`) is not prose, and
files that are generated are fixed at their source, not here.
"""

import re
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

DIRECTORIES: tuple[str, ...] = ()
"""Directories whose Python sources have to pass too. Markdown always has to."""


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
_CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)


def without_code(text: str) -> str:
    """Markdown without its code, on the same lines."""
    return _CODE.sub(lambda code: "`" + "\n" * code[0].count("\n"), text)


def allowed(name: str, line: str) -> bool:
    """Whether an exception covers the line of the file."""
    return any(name == one.file and line.startswith(one.line) for one in ALLOWED)


def words_to_avoid(name: str, text: str) -> list[str]:
    """Each word to avoid in a file's text, with its line and what to write instead.

    A phrase that is broken over two lines is found on the first of them.
    """
    prose = without_code(text) if name.endswith(".md") else text
    lines = text.splitlines()
    found: list[str] = []
    for words, other in _INSTEAD.items():
        for match in words.finditer(prose):
            number = prose.count("\n", 0, match.start()) + 1
            if not allowed(name, lines[number - 1]):
                found.append(f"{name}:{number}: {' '.join(match[0].split())!r}: {other}")
    return found


def files() -> list[str]:
    """Markdown that people write, and the Python sources of DIRECTORIES."""
    made = {name for name in docs.generated() if name != "docs/architecture.md"}
    sources = tracked(*(f"{directory}/*.py" for directory in DIRECTORIES)) if DIRECTORIES else []
    return [name for name in (*tracked("*.md"), *sources) if name not in made]


@pytest.mark.parametrize("name", files())
def test_no_word_to_avoid_is_in(name: str) -> None:
    assert words_to_avoid(name, (ROOT / name).read_text()) == []


@pytest.mark.parametrize("one", ALLOWED, ids=lambda one: f"{one.file}: {one.line}")
def test_the_exception_is_needed(one: Allowed) -> None:
    lines = [line for line in (ROOT / one.file).read_text().splitlines() if line.startswith(one.line)]
    found = [words for words in _INSTEAD for line in lines if words.search(without_code(line))]
    assert found, "no such line, or no such word in it: remove the exception"


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
