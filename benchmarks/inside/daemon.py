"""The daemon of a booted workspace; prints JSON.

Usage: daemon.py heal SAVES | scale SAVES | rest SECONDS | host SECONDS
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.inside.timing import OURS, TREE, environment, timed
from coder_ws_runtime.persist.watch.schedule import QUIET

PATHS = 2000
FILES = 50_000
BATCHES = 3000
"""Of 60 paths, so that none has more versions than the attic keeps."""
WORKSPACES = 100


def heal(saves: int) -> dict[str, float]:
    """Milliseconds from an atomic save until the link is back, without the time of quiet before."""
    link = Path.home() / ".bench.json"
    link.write_text("0")
    subprocess.run(["home-persist", "add", "-q", str(link)], check=True)
    time.sleep(2)  # then the daemon has read the declarations, and looked at each path
    times: list[float] = []
    for number in range(saves):
        new = link.with_name(".bench-new")
        new.write_text(f"{number}")
        began = time.perf_counter()
        new.rename(link)
        while not link.is_symlink():
            time.sleep(0.0001)
        times.append((time.perf_counter() - began - QUIET) * 1000)
        if link.read_text() != f"{number}":
            raise AssertionError(f"save {number} is not what is read back")
        time.sleep(0.25)
    times.sort()
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    return {"median_ms": statistics.median(times), "p99_ms": p99, "max_ms": times[-1], "saves": saves}


def scale(saves: int) -> dict[str, float]:
    """As `heal`, with 2,000 paths, 50,000 files below one of them, and 3,000 batches in the attic."""
    home, volume = Path.home(), Path("/mnt/home-persist")
    big = home / ".bench-big"
    for number in range(FILES):
        directory = big / str(number // 500)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / str(number)).write_text("x")
    paths = [home / f".bench/{number % 50}/{number}/conf" for number in range(PATHS)]
    for path in paths:
        path.parent.mkdir(parents=True)
        path.write_text("x")
    words = ["home-persist", "add", "-q", f"{big}/", *map(str, paths)]
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    for number in range(BATCHES):
        moment = time.strftime("%Y%m%dT%H%M%S", time.gmtime(time.time() - 60 * number))
        batch = volume / f".home-persist/attic/{moment}.000Z-bench"
        batch.mkdir(parents=True)
        (batch / f".bench-{number % 60}.json").write_text(f"older {number}")
    time.sleep(15)  # what the new declarations have still to do
    return heal(saves)


def rest(seconds: float) -> dict[str, float]:
    """Memory, and wake-ups while nothing happens."""
    words = ["systemctl", "show", "-P", "MainPID", "home-persist-watch"]
    pid = int(subprocess.check_output(words, text=True))
    time.sleep(3)  # what a heal has still to do
    before = _wakeups(pid)
    time.sleep(seconds)
    wakeups = _wakeups(pid) - before
    return {"rss_kib": _number(pid, "status", "VmRSS"), "wakeups": wakeups, "seconds": seconds}


def host(seconds: float) -> dict[str, float]:
    """The daemons of many workspaces with the image's manifests, each of an owner of its own.

    The memory is that of each with its share of what they have in common (PSS); the wake-ups are of all.
    """
    shutil.rmtree(TREE, ignore_errors=True)
    daemons = [_start(TREE / f"host-{number}") for number in range(WORKSPACES)]
    try:
        while any(not _watches(daemon.pid) for daemon in daemons):
            time.sleep(0.5)
        time.sleep(10)  # what a start has still to do
        before = sum(_wakeups(daemon.pid) for daemon in daemons)
        time.sleep(seconds)
        return {
            "rss_kib": statistics.mean(_number(daemon.pid, "smaps_rollup", "Pss") for daemon in daemons),
            "wakeups": sum(_wakeups(daemon.pid) for daemon in daemons) - before,
            "seconds": seconds,
            "watches": statistics.mean(sum(_watches(daemon.pid)) for daemon in daemons),
            "instances": statistics.mean(len(_watches(daemon.pid)) for daemon in daemons),
        }
    finally:
        for daemon in daemons:
            daemon.terminate()
        for daemon in daemons:
            daemon.wait()


def _start(tree: Path) -> "subprocess.Popen[bytes]":
    places = {"HOME": "home", "HOME_PERSIST_STATE": "volume", "HOME_PERSIST_LEDGER_DIR": "ledger"}
    for name in places.values():
        (tree / name).mkdir(parents=True)
    env = environment() | {variable: str(tree / name) for variable, name in places.items()}
    timed(OURS, env)
    words, nowhere = ["home-persist", "watch"], subprocess.DEVNULL
    return subprocess.Popen(words, env=env, stdout=nowhere, stderr=nowhere)


def _wakeups(pid: int) -> int:
    return _number(pid, "status", "voluntary_ctxt_switches")


def _number(pid: int, file: str, key: str) -> int:
    """A number of proc(5), in KiB if it is memory."""
    lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{key}:")).split()[1])


def _watches(pid: int) -> list[int]:
    """The number of watches of each inotify instance of a process."""
    counts = [
        Path(entry.path).read_text().count("inotify wd:") for entry in os.scandir(f"/proc/{pid}/fdinfo")
    ]
    return [count for count in counts if count]


if __name__ == "__main__":
    verbs = {"heal": heal, "scale": scale, "rest": rest, "host": host}
    print(json.dumps(verbs[sys.argv[1]](int(sys.argv[2]))))
