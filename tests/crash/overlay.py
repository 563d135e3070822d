"""Kills and faults where the home comes from an image's layer; runs inside a container.

`make`, at the image's build, writes the homes; `try START`, in a container, strikes one point in each of
them, beginning with that one of the share, and prints as JSON what came of it.
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.crash.contents import HOME, VIEW
from tests.crash.points import CALLS, Point, clean, share
from tests.crash.world import LossError, World
from tests.harness.tree import write

WORLDS = Path("/worlds")
COUNT = 25
"""Homes of the image: one for the clean run, one for each strike."""
SEED = 20261124
ERRORS = ("ENOSPC", "EIO", "EACCES")


def make() -> None:
    for number in range(COUNT):
        write(WORLDS / str(number) / "home", HOME)


def layered(template: World, number: int) -> World:
    """A world in the template's state whose home is the image's."""
    base = WORLDS / str(number)
    volume = Path(tempfile.mkdtemp(dir=template.volume.parent))
    subprocess.run(["cp", "-a", f"{template.volume}/.", volume], check=True)
    for part in ("manifests", "ledger"):
        shutil.copytree(template.base / part, base / part)
    links = base / "ledger/links"
    links.write_text(links.read_text().replace(str(template.volume), str(volume)))
    return World(base, volume, template.contents)


def strike(world: World, point: Point, how: str, again: Point) -> int:
    """Strike at a point, kill the next run too, and let one run in peace. Returns how often it killed.

    Raises:
        LossError: something is lost, or does not converge.
    """

    def run(target: Point, inject: str) -> int:
        words = ["-o", "/dev/null", "-e", f"trace={','.join(CALLS)}"]
        inject = f"inject={target.call}:{inject}:when={target.number}"
        status = world.run("resolve", *words, "-e", inject).returncode
        world.nothing_is_lost()
        return status

    struck = int(run(point, how) == -9)
    struck += run(again, "signal=KILL") == -9
    world.converges("resolve", VIEW)
    return struck


def attempt(start: int, *, whole: bool) -> dict[str, object]:
    """Strike from a point of the share on, as far as the homes last."""
    template = World.make(Path("/tmp/template"))
    trial = layered(template, 0)
    points = clean(trial, "resolve", Path("/tmp/trace"))
    trial.remove()
    chosen = share(points, COUNT - 1, whole=whole, seed=SEED)
    draw = random.Random(SEED + start)
    losses: list[str] = []
    counts = {"kill points tried": 0, "faults injected": 0}
    for number, point in enumerate(chosen[start : start + COUNT - 1]):
        world = layered(template, number + 1)
        # Every fourth call fails instead, and is struck by nothing else.
        how = f"error={ERRORS[number // 4 % 3]}" if number % 4 == 3 else "signal=KILL"
        again = draw.choice(points)
        try:
            counts["kill points tried"] += strike(world, point, how, again)
        except LossError as loss:
            losses.append(f"{how} at {point}, then killed at {again}: {loss}")
        counts["faults injected"] += how != "signal=KILL"
        world.remove()
    refused = [point.text for point in points if "RENAME_EXCHANGE" in point.text and "EXDEV" in point.text]
    return {"chosen": len(chosen), "exdev": len(refused), "counts": counts, "losses": losses}


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make()
    else:
        print(json.dumps(attempt(int(sys.argv[2]), whole="--whole" in sys.argv)))
