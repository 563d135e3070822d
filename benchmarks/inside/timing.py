"""Times whole processes, in turn with a baseline (A B A B …). Standard library only: it runs in the image."""

import os
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

TREE = Path("/tmp/bench")
"""In the container's own layer, as $HOME is."""
VOLUME = Path("/mnt/home-persist/.bench")
SHELL = ("bash", "/tmp/benchmarks/inside/resolver.sh")
OURS = ("home-persist", "resolve")
IMAGE_MANIFESTS = Path("/etc/home-persist.d")

Pairs = dict[str, float]


def timed(argv: Sequence[str], env: dict[str, str]) -> float:
    """Seconds of wall time of a process.

    Raises:
        CalledProcessError: it ended with another status than 0.
    """
    began = time.perf_counter()
    subprocess.run(list(argv), env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def processor_seconds() -> float:
    """Seconds of processor time of the programs that have ended, and of all that they started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def summarise(ours: Sequence[float], baseline: Sequence[float]) -> Pairs:
    """Medians of both, and of the ratios pair by pair, with the smallest and the largest ratio."""
    ratios = [a / b for a, b in zip(ours, baseline, strict=True)]
    return {
        "seconds": statistics.median(ours),
        "baseline_seconds": statistics.median(baseline),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "rounds": len(ratios),
    }


def pairs(
    ours: Sequence[str],
    baseline: Sequence[str],
    env: dict[str, str],
    rounds: int,
    reset: Callable[[], None] | None = None,
) -> Pairs:
    """Run both commands in turn; the first round warms up and does not count.

    The result also has the processor time of `ours`, in seconds.

    Args:
        ours: what is measured.
        baseline: what it is compared with.
        env: their whole environment.
        rounds: how many pairs count.
        reset: called before each command; it is not timed.
    """
    times: tuple[list[float], list[float]] = ([], [])
    used: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for argv, kept, processor in zip((ours, baseline), times, used, strict=True):
            if reset:
                reset()
            before = processor_seconds()
            seconds = timed(argv, env)
            if number:
                kept.append(seconds)
                processor.append(processor_seconds() - before)
    return {**summarise(*times), "processor_seconds": statistics.median(used[0])}


def environment(manifests: Path = IMAGE_MANIFESTS) -> dict[str, str]:
    """The environment of a home, a volume and a ledger of the benchmark's own."""
    return {
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "HOME": str(TREE / "home"),
        "HOME_PERSIST_STATE": str(VOLUME),
        "HOME_PERSIST_MANIFEST_DIR": str(manifests),
        "HOME_PERSIST_LEDGER_DIR": str(TREE / "ledger"),
        "CODER_WORKSPACE_ID": "bench",
    }


def fresh(*, remove: bool = False) -> None:
    """Make an empty home, an empty ledger and an empty volume. The former ones are renamed.

    They are not removed, because a workspace has deleted nothing before its first start. ext4 does not
    reuse an inode that was deleted in the last minutes, and looks at all of these again for each new file
    (`recently_deleted` in fs/ext4/ialloc.c). After a round of 1,000 paths was removed, that took 0.3 to 0.5
    ms for each directory and each link, in place of 0.02.

    Args:
        remove: remove the former ones, because they have few files and are too large to be kept.
    """
    for directory in (TREE, VOLUME):
        if remove:
            shutil.rmtree(directory, ignore_errors=True)
        _rename(directory)
    for directory in (TREE / "home", TREE / "ledger", VOLUME):
        directory.mkdir(parents=True)


def new_volume() -> None:
    """Make an empty volume, as `fresh` does."""
    _rename(VOLUME)
    VOLUME.mkdir()


def _rename(directory: Path) -> None:
    if directory.exists():
        former = Path(f"{directory}-former")
        former.mkdir(exist_ok=True)
        directory.rename(former / str(time.monotonic_ns()))
