"""What a workspace costs on Kubernetes and on Docker, measured in turn: ``./dev bench --kubernetes``.

The figures go to docs/kubernetes.json. ``./dev docs`` writes the table of docs/kubernetes.md from them.
"""

import datetime as dt
import json
import statistics
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks import machine
from devtools.engine import Engine
from devtools.images import tag
from devtools.kubernetes.cluster import Cluster
from devtools.kubernetes.workspace import KubernetesWorkspace
from devtools.shell import ROOT, DevError, run, say
from devtools.workspace import Workspace

DATA = ROOT / "docs/kubernetes.json"
ROUNDS = 5
_NAMESPACE = "coder-bench"
_BEGIN = "<!-- begin of the figures: ./dev bench --kubernetes measures them, ./dev docs writes them -->"
_END = "<!-- end of the figures -->"
_ID = "00000000-0000-4000-8000-00000000be9c"
"""It stays the same: what is measured is a start with the volumes of the start before, on both."""
_REST_SECONDS = 30.0
"""After so long a workspace is at rest."""
_BOOT_SECONDS = 8.0
_READY_SECONDS = 60.0
_UNITS = {"home": "home-persist-resolve", "agent": "coder-agent"}
"""The figure, and the unit that is active then."""
_ENGINE = {"docker": "ws-docker-engine"}
"""The same, where the engine is not the host's."""
ROWS = {
    "rolled_out": ("plan applied to counted as ready", "s"),
    "pid1": ("pod scheduled, or container created, to PID 1", "s"),
    "home": ("the same, to `$HOME` ready", "s"),
    "agent": ("the same, to agent started", "s"),
    "docker": ("the same, to Docker engine up; its socket is there before", "s"),
    "stop": ("stop, until the pod is gone or the container has ended", "s"),
    "import": ("import of the image `base-engine` into a node", "s"),
    "memory": ("memory at rest, without caches", "MiB"),
}

Found = dict[str, list[float]]


def measure(engine: Engine) -> None:
    """Measure on both engines in turn, with the image on the node, and write docs/kubernetes.json.

    Raises:
        DevError: the cluster or a workspace does not start.
    """
    image = tag("base-engine")
    cluster = Cluster(engine)
    was_running = cluster.running()
    cluster.start()
    try:
        found: dict[str, Found] = {"kubernetes": {}, "docker": {}}
        say("importing the image")
        found["kubernetes"]["import"] = [cluster.load(image, again=True) for _ in range(2)]
        cluster.kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": _NAMESPACE}})
        for number in range(ROUNDS + 1):
            say(f"round {number} of {ROUNDS}{'' if number else ', which does not count'}")
            for name, take in (("kubernetes", _in_pod), ("docker", _in_container)):
                # At rest once: it takes half a minute.
                taken = take(cluster, image, number == ROUNDS)
                if number:
                    for key, value in taken.items():
                        found[name].setdefault(key, []).append(value)
        DATA.write_text(json.dumps({"machine": machine.describe(), "figures": found}, indent=2) + "\n")
        say(f"wrote {DATA.relative_to(ROOT)}")
    finally:
        _container(engine, image).remove(volumes=True)
        cluster.kubectl.run("delete", "namespace", _NAMESPACE, "--timeout=120s", check=False)
        for volume in cluster.kubectl.items("persistentvolumes"):
            name = volume["metadata"]["name"]
            if name.startswith(f"{_NAMESPACE}-"):
                cluster.kubectl.run("delete", "persistentvolume", name, check=False)
                run(["rm", "-rf", "--one-file-system", cluster.volume_root / name])
        if not was_running:
            cluster.stop()


def _in_pod(cluster: Cluster, image: str, at_rest: bool) -> dict[str, float]:  # noqa: FBT001
    space = KubernetesWorkspace(
        cluster, "bench", image=f"docker.io/{image}", namespace=_NAMESPACE, workspace_id=_ID
    )
    space.settings["workspace"]["access_url"] = ""
    began = time.monotonic()
    space.start(wait=False)
    space.wait_rolled_out()
    found = {"rolled_out": time.monotonic() - began}
    space.wait_ready()
    uid = space.status()["metadata"]["uid"]
    events = cluster.kubectl.items("events", namespace=_NAMESPACE)
    (scheduled,) = (
        one["eventTime"]
        for one in events
        if one["involvedObject"].get("uid") == uid and one["reason"] == "Scheduled"
    )
    found |= _since(_instant(scheduled), _UNITS | _ENGINE, lambda script: space.out(script, user="root"))
    if at_rest:
        time.sleep(_REST_SECONDS)
        found["memory"] = _memory(f"*pod{uid}*")
    found["stop"] = space.stop()
    space.delete()
    return found


