"""`./dev up`: boot a workspace as the template would, and show it."""

import sys
import time
from pathlib import Path

from devtools import images, mirror, recorded
from devtools.engine import Engine
from devtools.shell import DevError, say
from devtools.workspace import Workspace

_NAME = "dev"


def workspace(engine: Engine, record: Path = recorded.RECORD) -> Workspace:
    """The workspace of `./dev up`; its ID stays the same, so that it finds its own copies again."""
    space = Workspace(engine, _NAME, workspace_id="00000000-0000-4000-8000-000000000001", record=record)
    return space.without_coder()


def up(engine: Engine) -> int:
    """Build, boot, wait, show. A running workspace of the same image is kept."""
    began = time.monotonic()
    image = images.tag("base")
    kept = engine.has_image(image)
    say("checking the base image" if kept else "building the base image, which takes a few minutes")
    mirror.build(engine, "base")
    space = workspace(engine, recorded.fresh())
    if space.is_running() and _same_image(engine, space.container, image):
        say(f"kept: container {space.container} runs this checkout's image")
    else:
        volume = engine.docker("volume", "inspect", space.home_volume, check=False).returncode == 0
        space.remove()
        say(f"{'kept' if volume else 'new'}: volume {space.home_volume}, the kept part of $HOME")
        say(f"booting {space.container}")
        space.boot(wait=False)
    state = space.wait_ready()
    say(f"systemd is {state} ({time.monotonic() - began:.1f} s in total)")
    report = space.exec("ws-doctor")
    print(report.stdout, end="")
    print(report.stderr, end="", file=sys.stderr)
    docker = " ".join(engine.client)
    print(f"\nEnter:   {docker} exec -it -u coder -w /home/coder {space.container} bash -l")
    print("Remove:  ./dev down          (its volumes stay; ./dev down --all removes them too)")
    if report.returncode != 0:
        raise DevError("the doctor found failures", "the remedies are in the report above")
    return 0


def down(engine: Engine, *, everything: bool) -> None:
    """Remove the workspace, and with `everything` its volumes and the images of this checkout."""
    space = workspace(engine)
    there = engine.docker("inspect", space.container, check=False).returncode == 0
    space.remove(volumes=everything)
    say(f"removed: container {space.container}" if there else "there was no workspace")
    if everything:
        say("removed: its volumes")
        if images.remove(engine):
            say("removed: the images of this checkout")
    elif engine.docker("volume", "inspect", space.home_volume, check=False).returncode == 0:
        say(f"kept: volume {space.home_volume}")


def _same_image(engine: Engine, container: str, image: str) -> bool:
    running = engine.docker("inspect", "-f", "{{.Image}}", container, check=False).stdout.strip()
    newest = engine.docker("image", "inspect", "-f", "{{.Id}}", image, check=False).stdout.strip()
    return bool(running) and running == newest
