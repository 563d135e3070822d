"""Volumes as engines, drivers and clusters hand them out: their root belongs to root."""

import pytest

from devtools.engine import Engine
from tests.conftest import Spaces

pytestmark = pytest.mark.docker


def test_a_volume_that_belongs_to_root_is_given_to_the_user(spaces: Spaces, engine: Engine) -> None:
    space = spaces.new("root", owner="root")
    for volume in (space.home_volume, space.projects_volume, space.shared_volume):
        # What is in it keeps Docker from copying the image's owner.
        script = "echo of root > /volume/file && chown 0:0 /volume /volume/file && chmod 755 /volume"
        image = space.attributes["image"]
        engine.docker("run", "--rm", "-v", f"{volume}:/volume", "--entrypoint", "sh", image, "-c", script)
    space.boot()
    assert space.exec("systemctl", "is-system-running", user="root").stdout.strip() == "running"
    where = "/mnt/home-persist /mnt/shared ~/projects"
    assert space.out(f"stat -c %U:%G {where}") == "coder:coder\ncoder:coder\ncoder:coder"
    assert space.out("cd ~/projects && stat -c %U file") == "root", "only the mount point is"
    assert "unsafe path" not in space.out("journalctl -b --no-pager", user="root")
    assert space.out("readlink ~/.claude") == "/mnt/home-persist/.claude"


def test_the_group_that_a_user_gave_to_a_volume_stays(spaces: Spaces) -> None:
    """For a server, e.g., that runs as another user and reads the projects."""
    space = spaces.new("group", owner="group").boot()
    where = "/mnt/home-persist ~/projects"
    assert space.sh(f"sudo chgrp video {where} && sudo chmod 2775 {where}").returncode == 0
    space.stop()
    space.start()
    assert space.out(f"stat -c '%U:%G %a' {where}") == "coder:video 2775\ncoder:video 2775"
