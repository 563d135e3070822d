"""Checks of the system: systemd, our units, the settings, memory, locale."""

import os
from collections.abc import Mapping

from coder_ws_runtime.boot.hooks.result import Result, recall
from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.context import Context, text
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
from coder_ws_runtime.doctor.template import by_template
from coder_ws_runtime.errors import ExitStatus
from coder_ws_runtime.settings import Engine

# Their own checks say more: agent.process and home.daemon.
_ELSEWHERE = frozenset({systemd.AGENT, systemd.WATCH})
_OWN = (*systemd.UNITS, systemd.DOCKER_ENGINE)


@check("system.pid1", "PID 1", needs=[Need.LIVE])
def pid1(context: Context) -> Verdict:
    """Units run, and a stop of the workspace ends programs cleanly, only under systemd as PID 1."""
    name = text(context.layout.proc / "1/comm").strip() or "unknown"
    if name == "systemd" and context.ask(systemd.boots):
        return ok("systemd is PID 1")
    # Only the program: arguments may hold secrets.
    command = text(context.layout.proc / "1/cmdline").partition("\0")[0]
    remedy = Remedy(
        by_template(
            context,
            "start the container with the image's own command: in the template's docker_container set neither"
            " command nor entrypoint nor init",
            "start the container with the image's own command: in the template's container set neither"
            " command nor args, and in its pod not share_process_namespace",
        ),
        where=Where.TEMPLATE,
    )
    evidence = [f"/proc/1/cmdline: {command} …"]
    return found([failure(f"PID 1 is {name}, not systemd", remedy, evidence=evidence)], "")


@check("system.state", "the system", needs=[Need.SYSTEMD])
def state(context: Context) -> Verdict:
    """Everything has been started by systemd; what failed is named. Our own units have a check of theirs."""
    manager = context.ask(systemd.manager)
    now = manager.get("SystemState", "")
    restart = Remedy("restart the workspace", (context.restart(),), Where.CLIENT)
    if not now:
        return found([failure("systemd does not answer", restart)], "")
    if now in {"running", "starting", "initializing"}:
        return ok("everything has started" if now == "running" else f"the system is still {now}")
    if now != "degraded":
        return found([failure(f"the system is in the state {now!r}", restart)], "")
    listed = context.run(["systemctl", "list-units", "--failed", "--plain", "--no-legend"], timeout=3)
    names = [line.split()[0] for line in listed.stdout.splitlines() if line.strip()]
    others = [name for name in names if name not in _OWN]
    findings = [
        warning(
            f"{name} has failed",
            Remedy("look why, mend it, and start it again", (context.as_root(f"systemctl restart {name}"),)),
            evidence=systemd.journal(context, Unit(name, {})),
        )
        for name in others
    ]
    return found(findings, "everything but units of ours has started")


@check("system.units", "our units", needs=[Need.SYSTEMD, Need.UNITS])
def units(context: Context) -> Verdict:
    """Each boot step is installed, enabled and has done its work; the log says why if not."""
    known = context.ask(systemd.units)
    expected = _OWN if context.settings.engine is Engine.OWN else systemd.UNITS
    names = [name for name in expected if name not in _ELSEWHERE]
    findings = [item for name in names if (item := _unit(context, known.get(name, Unit(name, {}))))]
    return found(findings, f"{', '.join(name.removesuffix('.service') for name in names)}: as they should be")


def _unit(context: Context, unit: Unit) -> Finding | None:
    name = unit.name.removesuffix(".service")
    if unit.masked:
        unmask = context.as_root(f"systemctl unmask {name}")
        start = context.as_root(f"systemctl start {name}")
        return failure(f"{name} is masked, so it never runs", Remedy("unmask it", (unmask, start)))
    if not unit.there:
        remedy = Remedy("use an image that is built on this project's base image", where=Where.TEMPLATE)
        return failure(f"{name} is not installed", remedy, evidence=[f"{unit.name}: {unit['LoadState']}"])
    if unit.failed:
        return _failed(context, unit)
    if unit["UnitFileState"] == "disabled":
        enable = context.as_root(f"systemctl enable --now {name}")
        return failure(
            f"{name} is disabled, so it does not run at boot", Remedy("enable it", (enable,), safe=True)
        )
    if not (unit.active or unit.changing or unit.left_out):
        return warning(
            f"{name} does not run",
            systemd.restart(context, unit.name, "start it", safe=True),
            evidence=[f"{unit.name}: {unit['ActiveState']} ({unit['SubState']})"],
        )
    return None


