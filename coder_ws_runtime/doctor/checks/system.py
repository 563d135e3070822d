"""Checks of the system: systemd, the journal, our units, the settings."""

import os
import shlex
import socket

from coder_ws_runtime.doctor import logs, remedies, systemd
from coder_ws_runtime.doctor.checks.refused_unit import refused_unit
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import (
    Finding,
    Remedy,
    Verdict,
    failure,
    found,
    ok,
    warning,
)
from coder_ws_runtime.doctor.systemd import Unit
from coder_ws_runtime.doctor.template import by_template
from coder_ws_runtime.errors import ExitStatus, UserError
from coder_ws_runtime.settings import Engine
from coder_ws_runtime.system import text_file
from coder_ws_runtime.text import plural

# Their own checks report more: agent.process and home.daemon.
_ELSEWHERE = frozenset({systemd.AGENT, systemd.WATCH})
_OWN = (*systemd.UNITS, systemd.DOCKER_ENGINE)


@check("system.pid1", "PID 1", needs=[Need.LIVE])
def pid1(context: Context) -> Verdict:
    """PID 1 is systemd: only then do units run, and programs end cleanly when the workspace stops."""
    name = text_file.read(context.layout.proc / "1/comm").strip() or "unknown"
    if name == "systemd" and context.ask(systemd.boots):
        return ok("systemd is PID 1")
    # Only the program: its arguments may contain secrets.
    command = text_file.read(context.layout.proc / "1/cmdline").partition("\0")[0]
    remedy = remedies.change_template(
        context,
        by_template(
            context,
            "start the container with the image's own command: in the template's docker_container set neither"
            " command nor entrypoint nor init",
            "start the container with the image's own command: in the template's container set neither"
            " command nor args, and in its pod not share_process_namespace",
        ),
    )
    evidence = [f"/proc/1/cmdline: {command} …"]
    return found(
        [failure("system.pid1-foreign", f"PID 1 is {name}, not systemd", remedy, evidence=evidence)], ""
    )


@check("system.state", "the system", needs=[Need.SYSTEMD])
def state(context: Context) -> Verdict:
    """Everything has been started, and no unit has failed. Our own units have their own check."""
    if context.live and not _bus_answers(context):
        # Root can reach systemd without the bus: systemctl(1) then uses a private socket.
        remedy = Remedy("start it again", (context.as_root("systemctl start dbus.socket dbus.service"),))
        problem = "the system bus does not answer, so only root can talk to systemd"
        evidence = [f"{context.layout.system_bus}: no answer"]
        return found([failure("system.dbus-down", problem, remedy, evidence=evidence)], "")
    now = systemd.state(context)
    if not now:
        remedy = remedies.restart_workspace(context)
        return found([failure("system.state-silent", "systemd does not answer", remedy)], "")
    if now == "maintenance":
        remedy = Remedy("continue the boot", (context.as_root("systemctl default"),))
        problem = "the system is in its maintenance mode"
        return found([failure("system.state-maintenance", problem, remedy)], "")
    findings = [_stranger(context, unit) for unit in systemd.strangers(context)]
    return found(findings, "everything has started" if now == "running" else f"the system is still {now}")


def _stranger(context: Context, unit: Unit) -> Finding:
    name = shlex.quote(unit.name)  # systemd's escapes have backslashes
    forget = (context.as_root(f"systemctl reset-failed {name}"),)
    if unit["FragmentPath"].startswith("/run/systemd/transient/"):
        remedy = Remedy("systemd-run started it: see its log, then remove it from the list", forget)
    elif unit.masked or unit["LoadState"] == "not-found":
        remedy = Remedy("it can no longer start: remove it from the list", forget)
    else:
        # systemd may have given it up.
        again = (*forget, context.as_root(f"systemctl restart {name}"))
        remedy = Remedy("fix what it says, then start it again", again)
    evidence = logs.why(context, unit)
    return warning("system.other-unit-failed", f"{unit.name} has failed", remedy, evidence=evidence)


