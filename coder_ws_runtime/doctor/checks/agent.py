"""Checks of the Coder agent: why the workspace does not connect.

The init script is Coder's own (provisionersdk/scripts/bootstrap_linux.sh there): it downloads the
agent, trying again every 30 s, and becomes it; where it gives up it sleeps for 24 hours to preserve
the logs, so that to systemd everything looks well.
"""

import os
import re

from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.context import Context, account, text
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, Where, failure, found, ok, skipped
from coder_ws_runtime.doctor.processes import Process, in_cgroup
from coder_ws_runtime.doctor.systemd import Unit
from coder_ws_runtime.doctor.template import by_template

TOKEN = "CODER_AGENT_TOKEN"  # noqa: S105 - the variable's name

_PROGRAM = "coder"
"""What the init script calls the program that it downloads."""

_GIVEN_UP = "86400"
"""Seconds for which the init script sleeps once it has given up."""


def _agent(context: Context) -> Unit:
    return context.ask(systemd.units).get(systemd.AGENT, Unit(systemd.AGENT, {}))


def _programs(context: Context) -> list[Process]:
    return in_cgroup(context.layout.proc, context.ask(_agent)["ControlGroup"])


def environment(context: Context) -> dict[str, str] | None:
    """The environment that the agent has, or would get; None if nobody lets us see it."""
    main = context.ask(_agent)["MainPID"] or "0"
    shown = text(context.layout.proc / main / "environ") if main != "0" else ""
    shown = shown or text(context.layout.proc / "1/environ")
    if not shown:
        # PID 1's environment is root's to see.
        shown = context.run(["sudo", "-n", "cat", str(context.layout.proc / "1/environ")], timeout=3).stdout
    pairs = (pair.split("=", 1) for pair in shown.split("\0") if "=" in pair)
    return dict(pairs) if shown else None


def agent_url(context: Context) -> str:
    """Coder's URL as the agent has it, empty if that is not known."""
    return (context.ask(environment) or {}).get("CODER_AGENT_URL", "") if context.ask(systemd.boots) else ""


@check("agent.token", "the agent's token", needs=[Need.SYSTEMD])
def token(context: Context) -> Verdict:
    """The agent has the token with which it logs in at Coder; the container gets it by its environment."""
    seen = context.ask(environment)
    if seen is None:
        return skipped("the environment of PID 1 is only for root to see: sudo ws-doctor")
    if seen.get(TOKEN):
        return ok(f"{TOKEN} is set")
    if seen.get("CODER_AGENT_AUTH", "token") != "token":
        return ok(f"the agent logs in by {seen['CODER_AGENT_AUTH']}")
    remedy = Remedy(
        by_template(
            context,
            f'give it to the container: env = ["{TOKEN}=${{coder_agent.main.token}}"] in the template\'s'
            " docker_container; then restart the workspace",
            f"give it to the pod: the template's container has an env block for {TOKEN}, from the workspace's"
            " secret; then restart the workspace",
        ),
        (context.restart(),),
        Where.CLIENT,
    )
    problem = f"the container has no {TOKEN}, so the agent cannot log in"
    return found([failure(problem, remedy, evidence=["/proc/1/environ does not have it"])], "")


@check("agent.init-script", "the agent's init script")
def init_script(context: Context) -> Verdict:
    """The script that downloads and starts the agent is there, and the user can read it."""
    problem = _script_problem(context)
    return found([problem], "") if problem else ok(f"{context.layout.agent_init} is there")


def _script_problem(context: Context) -> Finding | None:
    file = context.layout.agent_init
    upload = Remedy(
        by_template(
            context,
            "upload it: the template's docker_container has an upload block with"
            " coder_agent.main.init_script; then restart the workspace",
            "mount it: the template's secret has coder_agent.main.init_script as agent-init.sh, and its"
            f" container a volume_mount for {file}; then restart the workspace",
        ),
        (context.restart(),),
        Where.CLIENT,
    )
    try:
        status = file.stat()
    except OSError as error:
        evidence = [f"{file}: {error.strerror}"]
        return failure(
            "the agent's init script is missing, so the agent does not start", upload, evidence=evidence
        )
    if not status.st_size:
        return failure("the agent's init script is empty", upload, evidence=[f"{file}: 0 bytes"])
    user = context.ask(account)
    bits = status.st_mode >> (6 if user and status.st_uid == user.uid else 0)
    if not bits & 0o4:
        mend = context.as_root(f"chmod 0755 {file}")
        start = context.as_root("systemctl restart coder-agent")
        evidence = [f"{file}: mode {status.st_mode & 0o7777:04o}, uid {status.st_uid}"]
        remedy = Remedy("let the user read it, and start the agent", (mend, start), safe=True)
        return failure("the user cannot read the agent's init script", remedy, evidence=evidence)
    return None


