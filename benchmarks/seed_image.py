"""Seeding what the image brings: each sample is a new container, whose files are in a layer of the image."""

import json

from benchmarks.inside.timing import Pairs, summarise
from devtools.engine import Engine
from devtools.images import PREFIX

ROUNDS = 5
_VOLUME = f"{PREFIX}-bench-seed"
_MOUNT = ("run", "--rm", "-v", f"{_VOLUME}:/mnt/home-persist")


def first(engine: Engine, image: str) -> Pairs:
    """Ours and `cp -a` with `sync` in turn, each into a new directory of one volume.

    Args:
        engine: where.
        image: has the files, see images/seed.
    """
    times: dict[str, list[float]] = {"ours": [], "cp": []}
    engine.docker("volume", "rm", "-f", _VOLUME)
    try:
        engine.docker(*_MOUNT, image, "chown", "coder", "/mnt/home-persist")
        for number in range(ROUNDS + 1):
            for who, kept in times.items():
                once = f"cd /tmp && python3 -m benchmarks.inside.seed once {who}"
                done = engine.docker(*_MOUNT, "-u", "coder", image, "sh", "-c", once)
                if number:
                    kept.append(float(json.loads(done.stdout)["seconds"]))
    finally:
        engine.docker("volume", "rm", "-f", _VOLUME)
    return summarise(times["ours"], times["cp"])
