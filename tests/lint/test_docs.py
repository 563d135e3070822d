"""The documentation: generated files are up to date, links and anchors lead somewhere."""

import json
import re
from functools import cache
from pathlib import Path

import pytest
import yaml

from devtools import docs
from devtools.shell import ROOT
from tests.lint.test_lint import tracked

PAGES = tracked("*.md")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


@pytest.mark.parametrize("name", docs.generated())
def test_the_file_is_generated_from_this_code(name: str) -> None:
    file = ROOT / name
    assert file.exists(), "run ./dev docs"
    assert file.read_text() == docs.generated()[name], "run ./dev docs"


def test_nothing_stale_is_kept() -> None:
    assert docs.stale() == []


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for heading in re.findall(r"^#{1,6} (.*)$", text, re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.lower()).strip()
        found.add(words.replace(" ", "-"))
    return found


def links(page: Path) -> list[str]:
    """The targets of a page's links to other files and headings of the repository."""
    text = _CODE.sub("", page.read_text())
    targets = [plain or image for plain, image in _LINK.findall(text)]
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    dead: list[str] = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            dead.append(target)
    assert dead == []


def documents(page: Path) -> list[tuple[str, str]]:
    """The JSON and YAML that a page shows: language and text, without the indentation of a list."""
    blocks = re.findall(r"^( *)```(json|yaml)\n(.*?)^ *```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [
        (language, re.sub(f"^{indent}", "", text, flags=re.MULTILINE)) for indent, language, text in blocks
    ]


@pytest.mark.parametrize("name", [name for name in PAGES if documents(ROOT / name)])
def test_what_a_page_shows_as_json_or_yaml_is_that(name: str) -> None:
    for language, text in documents(ROOT / name):
        assert (json.loads if language == "json" else yaml.safe_load)(text), text


def test_every_page_is_reached_from_the_index() -> None:
    """A page that no other page links to is not found by anybody."""
    start = [ROOT / "README.md", ROOT / "docs/README.md", ROOT / "CONTRIBUTING.md"]
    seen: set[Path] = set()
    while start:
        page = start.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        start += [(page.parent / target.partition("#")[0]).resolve() for target in links(page)]
    pages = {(ROOT / name).resolve() for name in PAGES if name.startswith("docs/")}
    assert sorted(str(page.relative_to(ROOT)) for page in pages - seen) == []


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs/decisions/README.md").read_text()
    names = [Path(name).name for name in tracked("docs/decisions/*.md") if not name.endswith("README.md")]
    assert [name for name in names if f"({name})" not in index] == []
