"""Checks of Docker: the socket, the groups, the server."""

from coder_ws_runtime.boot.docker_group.observe import Observed, observe
from coder_ws_runtime.boot.docker_group.plan import Case, Plan, plan
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, Where, failure, found, ok


def _seen(context: Context) -> Observed:
    return observe(context.layout)


def _planned(context: Context) -> Plan:
    return plan(context.know(_seen))


@check("docker.socket", "the Docker socket", needs=[Need.LIVE])
def socket(context: Context) -> Verdict:
    """The host's socket is mounted, somebody answers at it, and the user's group may open it."""
    seen, planned = context.know(_seen), context.know(_planned)
    problem = _socket_problem(context, seen, planned)
    return found([problem], "") if problem else ok(planned.reason)


def _socket_problem(context: Context, seen: Observed, planned: Plan) -> Finding | None:
    path = str(context.layout.docker_socket)
    if planned.case is Case.ABSENT:
        remedy = Remedy(
            "mount the host's socket: the template's docker_container has a volumes block for"
            " /var/run/docker.sock; then restart the workspace",
            (context.restart(),),
            Where.CLIENT,
        )
        return failure("no Docker socket is mounted", remedy, evidence=[f"{path}: no such file"])
    evidence = [_describe(path, seen)] if seen.socket else [f"{path}: {seen.sight.value}"]
    if planned.finding:
        stale = planned.finding.code == "docker-group.stale"
        commands = (context.restart(),) if stale else ()
        where = Where.CLIENT if stale else Where.HOST
        return failure(
            planned.finding.message, Remedy(planned.finding.hint, commands, where), evidence=evidence
        )
    if planned.actions:
        what = ", ".join(action.describe() for action in planned.actions)
        remedy = Remedy(
            f"let the boot step {what}", (context.as_root("systemctl restart ws-docker-group"),), safe=True
        )
        return failure(f"the user cannot open the Docker socket: {planned.reason}", remedy, evidence=evidence)
    return None


def _describe(path: str, seen: Observed) -> str:
    found_ = seen.socket
    if found_ is None:
        return path
    return f"{path}: mode {found_.mode:04o}, uid {found_.uid}, gid {found_.gid}, {found_.links} links"
