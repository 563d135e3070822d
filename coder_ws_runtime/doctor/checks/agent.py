"""Checks of the Coder agent: why a workspace does not connect.

The init script is Coder's own (provisionersdk/scripts/bootstrap_linux.sh in its repository). It downloads
the agent, trying again every 30 s, and becomes it. If it gives up, it sleeps for 24 hours to preserve the
logs; systemd then sees a running unit.
"""

import os
import re

from coder_ws_runtime.doctor import logs, remedies, systemd
from coder_ws_runtime.doctor.checks.refused_unit import refused_unit
from coder_ws_runtime.doctor.context import Context, account
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, ok, skipped
from coder_ws_runtime.doctor.systemd import Unit
from coder_ws_runtime.doctor.template import by_template
from coder_ws_runtime.system import text_file
from coder_ws_runtime.system.processes import Process, in_cgroup, is_paused
from coder_ws_runtime.text import plural

TOKEN = "CODER_AGENT_TOKEN"  # noqa: S105 - the variable's name

_PROGRAM = "coder"
"""The file name under which the init script stores the program."""

_GIVEN_UP = "86400"
"""How many seconds the init script sleeps after it has given up."""


def _agent(context: Context) -> Unit:
    return context.ask(systemd.units).get(systemd.AGENT, Unit(systemd.AGENT, {}))


def _programs(context: Context) -> list[Process]:
    return in_cgroup(context.layout.proc, context.ask(_agent)["ControlGroup"])


def environment(context: Context) -> dict[str, str] | None:
    """The environment that the agent has or would get; None if we may not read it."""
    main = context.ask(_agent)["MainPID"] or "0"
    shown = text_file.read(context.layout.proc / main / "environ") if main != "0" else ""
    shown = shown or text_file.read(context.layout.proc / "1/environ")
    if not shown:
        # Only root can read PID 1's environment.
        shown = context.run(["sudo", "-n", "cat", str(context.layout.proc / "1/environ")], timeout=3).stdout
    pairs = (pair.split("=", 1) for pair in shown.split("\0") if "=" in pair)
    return dict(pairs) if shown else None


def agent_url(context: Context) -> str:
    """Coder's URL as the agent has it; empty if unknown."""
    return (context.ask(environment) or {}).get("CODER_AGENT_URL", "") if context.ask(systemd.boots) else ""


@check("agent.token", "the agent's token", needs=[Need.SYSTEMD])
def token(context: Context) -> Verdict:
    """The agent has the token that it needs to log in to Coder; the container's environment contains it."""
    seen = context.ask(environment)
    if seen is None:
        return skipped("only root can read the environment of PID 1: sudo ws-doctor")
    if seen.get(TOKEN):
        return ok(f"{TOKEN} is set")
    if seen.get("CODER_AGENT_AUTH", "token") != "token":
        return ok(f"the agent logs in with {seen['CODER_AGENT_AUTH']}")
    remedy = remedies.change_template(
        context,
        by_template(
            context,
            f'set it in the container: env = ["{TOKEN}=${{coder_agent.main.token}}"] in the template\'s'
            " docker_container",
            f"set it in the pod: the template's container has an env block for {TOKEN}, from the workspace's"
            " secret",
        ),
    )
    problem = f"the container has no {TOKEN}, so the agent cannot log in"
    evidence = ["/proc/1/environ does not have it"]
    return found([failure("agent.token-missing", problem, remedy, evidence=evidence)], "")


@check("agent.init-script", "the agent's init script")
def init_script(context: Context) -> Verdict:
    """The script that downloads and starts the agent exists, and the user can read it."""
    problem = _script_problem(context)
    return found([problem], "") if problem else ok(f"{context.layout.agent_init} exists")


def _script_problem(context: Context) -> Finding | None:
    file = context.layout.agent_init
    upload = remedies.change_template(
        context,
        by_template(
            context,
            "upload it: the template's docker_container has an upload block with"
            " coder_agent.main.init_script",
            "mount it: the template's secret has coder_agent.main.init_script as agent-init.sh, and its"
            f" container a volume_mount for {file}",
        ),
    )
    try:
        status = file.stat()
    except PermissionError:
        return _closed(context, f"{file}: its directory cannot be entered")
    except OSError as error:
        problem = "the agent's init script is missing, so the agent does not start"
        return failure("agent.script-missing", problem, upload, evidence=[f"{file}: {error.strerror}"])
    if not status.st_size:
        problem = "the agent's init script is empty"
        return failure("agent.script-empty", problem, upload, evidence=[f"{file}: 0 bytes"])
    user = context.ask(account)
    bits = status.st_mode >> (6 if user and status.st_uid == user.uid else 0)
    if not bits & 0o4:
        return _closed(context, f"{file}: mode {status.st_mode & 0o7777:04o}, uid {status.st_uid}")
    return None


