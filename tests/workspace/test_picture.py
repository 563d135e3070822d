"""The session in the README's picture, played again in a workspace as `./dev up` boots it."""

import pytest

from devtools import picture
from tests.conftest import Spaces

pytestmark = pytest.mark.docker


def test_the_picture_shows_what_a_workspace_shows_today(spaces: Spaces) -> None:
    space = spaces.new("picture").without_coder().boot()
    space.wait_ready()
    recorded = picture.comparable(picture.RECORD.read_text())
    assert picture.comparable(picture.play(space)) == recorded, "run ./dev up, then ./dev docs --record"
