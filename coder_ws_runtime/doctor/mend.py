"""The mends that are safe to do without asking."""

from collections.abc import Iterable
from dataclasses import dataclass

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Result
from coder_ws_runtime.doctor.findings import Where
from coder_ws_runtime.system.process import Completed

_LIMIT = 300.0
"""Seconds that one mend may take: a resolve may have much to move."""


@dataclass(frozen=True, slots=True)
class Mend:
    """A command that mends something, and which checks asked for it."""

    command: str
    checks: tuple[str, ...]


def mends(results: Iterable[Result]) -> list[Mend]:
    """What can be mended by safe commands in the workspace, each command once, in order.

    The agent comes last, as at boot: groups and links are to be there when it starts.
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
    made = [Mend(command, tuple(ids)) for command, ids in asked.items()]
    return sorted(made, key=lambda item: any(id_.startswith("agent.") for id_ in item.checks))


def mend(item: Mend, context: Context) -> Completed:
    """Run the command as the user would have pasted it, except that nobody is asked for a password."""
    command = (
        item.command.replace("sudo ", "sudo -n ", 1) if item.command.startswith("sudo ") else item.command
    )
    return context.run(["sh", "-c", command], timeout=_LIMIT)