def _closed(context: Context, why: str) -> Finding:
    file = context.layout.agent_init
    commands = (f"chmod a+rX {file.parent} {file}", "systemctl restart coder-agent")
    remedy = Remedy(
        "let the user read it, and start the agent", tuple(map(context.as_root, commands)), safe=True
    )
    problem = "the user cannot read the agent's init script"
    return failure("agent.script-unreadable", problem, remedy, evidence=[why])


@check("agent.process", "the agent", needs=[Need.SYSTEMD, Need.UNITS])
def process(context: Context) -> Verdict:
    """The agent itself runs, not only its unit, whose script sleeps after a failed download."""
    if not os.path.lexists(context.layout.agent_init):
        return skipped("there is no init script")
    unit = context.ask(_agent)
    programs = context.ask(_programs)
    problem = _unit_problem(context, unit) or _process_problem(context, unit, programs)
    if problem:
        return found([problem], "")
    pid = next((item.pid for item in programs if item.name == _PROGRAM), 0)
    return ok(f"it runs (PID {pid})" if pid else "its init script has just started")


def _unit_problem(context: Context, unit: Unit) -> Finding | None:
    if unit.masked:
        problem = "coder-agent is masked, so the agent never starts"
        return failure("agent.masked", problem, remedies.unmask_unit(context, unit))
    if not unit.there:
        return _not_loaded(context, unit)
    if unit.restarting or unit.failed or unit.restarts:
        return _restarting(context, unit)
    if unit["UnitFileState"] == "disabled":
        remedy = Remedy("enable it", (context.as_root("systemctl enable --now coder-agent"),), safe=True)
        return failure("agent.disabled", "coder-agent is disabled, so it does not run at boot", remedy)
    if not (unit.active or unit.changing):
        remedy = remedies.restart_unit(context, unit.name, "start it", safe=True)
        return failure("agent.stopped", "the agent does not run", remedy)
    return None


def _not_loaded(context: Context, unit: Unit) -> Finding:
    if unit.invalid:
        problem = "the agent cannot be started again: systemd refuses its unit files"
        return refused_unit(context, unit, "agent.unit-invalid", problem)
    remedy = remedies.change_template(context, remedies.TOO_OLD)
    return failure("agent.not-installed", "coder-agent is not installed", remedy)


def _restarting(context: Context, unit: Unit) -> Finding:
    if unit.restarting or unit.failed:
        problem = f"the agent exits as soon as it is started (status {unit['ExecMainStatus']})"
    else:
        count = plural(unit.restarts, "time")
        problem = f"the agent keeps exiting: systemd restarted it {count} within the last minutes"
    remedy = remedies.restart_unit(context, unit.name, "fix what its log says, then start it at once")
    return failure("agent.restarting", problem, remedy, evidence=logs.why(context, unit))


def _process_problem(context: Context, unit: Unit, programs: list[Process]) -> Finding | None:
    asleep = next((item for item in programs if item.name == "sleep" and item.argv[1:] == (_GIVEN_UP,)), None)
    if asleep:
        return failure(
            "agent.gave-up",
            "the agent's init script has given up and sleeps for 24 hours",
            remedies.restart_unit(context, unit.name, "fix what its log says, then start it again"),
            evidence=logs.why(context, unit),
        )
    agent = next((item.pid for item in programs if item.name == _PROGRAM), 0)
    if agent and is_paused(context.layout.proc, agent):
        command = context.as_root(f"systemctl kill --signal=SIGCONT {unit.name.removesuffix('.service')}")
        remedy = Remedy("let it continue", (command,), safe=True)
        evidence = [f"process {agent} is stopped by a signal"]
        return failure(
            "agent.paused", "the agent does nothing: it was stopped by a signal", remedy, evidence=evidence
        )
    if agent:
        return None
    if any(item.name == "sleep" for item in programs):
        return failure(
            "agent.download-fails",
            "the agent cannot be downloaded; its init script tries again every 30 seconds",
            remedies.restart_unit(context, unit.name, "fix what its log says, then try at once"),
            evidence=logs.why(context, unit),
        )
    return None


_OUTDATED = re.compile(r"build is outdated|from (a )?non-latest build", re.IGNORECASE)


@check("agent.build", "the agent's build", needs=[Need.SYSTEMD, Need.UNITS])
def build(context: Context) -> Verdict:
    """Coder accepts the agent's token. A container from an earlier build has an outdated one."""
    unit = context.ask(_agent)
    if not any(item.name == _PROGRAM for item in context.ask(_programs)):
        return skipped("the agent does not run")
    outdated = [item.text for item in logs.journal(context, unit) if _OUTDATED.search(item.text)]
    if not outdated:
        return ok("Coder has not refused it")
    remedy = remedies.restart_workspace(
        context, "start the workspace again: that creates a container from the present build"
    )
    problem = "Coder refuses the agent: this container is from an earlier build"
    return found([failure("agent.build-outdated", problem, remedy, evidence=outdated[-2:])], "")
