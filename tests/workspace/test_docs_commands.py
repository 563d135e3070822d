"""The commands that the documentation shows for a workspace, run in one, in the order of the page."""

import os
import re

import pytest

from devtools.shell import ROOT
from devtools.workspace import Workspace
from tests.conftest import Spaces
from tests.lint.test_docs import links
from tests.lint.test_lint import tracked

pytestmark = pytest.mark.docker

_MARK = re.compile(r"<!-- run in a workspace -->\n```console\n(.*?)```", re.DOTALL)


def commands(page: str) -> list[str]:
    """What comes after ``$`` in the marked blocks of a page."""
    blocks = _MARK.findall((ROOT / page).read_text())
    return [
        line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")
    ]


PAGES = [page for page in tracked("docs/**/*.md", "docs/*.md", "README.md") if commands(page)]


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    return spaces.new("docs").boot()


def test_there_are_pages_whose_commands_are_run() -> None:
    assert "docs/tutorials/first-five-minutes.md" in PAGES


def test_the_pages_are_in_the_image_and_their_links_lead_somewhere(space: Workspace) -> None:
    there = set(space.out("cd /usr/local/share/doc/coder-ws-runtime && find . -printf '%P\\n'").splitlines())
    pages = [name for name in there if name.endswith(".md")]
    assert {*tracked("docs/*.md"), "README.md", "CONTRIBUTING.md", "SECURITY.md"} <= set(pages)
    dead = [
        f"{page}: {target}"
        for page in pages
        for target in links(ROOT / page)
        if (path := target.partition("#")[0])
        and os.path.normpath(os.path.join(os.path.dirname(page), path)) not in there
    ]
    assert dead == []


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_work(space: Workspace, page: str) -> None:
    for command in commands(page):
        done = space.sh(command)
        assert done.returncode == 0, f"{page}: {command}\n{done.stdout}{done.stderr}"
