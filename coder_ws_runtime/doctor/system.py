"""Checks of the system: systemd, our units, memory, locale."""

from coder_ws_runtime.doctor.context import Context, boots_systemd, text
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Remedy, Verdict, Where, failure, found, ok


@check("system.pid1", "PID 1", needs=[Need.LIVE])
def pid1(context: Context) -> Verdict:
    """Units run, and a stop of the workspace ends programs cleanly, only under systemd as PID 1."""
    name = text(context.layout.proc / "1/comm").strip() or "unknown"
    if name == "systemd" and context.know(boots_systemd):
        return ok("systemd is PID 1")
    remedy = Remedy(
        "start the container with the image's own command: in the template's docker_container set neither"
        " command nor entrypoint nor init",
        where=Where.TEMPLATE,
    )
    # Only the program: arguments may hold secrets.
    command = text(context.layout.proc / "1/cmdline").partition("\0")[0]
    return found(
        [failure(f"PID 1 is {name}, not systemd", remedy, evidence=[f"/proc/1/cmdline: {command} …"])], ""
    )
