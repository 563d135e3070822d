"""The work of ``ws-boot docker-group``. Without click: every boot runs this, and the agent waits for it."""

from __future__ import annotations

from coder_ws_runtime.boot.docker_group.apply import Report, settle
from coder_ws_runtime.cli import render
from coder_ws_runtime.errors import ExitStatus, RefusedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(layout: Layout, *, dry_run: bool = False, as_json: bool = False) -> int:
    """Give the user access to the Docker socket, report, and return the exit status.

    Raises:
        RefusedError: a step failed, or only root can do it.
    """
    report = settle(layout, dry_run=dry_run)
    finding = report.after.finding
    place = str(layout.docker_socket)
    error = None
    if finding is not None:
        error = RefusedError(finding.message, code=finding.code, place=place, hint=finding.hint)
    if as_json:
        render.say_document("ws-boot docker-group", _docker_json(report, error))
    else:
        _say_docker(report, dry_run=dry_run)
    if error is None:
        return ExitStatus.DONE
    # Not raised: the printed document contains it, and there may be only one document.
    render.complain(error)
    return ExitStatus.REFUSED


def _say_docker(report: Report, *, dry_run: bool) -> None:
    steps = report.plan.actions if dry_run else report.done
    if report.plan.finding is None or steps:
        what = ", ".join(step.describe() for step in steps)
        tail = f"; {'to do' if dry_run else 'done'}: {what}" if what else ""
        fields = {"step": "docker-group", "case": report.plan.case.name.lower()}
        render.say(f"{report.plan.reason}{tail}", fields, journal.NOTICE if steps else journal.INFO)
    if report.after.without_group:
        names = ", ".join(f"{program.name} (PID {program.pid})" for program in report.after.without_group[:5])
        more = len(report.after.without_group) - 5
        render.warn(
            f"started earlier, without the group: {names}{f' and {more} more' if more > 0 else ''};"
            " log in again there, or restart the workspace",
            {"step": "docker-group", "gid": report.after.gid},
        )


def _docker_json(report: Report, error: RefusedError | None) -> dict[str, Any]:
    return {
        "case": report.plan.case.name.lower(),
        "message": report.plan.reason,
        "gid": report.after.gid,
        "done": [step.describe() for step in report.done],
        "to_do": [step.describe() for step in report.after.actions],
        "error": error.as_dict() if error else None,
        "without_the_group": [
            {"pid": program.pid, "name": program.name} for program in report.after.without_group
        ],
    }
