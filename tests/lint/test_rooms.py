"""The house in order: modules of a size that is read at once, and walks through them that are true."""

import ast
import re
from pathlib import Path

import pytest

from devtools.shell import ROOT
from tests.lint.test_lint import tracked

MOST_LINES = 300
_WALKS = (ROOT / "docs/architecture.md").read_text().split("\n## ")[1:]
_MODULE = re.compile(r"`([\w/]+\.py)`")


def is_module(name: str) -> bool:
    """Whether a file is code that others import: of tests only what they share."""
    return not name.startswith("tests/") or not Path(name).name.startswith("test_")


@pytest.mark.parametrize("name", [name for name in tracked("*.py") if is_module(name)])
def test_a_long_module_says_why(name: str) -> None:
    text = (ROOT / name).read_text()
    if len(text.splitlines()) > MOST_LINES:
        assert "Over 300 lines" in (ast.get_docstring(ast.parse(text)) or "")


def walk(title: str) -> str:
    """The section of a walk."""
    return next(section for section in _WALKS if section.startswith(title))


def named(text: str) -> set[Path]:
    """The modules that a text names: by their path in the package, or by the name where that is the only one.

    Raises:
        AssertionError: there is none, or more than one.
    """
    package = ROOT / "coder_ws_runtime"
    found: set[Path] = set()
    for name in _MODULE.findall(text):
        (file,) = [package / name] if "/" in name else package.rglob(name)
        assert file.is_file(), name
        found.add(file.relative_to(package))
    return found


@pytest.mark.parametrize("title", ["Flow 1", "Flow 2", "Flow 3"])
def test_a_walk_names_modules_that_exist(title: str) -> None:
    assert named(walk(title))


def test_a_path_through_resolve_is_short() -> None:
    """The steps of the walk, which a stranger reads; what a step asks has a name that says its answer."""
    steps = re.findall(r"^\d\. .*(?:\n   .*)*", walk("Flow 1"), re.MULTILINE)
    modules = named("\n".join(steps))
    assert len(modules) <= 8
    assert len({module.parent for module in modules}) <= 3
