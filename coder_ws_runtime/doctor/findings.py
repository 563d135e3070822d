"""The results of checks: plain values, which the command prints and which are in the JSON report."""

from collections.abc import Sequence
from enum import Enum

from coder_ws_runtime.dataclass import dataclass


class Status(Enum):
    """How a check ended; the worst status of its findings."""

    OK = "ok"
    SKIPPED = "skipped"
    """It could not run or did not need to; the summary says why."""
    WARNING = "warning"
    FAILURE = "failure"
    CRASHED = "crashed"
    """The check itself raised an exception or did not end in time; counts as a failure."""

    @property
    def bad(self) -> bool:
        """Whether it makes the whole run fail."""
        return self in (Status.FAILURE, Status.CRASHED)


class Where(Enum):
    """Where to run a remedy's commands."""

    WORKSPACE = "workspace"
    HOST = "host"
    """The machine whose Docker daemon runs the workspace."""
    CLIENT = "client"
    """A machine on which the user is logged in to Coder with its command line."""
    TEMPLATE = "template"
    """The template's directory, on the platform engineer's computer."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """How to fix something.

    Each command is a complete shell line without placeholders, and does what the text says.
    """

    text: str
    """One sentence without a final full stop."""
    commands: tuple[str, ...] = ()
    """Lines to paste into a shell, in order."""
    where: Where = Where.WORKSPACE
    safe: bool = False
    """Whether ``--fix`` may run the commands: they do no harm if they run twice or needlessly."""
    then: "Remedy | None" = None
    """What to do after it, in another place."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong."""

    code: str
    """Stable, ``<category>.<what-is-wrong>``: programs and tests match it, and never the sentence."""
    status: Status
    """WARNING or FAILURE."""
    problem: str
    """One sentence without a final full stop."""
    evidence: tuple[str, ...] = ()
    """Lines that show it: what was read, or the output of a program."""
    remedy: Remedy | None = None
    about: str = ""
    """What is wrong, if the code can be found for several things: a unit, a path."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check: ok, skipped, or findings."""

    status: Status
    summary: str
    """One sentence without a final full stop: what is true, or why it was skipped."""
    findings: tuple[Finding, ...] = ()
    cause: str = ""
    """The code of the finding that is the reason for skipping; empty if there is none."""


def ok(summary: str) -> Verdict:
    """Nothing is wrong."""
    return Verdict(Status.OK, summary)


def skipped(reason: str) -> Verdict:
    """There was nothing to check, or no way to check it."""
    return Verdict(Status.SKIPPED, reason)


def failure(
    code: str, problem: str, remedy: Remedy | None = None, *, evidence: Sequence[str] = (), about: str = ""
) -> Finding:
    """Something that does not work."""
    return Finding(code, Status.FAILURE, problem, tuple(evidence), remedy, about)


def warning(
    code: str, problem: str, remedy: Remedy | None = None, *, evidence: Sequence[str] = (), about: str = ""
) -> Finding:
    """Something that works but will cause trouble."""
    return Finding(code, Status.WARNING, problem, tuple(evidence), remedy, about)


def found(findings: Sequence[Finding], otherwise: str) -> Verdict:
    """The verdict for these findings; `otherwise` is the summary if there are none."""
    if not findings:
        return ok(otherwise)
    worst = Status.FAILURE if any(item.status.bad for item in findings) else Status.WARNING
    first = next(item for item in findings if item.status is worst)
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return Verdict(worst, first.problem + more, tuple(findings))
