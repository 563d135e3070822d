"""Tests of whole systems match codes: no message that has a code is in what they compare with.

Collected is the text of each message that the code gives together with a stable code: the first argument of
an error with ``code=``, and the text after the code of a doctor's finding. A literal of a test that is a part
of one, four words or longer, would keep that sentence from being improved.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest

from devtools.shell import ROOT
from tests.lint.test_lint import tracked

TESTS = (
    "tests/workspace/*.py",
    "tests/template/*.py",
    "tests/watch/*.py",
    "tests/fs/*.py",
    "tests/crash/*.py",
)
WORDS = 4
"""The length of a literal from which on it is a sentence and not the name of something."""

_CODE = re.compile(r"[a-z][a-z-]*\.[a-z0-9-]+")
_GAP = "\0"
"""Stands for what an f-string puts in."""


def literal(node: ast.AST) -> str:
    """The text of a string, with a gap for each value in it; empty for what is no string."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(literal(part) or _GAP for part in node.values)
    return ""


def messages(source: str) -> Iterator[str]:
    """The texts that a module gives together with a code."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        texts = [literal(argument) for argument in node.args]
        if any(keyword.arg == "code" for keyword in node.keywords):
            yield from texts[:1]
        elif texts and _CODE.fullmatch(texts[0]):
            yield from texts[1:2]


@cache
def coded() -> tuple[str, ...]:
    """The parts of all messages that have a code, without what is put into them."""
    sources = [(ROOT / name).read_text() for name in tracked("coder_ws_runtime/*.py")]
    parts = {part.strip() for source in sources for text in messages(source) for part in text.split(_GAP)}
    return tuple(sorted(part for part in parts if len(part.split()) >= WORDS))


def labels(tree: ast.Module) -> set[int]:
    """The strings that nothing is compared with: docstrings, keys of tables, what a row says is broken."""
    found: list[ast.AST | None] = []
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value):
                found.append(value)
            case ast.Dict(keys=keys):
                found += keys
            case ast.Call(func=ast.Name("Row"), args=[_, broken, *_]):
                found.append(broken)
    return {id(node) for node in found}


def sentences_in(source: str) -> list[str]:
    """The literals of a test's source that are a part of a message with a code, or have one in them."""
    tree = ast.parse(source)
    exempt = labels(tree)
    strings = [(node, literal(node)) for node in ast.walk(tree) if id(node) not in exempt]
    return [f"{getattr(node, 'lineno', 0)}: {text!r}" for node, text in strings if text and _is_coded(text)]


def _is_coded(text: str) -> bool:
    parts = [part.strip() for part in text.split(_GAP) if len(part.split()) >= WORDS]
    return any(
        part in message or (message in part and len(message.split()) > WORDS)
        for part in parts
        for message in coded()
    )


@pytest.mark.parametrize("name", tracked(*TESTS))
def test_no_sentence_is_matched_that_has_a_code(name: str) -> None:
    assert sentences_in((ROOT / name).read_text()) == []


def test_there_are_messages_with_a_code() -> None:
    assert len(coded()) > 100


def test_a_sentence_is_found_as_a_part_and_in_whole() -> None:
    whole = next(one for one in coded() if len(one.split()) > WORDS + 1 and re.fullmatch("[a-z ]+", one))
    part = " ".join(whole.split()[:WORDS])
    for text in (part, f"error: {whole}, so"):
        assert sentences_in(f"def test():\n    assert {text!r} in said\n"), text
        assert sentences_in(f"assert re.search(rf'{{x}}{text}', said)\n"), text
    assert (
        sentences_in(f'def test():\n    """{whole}"""\n    assert "three other words here" in said\n') == []
    )
