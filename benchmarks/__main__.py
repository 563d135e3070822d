"""Boot a workspace and measure in it; print one table."""

import json
import sys
from pathlib import Path

from devtools import engine, mirror
from devtools.shell import ROOT, say
from devtools.workspace import Workspace

HERE = Path(__file__).parent
# Name, what is measured, the aim.
MEASURED = {
    "resolve-default": ("resolve, the image's manifests, against a shell resolver", 1.0),
    "resolve-1000": ("resolve, 1,000 paths, against a shell resolver", 0.03),
    "seed-20000": ("seeding 20,000 small files durably, against cp -a and sync", 1.1),
    "doctor": ("the doctor in a healthy workspace, against systemctl status", 30.0),
    "heal": ("an atomic save until the link is back: ms", 20.0),
    "daemon": ("the daemon: memory in MiB, wake-ups in an idle minute", 30.0),
}


def main() -> int:
    """Measure what is named on the command line, or everything."""
    names = sys.argv[1:] or list(MEASURED)
    unknown = [name for name in names if name not in MEASURED]
    if unknown:
        print(f"error: no such benchmark: {unknown[0]}\nhint: known: {', '.join(MEASURED)}", file=sys.stderr)
        return 2
    docker = engine.ensure()
    mirror.build(docker, "base")
    space = Workspace(docker, "bench", owner="bench").without_coder()
    space.remove()
    try:
        say("booting a workspace")
        space.boot()
        space.out("apt-get update -qq && apt-get install -yqq --no-install-recommends jq", user="root")
        for file in ("inside.py", "resolver.sh"):
            docker.docker("cp", HERE / file, f"{space.container}:/tmp/{file}")
        results = {}
        for name in names:
            say(MEASURED[name][0])
            results[name] = json.loads(space.out(f"python3 /tmp/inside.py {name}"))
            print(f"    {_line(name, results[name])}", flush=True)
        (ROOT / ".dev").mkdir(exist_ok=True)
        (ROOT / ".dev/bench.json").write_text(json.dumps(results, indent=2))
    finally:
        space.remove(volumes=True)
    return 0


def _line(name: str, found: dict[str, float]) -> str:
    aim = MEASURED[name][1]
    if name == "heal":
        return f"median {found['median_ms']:.1f} ms, max {found['max_ms']:.1f} ms (aim: {aim:g})"
    if name == "daemon":
        wakes = found["wakeups"] * 60 / found["seconds"]
        return f"{found['rss_kib'] / 1024:.1f} MiB (aim: {aim:g}), {wakes:.0f} wake-ups a minute (aim: 0)"
    return (
        f"{found['seconds']:.3f} s against {found['baseline_seconds']:.3f} s: ratio {found['ratio']:.3f}"
        f" ({found['ratio_min']:.3f} to {found['ratio_max']:.3f}, aim: {aim:g})"
    )


if __name__ == "__main__":
    sys.exit(main())
