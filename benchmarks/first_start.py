"""The first start: each sample is a new container, in which nothing of ours is cached yet."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from benchmarks.inside.timing import Pairs, summarise
from devtools.engine import Engine

ROUNDS = 9
TOGETHER = 16
_ONCE = "PYTHONPATH=/tmp python3 -m benchmarks.inside.resolve once"
_BUSY_A_CORE = 2


def sample(engine: Engine, image: str, who: str) -> float:
    """Seconds that one resolve takes in a new container.

    Args:
        engine: where.
        image: the base with the shell resolver's jq.
        who: ``ours`` or ``shell``.
    """
    words = ["run", "--rm", "-u", "coder", "--tmpfs", "/mnt/home-persist:uid=1000,mode=755", image]
    done = engine.docker(*words, "sh", "-c", f"{_ONCE} {who} 0")
    return float(json.loads(done.stdout)["seconds"])


def alone(engine: Engine, image: str, rounds: int = ROUNDS) -> Pairs:
    """One container at a time, ours and the shell's in turn."""
    ours: list[float] = []
    shell: list[float] = []
    for number in range(rounds + 1):
        for who, kept in (("ours", ours), ("shell", shell)):
            seconds = sample(engine, image, who)
            if number:  # the first round brings the image's files into the page cache, for both
                kept.append(seconds)
    return summarise(ours, shell)


def together(engine: Engine, image: str, rounds: int = 3) -> Pairs:
    """Sixteen containers that start at once, all ours and then all the shell's."""
    ours: list[float] = []
    shell: list[float] = []
    for _ in range(rounds):
        for who, kept in (("ours", ours), ("shell", shell)):
            with ThreadPoolExecutor(TOGETHER) as pool:
                kept.extend(pool.map(lambda name: sample(engine, image, name), [who] * TOGETHER))
    return summarise(ours, shell)


def loaded(engine: Engine, image: str) -> Pairs:
    """As `alone`, while other programs keep every core busy."""
    with _load():
        return alone(engine, image, rounds=5)


@contextmanager
def _load() -> Iterator[None]:
    count = _BUSY_A_CORE * (os.cpu_count() or 1)
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()