def _in_container(cluster: Cluster, image: str, at_rest: bool) -> dict[str, float]:  # noqa: FBT001
    engine = cluster.engine
    space = _container(engine, image)
    space.remove()
    try:
        space.boot(wait=False)
        # Asking it while it boots would take the processor from it.
        time.sleep(_BOOT_SECONDS)
        space.wait_ready()
        created = engine.inspect(space.container)["Created"]
        found = _since(_instant(created), _UNITS, lambda script: space.out(script, user="root"))
        if at_rest:
            time.sleep(_REST_SECONDS)
            found["memory"] = _memory(f"*{engine.inspect(space.container)['Id']}*")
        found["stop"] = space.stop()
    finally:
        space.remove()
    return found


def _container(engine: Engine, image: str) -> Workspace:
    return Workspace(engine, "bench-docker", owner="bench", image=image, workspace_id=_ID).without_coder()


def _instant(text: str) -> float:
    """Seconds since the epoch of a time in RFC 3339, with any number of digits after the point."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return dt.datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")


def _since(begin: float, units: Mapping[str, str], out: Callable[[str], str]) -> dict[str, float]:
    """Seconds from an instant until PID 1 ran and each unit was active (org.freedesktop.systemd1(5))."""
    # Units say it by the monotonic clock, which is the machine's.
    offset = time.time() - time.monotonic() - begin
    found = {"pid1": int(out("systemctl show -P UserspaceTimestampMonotonic")) / 1e6 + offset}
    for figure, unit in units.items():
        deadline = time.monotonic() + _READY_SECONDS
        while not (active := int(out(f"systemctl show -P ActiveEnterTimestampMonotonic {unit}"))):
            if time.monotonic() > deadline:
                raise DevError(f"{unit} did not start")
            time.sleep(0.2)
        found[figure] = active / 1e6 + offset
    return found


def _memory(pattern: str) -> float:
    """MiB of a control group's anonymous memory, those below it included."""
    stats = [file / "memory.stat" for file in Path("/sys/fs/cgroup").rglob(pattern)]
    stat = min((one for one in stats if one.exists()), key=lambda one: len(one.parts))
    values = dict(line.split() for line in stat.read_text().splitlines())
    # `total_rss` in version 1 of control groups, `anon` in version 2.
    return int(values.get("total_rss") or values["anon"]) / 2**20


# The page -----------------------------------------------------------------------------------------


def with_figures(page: str) -> str:
    """docs/kubernetes.md with its table written again, between its marks."""
    head, _, rest = page.partition(_BEGIN)
    return f"{head}{_BEGIN}\n\n{table(json.loads(DATA.read_text()))}\n\n{_END}{rest.partition(_END)[2]}"


def table(results: Mapping[str, Any]) -> str:
    """The table of the figures, with the machine that they are from."""
    here, found = results["machine"], results["figures"]
    rows = []
    for name, (title, unit) in ROWS.items():
        cells = [_cell(found[engine].get(name), unit) for engine in ("kubernetes", "docker")]
        rows.append(f"| {title} | {' | '.join(cells)} |")
    machine_is = f"{here['cores']} cores, {here['memory_gib']} GiB, Linux {here['kernel']}, {here['date']}"
    return "\n".join(
        [
            f"Median and range. The machine: {machine_is}, load {here['load']}.",
            "",
            "| | on Kubernetes | on Docker |",
            "| --- | --- | --- |",
            *rows,
        ]
    )


def _cell(values: Iterable[float] | None, unit: str) -> str:
    if not values:
        return "-"
    taken = sorted(values)
    digits = 0 if unit == "MiB" else 1
    middle = f"{statistics.median(taken):.{digits}f} {unit}"
    return middle if len(taken) == 1 else f"{middle} ({taken[0]:.{digits}f} to {taken[-1]:.{digits}f})"
