"""The documentation: generated files are up to date, links and anchors lead somewhere."""

import json
import re
import subprocess
from functools import cache
from pathlib import Path

import click
import pytest
import yaml

from devtools import docs, reference
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


def declared(module: str) -> set[str]:
    """The variables of a template."""
    return set(re.findall(r'^variable "(\w+)"', (ROOT / module).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", PAGES)
def test_variables_that_a_page_sets_exist(name: str) -> None:
    known = declared("main.tf") | declared("kubernetes/main.tf") | {"NAME"}
    text = (ROOT / name).read_text()
    assert set(re.findall(r"--variable ['\"]?(\w+)=", text)) - known == set()


PROGRAMS = r"(?:\./dev|home-persist|ws-boot|ws-doctor)"


def calls(page: Path) -> list[list[str]]:
    """The command lines of ours that a page shows as code: their words, without comments and what follows."""
    text = page.read_text()
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in re.findall(r"^ *\$ (.*)$", block, re.MULTILINE)]
    lines += re.findall(
        r"`((?:sudo )?" + PROGRAMS + r" [^`\n]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    )
    found = [re.search(rf"(?:^|\s)({PROGRAMS}(?: +[^|;&>#]*)?)", line) for line in lines]
    return [one[1].replace("[", " ").replace("]", " ").split() for one in found if one]


def options_of(call: list[str]) -> set[str]:
    """The options and subcommands that the programs do not have, of one call.

    A word in capitals, a path or an ellipsis stands for what the reader puts there.
    """
    program, *words = call
    if program == "./dev":
        return _unknown_to_dev(words)
    command: click.Command = reference.PROGRAMS[program]
    unknown: set[str] = set()
    for word in words:
        if word.startswith("-") and word != "-":
            known = {
                option for parameter in command.params for option in parameter.opts + parameter.secondary_opts
            }
            unknown |= {word.partition("=")[0]} - known - {"--help", "-h"}
        elif isinstance(command, click.Group) and re.fullmatch(r"[a-z][a-z-]+", word):
            inner = command.get_command(click.Context(command), word)
            if inner is None:
                return unknown | {word}
            command = inner
    return unknown


@cache
def _help_of_dev(*words: str) -> str:
    done = subprocess.run([ROOT / "dev", *words, "--help"], capture_output=True, text=True, check=False)
    return done.stdout


def _unknown_to_dev(words: list[str]) -> set[str]:
    if not words or words[0].startswith("-"):
        return {word for word in words if word not in _help_of_dev()}
    shown = _help_of_dev(words[0])
    options = {word for word in words[1:] if word.startswith("--")}
    if words[0] in {"test", "lint", "crash", "coverage", "bench"}:  # passed on
        options = set()
    return {words[0]} if not shown else {option for option in options if option not in shown}


@pytest.mark.parametrize("name", [name for name in PAGES if not name.startswith("changes/")])
def test_commands_that_a_page_shows_exist(name: str) -> None:
    unknown = {" ".join(call): options_of(call) for call in calls(ROOT / name)}
    assert {line: words for line, words in unknown.items() if words} == {}


_OURS = r"(?:coder_ws_runtime|tests|devtools|images|manifests|units|benchmarks|kubernetes)/[\w./-]*\w/?"


_OF_NOW = [name for name in PAGES if name != "CHANGELOG.md" and not name.startswith("docs/adding-")]
"""Pages that name what is there: not what was, nor what the reader is to add."""


@pytest.mark.parametrize("name", _OF_NOW)
def test_files_of_the_checkout_that_a_page_names_exist(name: str) -> None:
    """Also those in command lines: `./dev test tests/unit`."""
    shown = " ".join(re.findall(r"`([^`\n<*…]+)`", (ROOT / name).read_text()))
    named = re.findall(rf"(?:^|\s)({_OURS})(?=\s|$)", shown)
    assert [path for path in named if not (ROOT / path).exists()] == []


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
