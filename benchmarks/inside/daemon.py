"""The daemon of a booted workspace; prints JSON.

Usage: daemon.py heal SAVES | scale SAVES | rest SECONDS
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from coder_ws_runtime.persist.watch.schedule import QUIET

PATHS = 2000
FILES = 50_000
BATCHES = 3000
"""Of 60 paths, so that none has more versions than the attic keeps."""


def heal(saves: int) -> dict[str, float]:
    """Milliseconds from an atomic save until the link is back, without the time of quiet before."""
    link = Path.home() / ".bench.json"
    link.write_text("0")
    subprocess.run(["home-persist", "add", "-q", str(link)], check=True)
    times: list[float] = []
    for number in range(saves):
        new = link.with_name(".bench-new")
        new.write_text(f"{number}")
        began = time.perf_counter()
        new.rename(link)
        while not link.is_symlink():
            time.sleep(0.0005)
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
    pid = subprocess.check_output(words, text=True).strip()

    def status() -> dict[str, str]:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    time.sleep(3)  # what a heal has still to do
    before = status()
    time.sleep(seconds)
    after = status()
    wakes = int(after["voluntary_ctxt_switches"]) - int(before["voluntary_ctxt_switches"])
    return {"rss_kib": int(after["VmRSS"].split()[0]), "wakeups": wakes, "seconds": seconds}


if __name__ == "__main__":
    print(json.dumps({"heal": heal, "scale": scale, "rest": rest}[sys.argv[1]](int(sys.argv[2]))))
