"""Seeding a directory durably, against `cp -a` and `sync`; prints JSON.

Usage: seed.py small FILES ROUNDS | large MIB ROUNDS | sparse MIB ROUNDS | image FILES | once ours|cp

`image`: make small files, as a step of an image's build. `once`: one timed run with the files of the image.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.inside.timing import OURS, TREE, VOLUME, environment, fresh, new_volume, pairs, timed

_PER_DIRECTORY = 200
SOURCE = TREE / "home/.tool"


def small(files: int) -> None:
    """Files of 0 to 4095 bytes, 200 to a directory."""
    for number in range(files):
        directory = SOURCE / str(number // _PER_DIRECTORY)
        if number % _PER_DIRECTORY == 0:
            directory.mkdir(parents=True)
        (directory / f"file{number}").write_bytes(b"x" * (number % 4096))


def large(mebibytes: int) -> None:
    """One file."""
    SOURCE.mkdir()
    piece = os.urandom(1 << 20)
    with (SOURCE / "blob").open("wb") as file:
        for _ in range(mebibytes):
            file.write(piece)


def sparse(mebibytes: int) -> None:
    """One file that is a hole, but for 4 KiB in each 64 MiB."""
    SOURCE.mkdir()
    with (SOURCE / "disk").open("wb") as file:
        file.truncate(mebibytes << 20)
        for offset in range(0, mebibytes, 64):
            file.seek(offset << 20)
            file.write(b"x" * 4096)


FILL: dict[str, Callable[[int], None]] = {"small": small, "large": large, "sparse": sparse}


COPY = ("sh", "-c", f"cp -a {SOURCE} {VOLUME}/.tool && sync")
MANIFESTS = Path("/tmp/bench-manifests-seed")


def declare() -> None:
    """Write the manifest that keeps the files."""
    MANIFESTS.mkdir(exist_ok=True)
    (MANIFESTS / "tool.json").write_text(json.dumps({"source": "tool", "paths": [".tool/"]}))


def image(files: int) -> None:
    """Small files in a layer of an image."""
    (TREE / "ledger").mkdir(parents=True)
    declare()
    small(files)


def once(who: str) -> dict[str, float]:
    """One run on what the image brings, into a new directory of the volume."""
    new_volume()
    began = time.perf_counter()
    timed(OURS if who == "ours" else COPY, environment(MANIFESTS))
    return {"seconds": time.perf_counter() - began}


def repeated(what: str, amount: int, rounds: int) -> dict[str, float]:
    """Ours and `cp` in turn, on files that were just made in the container's own layer."""
    declare()

    def fill() -> None:
        fresh(remove=what != "small")
        FILL[what](amount)
        os.sync()

    found = pairs(OURS, COPY, environment(MANIFESTS), rounds, reset=fill)
    fresh(remove=what != "small")
    return found


def main() -> None:
    match sys.argv[1:]:
        case ["image", files]:
            image(int(files))
        case ["once", who]:
            print(json.dumps(once(who)))
        case [what, amount, rounds]:
            print(json.dumps(repeated(what, int(amount), int(rounds))))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
