"""Seeding a directory durably, against `cp -a` and `sync`; prints JSON.

Usage: seed.py small FILES ROUNDS | large MIB ROUNDS | sparse MIB ROUNDS
"""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.inside.timing import OURS, TREE, VOLUME, environment, fresh, pairs

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


def main() -> None:
    what, amount, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    manifests = Path("/tmp/bench-manifests-seed")
    manifests.mkdir(exist_ok=True)
    (manifests / "tool.json").write_text(json.dumps({"source": "tool", "paths": [".tool/"]}))

    def fill() -> None:
        fresh(remove=what != "small")
        FILL[what](amount)
        os.sync()

    copy = ("sh", "-c", f"cp -a {SOURCE} {VOLUME}/.tool && sync")
    found = pairs(OURS, copy, environment(manifests), rounds, reset=fill)
    fresh(remove=what != "small")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
