"""The remedies that can be applied safely without asking: what ``ws-doctor --fix`` does."""

from collections.abc import Iterable

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Result
from coder_ws_runtime.doctor.findings import Where
from coder_ws_runtime.system.process import Completed

_LIMIT = 300.0
"""The time limit of one fix in seconds: a resolve may have much to move."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A command that fixes something, and the checks that suggested it."""

    command: str
    checks: tuple[str, ...]


def safe_fixes(results: Iterable[Result]) -> list[Fix]:
    """What safe commands in the workspace can fix: each command once, in order.

    The agent comes last, as at boot: it needs the groups and links when it starts.
    """
    asked: dict[str, list[str]] = {}
    for result in results:
        for finding in result.verdict.findings:
            remedy = finding.remedy
            if remedy is None or not remedy.safe or remedy.where is not Where.WORKSPACE:
                continue
            for command in remedy.commands:
                ids = asked.setdefault(command, [])
                if result.check.id not in ids:
                    ids.append(result.check.id)
    made = [Fix(command, tuple(ids)) for command, ids in asked.items()]
    return sorted(made, key=lambda item: any(id_.startswith("agent.") for id_ in item.checks))


def apply(fix: Fix, context: Context) -> Completed:
    """Run the command as the user would have pasted it, but without asking for a password."""
    command = fix.command
    if command.startswith("sudo "):
        command = command.replace("sudo ", "sudo -n ", 1)
    return context.run(["sh", "-c", command], timeout=_LIMIT)
