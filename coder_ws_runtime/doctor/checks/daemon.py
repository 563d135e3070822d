"""The check of the daemon that keeps the links in place."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

from coder_ws_runtime.doctor import logs, remedies, systemd
from coder_ws_runtime.doctor.checks.home import volume_problem
from coder_ws_runtime.doctor.checks.refused_unit import refused_unit
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import (
    Finding,
    Remedy,
    Verdict,
    Where,
    failure,
    found,
    ok,
    skipped,
    warning,
)
from coder_ws_runtime.doctor.systemd import Unit
from coder_ws_runtime.text import plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_LIMIT = re.compile(r"max_user_(?:watches|instances)")
_RAISED = {"max_user_watches": 1048576, "max_user_instances": 1024}


@check("home.daemon", "home-persist watch", needs=[Need.SYSTEMD, Need.UNITS, Need.VOLUME])
def daemon(context: Context) -> Verdict:
    """The daemon that keeps the links in place runs, and has checked all paths recently."""
    unit = context.ask(systemd.units).get(systemd.WATCH, Unit(systemd.WATCH, {}))
    if context.ask(volume_problem):
        return skipped("the volume cannot be used; see home.volume")
    unit_problem = _daemon_unit_problem(context, unit)
    if unit_problem:
        return found([unit_problem], "")
    if unit.changing:
        return ok("it is starting")
    report = _watch_report(context.layout.watch_report)
    if report is None and not unit["StatusText"]:
        # At boot it is ready for systemd before its first look, after which it writes the report and this.
        return ok("it is looking at all paths for the first time")
    if report is None:
        remedy = remedies.restart_unit(context, unit.name, "start it again", safe=True)
        evidence = [f"{context.layout.watch_report}: missing, or not JSON"]
        problem = "the daemon has not written a report of its work"
        return found([failure("home.daemon-no-report", problem, remedy, evidence=evidence)], "")
    age = time.time() - report["last_sweep"]
    work_problem = _work_problem(context, unit, report, age)
    return found(
        [work_problem] if work_problem else [],
        f"it runs, {plural(report['heals'], 'link')} healed, last look {max(age, 0):.0f} s ago",
    )


def _work_problem(context: Context, unit: Unit, report: dict[str, Any], age: float) -> Finding | None:
    period = report["period"]
    if age > 2 * period + 60:
        remedy = remedies.restart_unit(context, unit.name, "start it again", safe=True)
        evidence = [f"it last checked all paths {age:.0f} s ago; it should do so every {period:.0f} s"]
        return failure("home.daemon-hangs", "the daemon hangs", remedy, evidence=evidence)
    why = str(report.get("inotify_error") or report.get("blind") or "")
    if why:
        problem = f"the kernel does not report changes to the daemon, so it looks every {period:.0f} s: {why}"
        return warning("home.daemon-inotify-limit", problem, _more_inotify(context, why))
    return None


def _more_inotify(context: Context, why: str) -> Remedy:
    """Raise the limit that was reached; all containers of the user share it."""
    limits = _LIMIT.findall(why) or ["max_user_watches", "max_user_instances"]
    raised = [f"fs.inotify.{name}={_RAISED[name]}" for name in dict.fromkeys(limits)]
    again = remedies.restart_unit(context, systemd.WATCH, "then start the daemon again")
    return Remedy(
        "raise the limit on the Docker host: all containers of the user share it; a file in"
        " /etc/sysctl.d there makes it permanent",
        tuple(f"sudo sysctl -w {value}" for value in raised),
        Where.HOST,
        then=again,
    )


def _daemon_unit_problem(context: Context, unit: Unit) -> Finding | None:
    if unit.masked:
        problem = "home-persist-watch is masked, so replaced links are not restored"
        return failure("home.daemon-masked", problem, remedies.unmask_unit(context, unit))
    if not unit.there:
        return _not_loaded(context, unit)
    if unit.failed or unit.restarting or unit.restarts:
        text = "start it again; if it fails again, fix what its log says"
        remedy = remedies.restart_unit(context, unit.name, text)
        problem = "the daemon has failed"
        if not (unit.failed or unit.restarting):
            times = plural(unit.restarts, "time")
            problem = f"the daemon keeps exiting: systemd restarted it {times} within the last minutes"
        return failure("home.daemon-failed", problem, remedy, evidence=logs.why(context, unit))
    if unit["UnitFileState"] == "disabled":
        enable = context.as_root("systemctl enable --now home-persist-watch")
        problem = "home-persist-watch is disabled, so replaced links are not restored"
        return failure("home.daemon-disabled", problem, Remedy("enable it", (enable,), safe=True))
    if not (unit.active or unit.changing):
        problem = (
            "the daemon does not run: a link that a program replaces is not restored, and its content is"
            " lost when this container is replaced"
        )
        remedy = remedies.restart_unit(context, unit.name, "start it", safe=True)
        return failure("home.daemon-stopped", problem, remedy)
    return None


def _not_loaded(context: Context, unit: Unit) -> Finding:
    if unit.invalid:
        problem = "the daemon cannot be started again: systemd refuses its unit files"
        return refused_unit(context, unit, "home.daemon-invalid", problem)
    remedy = remedies.change_template(context, remedies.TOO_OLD)
    return failure("home.daemon-not-installed", "home-persist-watch is not installed", remedy)


def _watch_report(file: Path) -> dict[str, Any] | None:
    try:
        report: dict[str, Any] = json.loads(file.read_bytes())
        return report if all(float(report[key]) >= 0 for key in ("last_sweep", "period", "heals")) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
