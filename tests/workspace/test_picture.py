"""What README.md shows of a workspace is what one shows today: the picture, and what is kept."""

import re

import pytest

from devtools import picture
from devtools.shell import ROOT
from devtools.workspace import Workspace
from tests.conftest import Spaces

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def space(spaces: Spaces) -> Workspace:
    """As `./dev up` boots it."""
    made = spaces.new("picture").without_coder().boot()
    made.wait_ready()
    return made


def test_the_picture_shows_what_a_workspace_shows_today(space: Workspace) -> None:
    recorded = picture.comparable(picture.RECORD.read_text())
    assert picture.comparable(picture.play(space)) == recorded, "run ./dev up, then ./dev docs --record"


def without_sizes(shown: str) -> list[str]:
    """The rows of a status, each as its words, without what differs between volumes."""
    bare = re.sub(r"(-|\d+\.\d+ [KMG]?i?B)( |$)", "", shown, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in bare.splitlines() if "free on the volume" not in line]


def test_the_status_in_the_readme_is_that_of_a_workspace(space: Workspace) -> None:
    space.out("mkdir ~/.aws && home-persist add ~/.aws")
    shown = (ROOT / "README.md").read_text().partition("$ home-persist status\n")[2].partition("```")[0]
    assert without_sizes(space.out("home-persist status")) == without_sizes(shown)
