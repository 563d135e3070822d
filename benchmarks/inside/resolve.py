"""`home-persist resolve` on homes of several sizes; prints JSON.

Usage: resolve.py again COUNT ROUNDS | first COUNT ROUNDS | walk COUNT ROUNDS | once ours|shell COUNT

`COUNT` paths, or the image's own manifests for 0. `again`: everything is in place. `first`: home, ledger and
volume are new each time, in one container. `once`: one timed run, for a container that is new itself.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.inside.timing import IMAGE_MANIFESTS, OURS, SHELL, TREE, environment, fresh, pairs, timed

_PER_DIRECTORY = 50
WALK = """
import os, sys
for path in open(sys.argv[1]):
    os.lstat(path[:-1])
"""


def paths(count: int) -> list[str]:
    return [f".tool{number // _PER_DIRECTORY}/dir{number}/" for number in range(count)]


def manifests(count: int) -> Path:
    """Where the manifests with `count` paths are; they are no part of the home that is made new."""
    if not count:
        return IMAGE_MANIFESTS
    directory = Path(f"/tmp/bench-manifests-{count}")
    directory.mkdir(exist_ok=True)
    document = {"source": "many", "paths": paths(count)}
    (directory / "many.json").write_text(json.dumps(document))
    return directory


def again(count: int, rounds: int) -> dict[str, float]:
    fresh()
    return pairs(OURS, SHELL, environment(manifests(count)), rounds)


def first(count: int, rounds: int) -> dict[str, float]:
    return pairs(OURS, SHELL, environment(manifests(count)), rounds, reset=fresh)


def walk(count: int, rounds: int) -> dict[str, float]:
    """With nothing to be done, against a Python that looks at each path once with lstat(2)."""
    fresh()
    env = environment(manifests(count))
    timed(OURS, env)
    listing = Path("/tmp/bench-paths")
    listing.write_text("".join(f"{TREE}/home/{path.rstrip('/')}\n" for path in paths(count)))
    return pairs(OURS, ("python3", "-c", WALK, str(listing)), env, rounds)


def once(who: str, count: int) -> dict[str, float]:
    env = environment(manifests(count))
    fresh()
    began = time.perf_counter()
    timed(OURS if who == "ours" else SHELL, env)
    return {"seconds": time.perf_counter() - began}


MODES: dict[str, Callable[[int, int], dict[str, float]]] = {"again": again, "first": first, "walk": walk}

if __name__ == "__main__":
    mode, *words = sys.argv[1:]
    found = once(words[0], int(words[1])) if mode == "once" else MODES[mode](int(words[0]), int(words[1]))
    print(json.dumps(found))
