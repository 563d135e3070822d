"""Runs in a workspace, as its user: times whole processes in turn (A B A B …) and prints JSON."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

TREE = Path("/tmp/bench")  # the container's own layer, as $HOME is
VOLUME = Path("/mnt/home-persist/.bench")
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def timed(argv: list[str], env: dict[str, str]) -> float:
    """Seconds of wall time of a process."""
    began = time.perf_counter()
    subprocess.run(argv, env=env, check=True, **QUIET)
    return time.perf_counter() - began


def pairs(
    first: list[str], second: list[str], env: dict[str, str], rounds: int, reset: object = None
) -> dict:
    """Both commands in turn; medians of the times and of the ratios pair by pair."""
    a, b = [], []
    for number in range(rounds + 1):
        for argv, times in ((first, a), (second, b)):
            if callable(reset):
                reset()
            seconds = timed(argv, env)
            if number:  # the first round warms up
                times.append(seconds)
    ratios = [x / y for x, y in zip(a, b, strict=True)]
    return {
        "seconds": statistics.median(a),
        "baseline_seconds": statistics.median(b),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "rounds": rounds,
    }


def environment(manifests: Path) -> dict[str, str]:
    """A home, a volume and a ledger of its own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(TREE / "home"),
        "HOME_PERSIST_STATE": str(VOLUME),
        "HOME_PERSIST_MANIFEST_DIR": str(manifests),
        "HOME_PERSIST_LEDGER_DIR": str(TREE / "ledger"),
        "CODER_WORKSPACE_ID": "bench",
    }


def fresh() -> None:
    """An empty home and an empty volume."""
    for directory in (TREE, VOLUME):
        shutil.rmtree(directory, ignore_errors=True)
    for directory in (TREE / "home", TREE / "ledger", VOLUME):
        directory.mkdir(parents=True)


def resolve(count: int | None, rounds: int) -> dict:
    """A resolve that finds everything in place; `count` paths, or the image's own manifests."""
    fresh()
    manifests = Path("/etc/home-persist.d")
    if count:
        manifests = TREE / "manifests"
        manifests.mkdir()
        paths = [f".tool{number // 50}/dir{number}/" for number in range(count)]
        (manifests / "many.json").write_text(json.dumps({"source": "many", "paths": paths}))
    shell = ["bash", "/tmp/resolver.sh"]
    return pairs(["home-persist", "resolve"], shell, environment(manifests), rounds)


def seed(files: int, rounds: int) -> dict:
    """Seeding a directory of small files, durably, against `cp -a` and `sync`."""
    manifests = Path("/tmp/bench-manifests")
    manifests.mkdir(exist_ok=True)
    (manifests / "tool.json").write_text(json.dumps({"source": "tool", "paths": [".tool/"]}))

    def fill() -> None:
        fresh()
        for number in range(files):
            directory = TREE / f"home/.tool/{number // 200}"
            if number % 200 == 0:
                directory.mkdir(parents=True)
            (directory / f"file{number}").write_bytes(b"x" * (number % 4096))
        os.sync()

    copy = f"cp -a {TREE}/home/.tool {VOLUME}/.tool && sync"
    result = pairs(
        ["home-persist", "resolve"], ["sh", "-c", copy], environment(manifests), rounds, reset=fill
    )
    assert (TREE / "home/.tool").is_symlink() or rounds
    fresh()
    return result


def doctor(rounds: int) -> dict:
    """All checks, against what one asks systemd by hand; the checks must find nothing."""
    return pairs(["ws-doctor", "--strict"], ["systemctl", "status", "--no-pager"], dict(os.environ), rounds)


def heal(saves: int) -> dict:
    """How long it takes until an atomic save is on the volume and the link is back."""
    link = Path.home() / ".claude.json"
    times = []
    for number in range(saves):
        new = link.with_name(".bench-new")
        new.write_text(f"{number}")
        began = time.perf_counter()
        new.rename(link)
        while not link.is_symlink():
            time.sleep(0.0005)
        times.append(time.perf_counter() - began)
        assert link.read_text() == f"{number}"
        time.sleep(0.25)
    return {"median_ms": statistics.median(times) * 1000, "max_ms": max(times) * 1000, "saves": saves}


def daemon(seconds: float) -> dict:
    """Memory, and wake-ups while nothing happens."""
    pid = subprocess.check_output(
        ["systemctl", "show", "-P", "MainPID", "home-persist-watch"], text=True
    ).strip()

    def status() -> dict[str, str]:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    time.sleep(3)  # what a heal has still to do
    before = status()
    time.sleep(seconds)
    after = status()
    wakes = int(after["voluntary_ctxt_switches"]) - int(before["voluntary_ctxt_switches"])
    return {"rss_kib": int(after["VmRSS"].split()[0]), "wakeups": wakes, "seconds": seconds}


def main() -> None:
    name = sys.argv[1]
    measured = {
        "resolve-default": lambda: resolve(None, 15),
        "resolve-1000": lambda: resolve(1000, 5),
        "seed-20000": lambda: seed(20_000, 5),
        "doctor": lambda: doctor(15),
        "heal": lambda: heal(40),
        "daemon": lambda: daemon(60),
    }[name]()
    print(json.dumps(measured))


main()
