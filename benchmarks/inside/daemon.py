"""The daemon of a booted workspace; prints JSON.

Usage: daemon.py heal SAVES | rest SECONDS
"""

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path


def heal(saves: int) -> dict[str, float]:
    """Milliseconds from an atomic save until it is on the volume and the link is back."""
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
        times.append((time.perf_counter() - began) * 1000)
        if link.read_text() != f"{number}":
            raise AssertionError(f"save {number} is not what is read back")
        time.sleep(0.25)
    times.sort()
    p99 = times[min(len(times) - 1, int(len(times) * 0.99))]
    return {"median_ms": statistics.median(times), "p99_ms": p99, "max_ms": times[-1], "saves": saves}


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
    print(json.dumps(heal(int(sys.argv[2])) if sys.argv[1] == "heal" else rest(float(sys.argv[2]))))
