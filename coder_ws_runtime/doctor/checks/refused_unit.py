"""What is said of a unit whose files systemd refuses."""

from coder_ws_runtime.doctor import logs, remedies
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Finding, failure
from coder_ws_runtime.doctor.systemd import Unit


def refused_unit(context: Context, unit: Unit, code: str, problem: str, *, about: str = "") -> Finding:
    """A failure with what systemd says, the files, and the way back to the image's."""
    evidence, remedy = logs.refusal(context, unit), remedies.revert_unit(context, unit)
    return failure(code, problem, remedy, evidence=evidence, about=about)