@check("agent.process", "the agent", needs=[Need.SYSTEMD, Need.UNITS])
def process(context: Context) -> Verdict:
    """The agent itself runs: not only its unit, whose script may be asleep after a failed download."""
    if not os.path.lexists(context.layout.agent_init):
        return skipped("there is no init script")
    unit = context.ask(_agent)
    programs = context.ask(_programs)
    problem = _unit_problem(context, unit) or _process_problem(context, unit, programs)
    if problem:
        return found([problem], "")
    pid = next((item.pid for item in programs if item.name == _PROGRAM), 0)
    return ok(f"it runs (PID {pid})" if pid else "its init script has just been started")


def _unit_problem(context: Context, unit: Unit) -> Finding | None:
    if unit.masked:
        commands = tuple(context.as_root(f"systemctl {verb} coder-agent") for verb in ("unmask", "start"))
        return failure("coder-agent is masked, so the agent never starts", Remedy("unmask it", commands))
    if not unit.there:
        remedy = Remedy("use an image that is built on this project's base image", where=Where.TEMPLATE)
        return failure("coder-agent is not installed", remedy)
    if unit["SubState"] == "auto-restart" or unit.failed:
        return failure(
            f"the agent ends as soon as it is started (status {unit['ExecMainStatus']})",
            systemd.restart(context, unit.name, "mend what its log says; then start it at once"),
            evidence=systemd.journal(context, unit, 8),
        )
    if unit["UnitFileState"] == "disabled":
        enable = context.as_root("systemctl enable --now coder-agent")
        return failure(
            "coder-agent is disabled, so it does not run at boot", Remedy("enable it", (enable,), safe=True)
        )
    if not (unit.active or unit.changing):
        return failure("the agent does not run", systemd.restart(context, unit.name, "start it", safe=True))
    return None


def _process_problem(context: Context, unit: Unit, programs: list[Process]) -> Finding | None:
    asleep = next((item for item in programs if item.name == "sleep" and item.argv[1:] == (_GIVEN_UP,)), None)
    if asleep:
        return failure(
            "the agent's init script has given up and sleeps for 24 hours",
            systemd.restart(context, unit.name, "mend what its log says, then start it again"),
            evidence=systemd.journal(context, unit, 8),
        )
    if any(item.name == _PROGRAM for item in programs):
        return None
    if any(item.name == "sleep" for item in programs):
        return failure(
            "the agent cannot be downloaded; its init script tries again every 30 seconds",
            systemd.restart(context, unit.name, "mend what its log says; then try at once"),
            evidence=systemd.journal(context, unit, 8),
        )
    return None


_OUTDATED = re.compile(r"build is outdated|from (a )?non-latest build", re.IGNORECASE)


@check("agent.build", "the agent's build", needs=[Need.SYSTEMD, Need.UNITS])
def build(context: Context) -> Verdict:
    """Coder accepts the agent's token: a container that outlived its build has an outdated one."""
    unit = context.ask(_agent)
    if not any(item.name == _PROGRAM for item in context.ask(_programs)):
        return skipped("the agent does not run")
    lines = systemd.journal(context, unit, 40)
    outdated = [line for line in lines if _OUTDATED.search(line)]
    if not outdated:
        return ok("Coder has not refused it")
    remedy = Remedy(
        "start the workspace again: that makes a container of the present build",
        (context.restart(),),
        Where.CLIENT,
    )
    return found(
        [
            failure(
                "Coder refuses the agent: this container is of an older build", remedy, evidence=outdated[-2:]
            )
        ],
        "",
    )