def _failed(context: Context, unit: Unit) -> Finding | None:
    """A failed unit. What it refused in an orderly way is the finding of the check of those things."""
    name = unit.name.removesuffix(".service")
    if unit["Result"] == "exit-code" and unit["ExecMainStatus"] == str(ExitStatus.REFUSED.value):
        return warning(
            f"{name} refused something at its last run",
            systemd.restart(context, unit.name, "mend what it says, then run it again"),
            evidence=systemd.journal(context, unit),
        )
    if unit["Result"] == "exit-code" and unit["ExecMainStatus"] == str(ExitStatus.NO_VOLUME.value):
        return warning(
            f"{name} found no usable volume at its last run",
            systemd.restart(context, unit.name, "once the volume is there, run it again"),
        )
    return failure(
        f"{name} has failed ({unit['Result']}, status {unit['ExecMainStatus']})",
        systemd.restart(context, unit.name, "run it again; if it fails again, its log says why"),
        evidence=systemd.journal(context, unit),
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
    """The home and the Docker group are ready before the agent: systemd orders units by After=."""
    known = context.ask(systemd.units)
    findings = []
    for name, before in _ORDER.items():
        unit = known.get(name)
        if unit is None or not unit.there:
            continue
        missing = [other for other in before if other not in unit["After"].split()]
        if missing:
            revert = context.as_root(f"systemctl revert {name}")
            findings.append(
                failure(
                    f"{name} does not wait for {' and '.join(missing)}",
                    Remedy("take the image's unit file again, in the place of a changed one", (revert,)),
                    evidence=[f"{unit['FragmentPath']} {unit['DropInPaths']}".rstrip()],
                )
            )
    return found(findings, "the home and the Docker group are ready before the agent")


@check("system.hooks", "the post-create hooks")
def hooks(context: Context) -> Verdict:
    """What tools do for the user at every start has worked; a failed hook is named with its log."""
    results = sorted(recall(context.layout).values(), key=lambda result: result.id)
    if not results:
        return skipped("no hook has run since the boot")
    findings = [_hook(context, result) for result in results if not result.ok]
    return found(findings, f"{len(results)} hook{'' if len(results) == 1 else 's'}, all done")


def _hook(context: Context, result: Result) -> Finding:
    how = f"ended with status {result.status}" if result.status is not None else result.ending.value
    evidence = [line for line in (result.detail, f"log: {result.log}" if result.log else "") if line]
    step = systemd.restart_command(context, systemd.HOOKS, "ws-boot hooks")
    return warning(
        f"the hook of {result.id} {how}",
        Remedy(result.remedy or "mend what its log says, then run it again", (step,)),
        evidence=evidence,
    )


@check("system.settings", "the settings of the workspace")
def settings(context: Context) -> Verdict:
    """The settings document is valid; without it, every setting has its default."""
    error = context.settings_error
    file = context.layout.settings_file
    if error is not None:
        remedy = Remedy(
            error.hint or "the template writes this file: mend it there and restart the workspace",
            (context.restart(),),
            Where.CLIENT,
        )
        return found(
            [failure(f"the settings do not count: {error.message}", remedy, evidence=[error.place])], ""
        )
    if not os.path.lexists(file):
        remedy = Remedy("use the project's template, which uploads it", where=Where.TEMPLATE)
        evidence = [f"{file}: no such file"]
        if context.settings.workspace.id:
            problem = "there is no settings document: only the workspace's id is known"
            return found([warning(problem, remedy, evidence=evidence)], "")
        problem = "there is no settings document: paths of the workspace itself are not persisted"
        return found([failure(problem, remedy, evidence=evidence)], "")
    name = context.settings.workspace.name
    return ok(f"they are valid{f', the workspace is {name}' if name else ''}")


@check("system.locale", "the locale")
def locale(context: Context) -> Verdict:
    """The locale exists and is UTF-8: else accents, box drawings and some programs break."""
    given = _given(context)
    name = next((given[key] for key in ("LC_ALL", "LC_CTYPE", "LANG") if given.get(key)), "")
    if not name or name in {"C", "POSIX"}:
        remedy = Remedy(
            "choose one in this shell, and in the image with ENV LANG=C.UTF-8", ("export LANG=C.UTF-8",)
        )
        return found([warning(f"the locale is {name or 'not set'!r}, which knows only ASCII", remedy)], "")
    charset = name.partition(".")[2].partition("@")[0].lower().replace("-", "")
    if charset != "utf8":
        remedy = Remedy("choose one with UTF-8", ("unset LC_ALL LC_CTYPE; export LANG=C.UTF-8",))
        return found([warning(f"the locale {name} is not in UTF-8", remedy)], "")
    if name.partition(".")[0] not in {"C", "POSIX"} and context.live:
        listed = context.run(["locale", "-a"], timeout=3)
        known = {line.strip().lower().replace("-", "") for line in listed.stdout.splitlines()}
        if listed.ok and name.lower().replace("-", "") not in known:
            remedy = Remedy(
                "choose one that is there; locale -a lists them",
                ("unset LC_ALL LC_CTYPE; export LANG=C.UTF-8",),
            )
            return found([warning(f"the locale {name} is not installed", remedy)], "")
    return ok(f"{name}")


def _given(context: Context) -> Mapping[str, str]:
    """The environment as the shell gave it: Python itself sets LC_CTYPE if there is no locale (PEP 538)."""
    shown = text(context.layout.proc / "self/environ") if context.live else ""
    pairs = (pair.partition("=") for pair in shown.split("\0"))
    return {name: value for name, _, value in pairs if name} or context.env
