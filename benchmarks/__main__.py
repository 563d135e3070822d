"""Measure, print a line a figure, and write `.dev/bench.json`; with ``--publish`` also docs/benchmarks.md.

``--kubernetes`` measures a workspace in a pod instead, see benchmarks/kubernetes.py.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import boot, first_start, kubernetes, machine, report, seed_image
from benchmarks.figures import BY_NAME, FIGURES, Figure
from devtools import engine, mirror
from devtools.engine import Engine
from devtools.images import tag
from devtools.shell import ROOT, STATE, say
from devtools.workspace import Workspace
from tests.harness import derived

HERE = Path(__file__).parent
RESULTS = STATE / "bench.json"
OUTSIDE: dict[str, Callable[[Engine, str], dict[str, float]]] = {
    "first-start": first_start.alone,
    "first-start-16": first_start.together,
    "first-start-loaded": first_start.loaded,
}


def main() -> int:
    """Measure what is named on the command line, or everything.

    Returns:
        the exit status.
    """
    words = sys.argv[1:]
    if "--publish" in words:
        report.publish(json.loads(RESULTS.read_text()))
        return 0
    if words == ["--kubernetes"]:
        docker = engine.ensure()
        mirror.build(docker, "base-engine")
        kubernetes.measure(docker)
        return 0
    names = words or [figure.name for figure in FIGURES]
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        print(f"error: no such benchmark: {unknown[0]}\nhint: known: {', '.join(BY_NAME)}", file=sys.stderr)
        return 2
    docker = engine.ensure()
    mirror.build(docker, "base")
    image = _image(docker, "shell")
    results = _load()
    space = Workspace(docker, "bench", owner="bench", image=image).without_coder()
    space.remove()
    try:
        for name in names:
            figure = BY_NAME[name]
            say(figure.title)
            results["figures"][name] = _measure(docker, space, figure, image)
            print(f"    {report.line(figure, results['figures'][name])}", flush=True)
            _save(results)
    finally:
        space.remove(volumes=True)
    return 0


def _image(docker: Engine, name: str) -> str:
    """The base with the scripts that run inside, and what images/`name` adds."""
    scripts = [HERE / "__init__.py", *sorted(file for file in (HERE / "inside").iterdir() if file.is_file())]
    sources = tuple(str(file.relative_to(ROOT)) for file in scripts)
    return derived.build(docker, HERE / "images" / name, sources=sources)


def _measure(docker: Engine, space: Workspace, figure: Figure, image: str) -> dict[str, float]:
    if figure.name == "boot":
        return boot.measure(docker, tag("base"), derived.build(docker, HERE / "images/bare"))
    if figure.name == "seed-image":
        return seed_image.first(docker, _image(docker, "seed"))
    if figure.name in OUTSIDE:
        return OUTSIDE[figure.name](docker, image)
    if not space.is_running():
        space.boot()
    script, *words = figure.inside
    found: dict[str, float] = json.loads(
        space.out(f"PYTHONPATH=/tmp python3 -m benchmarks.inside.{script} {' '.join(words)}")
    )
    return found


def _load() -> dict[str, Any]:
    """What was measured before, on this machine; figures are replaced one by one."""
    results: dict[str, Any] = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    return {"version": 1, "figures": {}, **(results if results.get("version") == 1 else {})}


def _save(results: dict[str, Any]) -> None:
    results["machine"] = machine.describe()
    STATE.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    sys.exit(main())
