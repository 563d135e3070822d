"""From PID 1 to the agent's start, against the same image with our units masked."""

import time

from benchmarks.inside.timing import Pairs
from devtools.engine import Engine
from devtools.shell import DevError
from devtools.workspace import Workspace

ROUNDS = 7
_READY_SECONDS = 60.0


def measure(engine: Engine, image: str, bare: str) -> Pairs:
    """Milliseconds of both, their difference, and when userspace is done.

    Args:
        engine: where.
        image: the base.
        bare: the base without our units, but for the agent's.
    """
    times: dict[str, list[float]] = {image: [], bare: []}
    for number in range(ROUNDS + 1):
        for name, kept in times.items():
            space = Workspace(engine, "bench-boot", owner="bench", image=name).without_coder()
            space.remove(volumes=True)
            try:
                space.boot()
                if number:
                    kept.append(_agent_started(space))
            finally:
                space.remove(volumes=True)
    ours, baseline = sorted(times[image]), sorted(times[bare])
    middle = ROUNDS // 2
    return {
        "milliseconds": ours[middle],
        "baseline_milliseconds": baseline[middle],
        "extra_ms": ours[middle] - baseline[middle],
        "rounds": ROUNDS,
    }


def _agent_started(space: Workspace) -> float:
    """Milliseconds from the start of PID 1 until the agent's unit is active (org.freedesktop.systemd1(5))."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        began = space.out("systemctl show -P UserspaceTimestampMonotonic")
        active = space.out("systemctl show -P ActiveEnterTimestampMonotonic coder-agent")
        if int(active):
            return (int(active) - int(began)) / 1000
        time.sleep(0.2)
    raise DevError("the agent did not start")