def _bus_answers(context: Context) -> bool:
    """Whether a bus daemon listens on the system bus; the existence of its socket file does not show that."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(2.0)
        try:
            client.connect(str(context.layout.system_bus))
        except TimeoutError:
            return True
        except OSError:
            return False
    return True


@check("system.journal", "the journal", needs=[Need.SYSTEMD, Need.UNITS])
def journal(context: Context) -> Verdict:
    """The journal runs; without it, no log says why something failed."""
    unit = context.ask(systemd.answers).get(systemd.JOURNAL, Unit(systemd.JOURNAL, {}))
    if unit.active or unit.changing:
        return ok("it runs")
    remedy = remedies.start_again(context, "start it again", systemd.JOURNAL_SOCKET, unit.name)
    problem = "the journal does not run, so the output of programs is not recorded"
    evidence = [f"{unit.name}: {unit['LoadState']}, {unit['ActiveState']} ({unit['SubState']})"]
    return found([failure("system.journald-down", problem, remedy, evidence=evidence)], "")


@check("system.units", "our units", needs=[Need.SYSTEMD, Need.UNITS])
def units(context: Context) -> Verdict:
    """Each boot step is installed, enabled, and has done its work; otherwise its log says why not."""
    known = context.ask(systemd.units)
    expected = _OWN if context.settings.engine is Engine.OWN else systemd.UNITS
    names = [name for name in expected if name not in _ELSEWHERE]
    findings = [item for name in names if (item := _unit(context, known.get(name, Unit(name, {}))))]
    return found(findings, f"{', '.join(name.removesuffix('.service') for name in names)}: as they should be")


def _unit(context: Context, unit: Unit) -> Finding | None:
    name = unit.name.removesuffix(".service")
    if unit.masked:
        problem = f"{name} is masked, so it never runs"
        remedy = remedies.unmask_unit(context, unit)
        return failure("system.unit-masked", problem, remedy, about=unit.name)
    if unit.invalid:
        problem = f"{name} does not run: systemd refuses its unit files"
        return refused_unit(context, unit, "system.unit-invalid", problem, about=unit.name)
    if not unit.there:
        remedy = remedies.change_template(context, remedies.TOO_OLD)
        evidence = [f"{unit.name}: {unit['LoadState']}"]
        problem = f"{name} is not installed"
        return failure("system.unit-not-installed", problem, remedy, evidence=evidence, about=unit.name)
    if unit.failed:
        return _failed(context, unit)
    if unit.restarting or unit.restarts:
        return _restarting(context, unit)
    return _not_started(context, unit)


def _not_started(context: Context, unit: Unit) -> Finding | None:
    name = unit.name.removesuffix(".service")
    if unit["UnitFileState"] == "disabled":
        remedy = Remedy("enable it", (context.as_root(f"systemctl enable --now {name}"),), safe=True)
        problem = f"{name} is disabled, so it does not run at boot"
        return failure("system.unit-disabled", problem, remedy, about=unit.name)
    if not (unit.active or unit.changing or unit.left_out):
        remedy = remedies.restart_unit(context, unit.name, "start it", safe=True)
        evidence = [f"{unit.name}: {unit['ActiveState']} ({unit['SubState']})"]
        problem = f"{name} does not run"
        return warning("system.unit-stopped", problem, remedy, evidence=evidence, about=unit.name)
    return None


def _restarting(context: Context, unit: Unit) -> Finding:
    name = unit.name.removesuffix(".service")
    count = plural(max(unit.restarts, 1), "time")
    return failure(
        "system.unit-restarting",
        f"{name} keeps exiting: systemd restarted it {count} within the last minutes",
        remedies.restart_unit(context, unit.name, "fix what its log says, then start it at once"),
        evidence=logs.why(context, unit),
        about=unit.name,
    )


def _failed(context: Context, unit: Unit) -> Finding:
    """A failed unit. If it refused something with a clear error, another check reports that."""
    name = unit.name.removesuffix(".service")
    if unit["Result"] == "exit-code" and unit["ExecMainStatus"] == str(ExitStatus.REFUSED.value):
        return warning(
            "system.unit-refused",
            f"{name} refused something at its last run",
            remedies.restart_unit(context, unit.name, "fix what it says, then run it again"),
            evidence=logs.why(context, unit),
            about=unit.name,
        )
    if unit["Result"] == "exit-code" and unit["ExecMainStatus"] == str(ExitStatus.NO_VOLUME.value):
        return warning(
            "system.unit-no-volume",
            f"{name} found no usable volume at its last run",
            remedies.restart_unit(context, unit.name, "once the volume is there, run it again"),
            evidence=logs.why(context, unit),
            about=unit.name,
        )
    return failure(
        "system.unit-failed",
        f"{name} has failed ({unit['Result']}, status {unit['ExecMainStatus']})",
        remedies.restart_unit(context, unit.name, "run it again; if it fails again, fix what its log says"),
        evidence=logs.why(context, unit),
        about=unit.name,
    )


_ORDER = {
    systemd.JETBRAINS: (systemd.RESOLVE,),
    systemd.WATCH: (systemd.RESOLVE,),
    systemd.HOOKS: (systemd.RESOLVE, systemd.JETBRAINS),
    systemd.AGENT: (systemd.DOCKER_GROUP, systemd.RESOLVE),
    systemd.WEB_SHELL: (systemd.RESOLVE,),
}


@check("system.boot-order", "the order of the boot", needs=[Need.SYSTEMD, Need.UNITS])
def boot_order(context: Context) -> Verdict:
    """The home and the Docker group are ready before the agent starts: systemd orders the units by After=."""
    known = context.ask(systemd.units)
    findings = []
    for name, before in _ORDER.items():
        unit = known.get(name)
        if unit is None or not unit.there:
            continue
        missing = [other for other in before if other not in unit["After"].split()]
        if missing:
            findings.append(
                failure(
                    "system.boot-order",
                    f"{name} does not wait for {' and '.join(missing)}",
                    remedies.revert_unit(context, unit, start=False),
                    evidence=[f"{unit['FragmentPath']} {unit['DropInPaths']}".rstrip()],
                    about=name,
                )
            )
    return found(findings, "the home and the Docker group are ready before the agent")


@check("system.settings", "the settings of the workspace")
def settings(context: Context) -> Verdict:
    """The settings document is valid; without it, all settings have their default values."""
    error = context.settings_error
    file = context.layout.settings_file
    if error is not None:
        if isinstance(error.__cause__, PermissionError):
            return found([_closed_settings(context, error)], "")
        hint = error.hint or "the template writes this file: correct it there"
        remedy = remedies.restart_workspace(context, f"{hint}; then restart the workspace")
        problem = f"the settings have no effect: {error.message}"
        return found([failure("system.settings-invalid", problem, remedy, evidence=[error.place])], "")
    if not os.path.lexists(file):
        remedy = remedies.change_template(context, "use the project's template, which uploads it")
        evidence = [f"{file}: no such file"]
        if context.settings.workspace.id:
            problem = "there is no settings document: only the workspace's ID is known"
            return found([warning("system.settings-missing", problem, remedy, evidence=evidence)], "")
        problem = "there is no settings document: paths with the scope workspace are not persisted"
        return found([failure("system.settings-missing", problem, remedy, evidence=evidence)], "")
    name = context.settings.workspace.name
    return ok(f"they are valid{f', the workspace is {name}' if name else ''}")


def _closed_settings(context: Context, error: UserError) -> Finding:
    file = context.layout.settings_file
    units_ = " ".join(name.removesuffix(".service") for name in (systemd.RESOLVE, systemd.WATCH))
    commands = (
        context.as_root(f"chmod a+rX {file.parent} {file}"),
        context.as_root(f"systemctl restart {units_}"),
    )
    remedy = Remedy("make them readable for all users, and link what they declare", commands, safe=True)
    problem = f"the settings have no effect: {error.message}"
    return failure("system.settings-unreadable", problem, remedy, evidence=[error.place])
