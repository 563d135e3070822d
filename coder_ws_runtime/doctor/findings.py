"""What checks say: plain values, which the command prints and the JSON report holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Status(Enum):
    """How a check ended; the worst of its findings."""

    OK = "ok"
    SKIPPED = "skipped"
    """It could not or need not be done; the summary says why."""
    WARNING = "warning"
    FAILURE = "failure"
    CRASHED = "crashed"
    """The check itself raised an exception or did not end in time; counts as a failure."""

    @property
    def bad(self) -> bool:
        """Whether it makes the whole run a failure."""
        return self in (Status.FAILURE, Status.CRASHED)


class Where(Enum):
    """Where a remedy's commands are to be run."""

    WORKSPACE = "workspace"
    HOST = "host"
    """The machine whose Docker daemon runs the workspace."""
    CLIENT = "client"
    """Wherever the user is logged in to Coder with its command line."""
    TEMPLATE = "template"
    """The directory of the template, on the computer of the person who maintains it."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """How to fix something.

    Each command is a whole line for a shell, without a placeholder, and does what the text says.
    """

    text: str
    """One sentence without a final full stop."""
    commands: tuple[str, ...] = ()
    """Lines to paste into a shell, in order."""
    where: Where = Where.WORKSPACE
    safe: bool = False
    """Whether ``--fix`` may run the commands: doing so twice, or needlessly, harms nothing."""
    then: "Remedy | None" = None
    """What is to be done after it, in another place."""


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
    """Lines that show it: what was read, or what a program said."""
    remedy: Remedy | None = None
    about: str = ""
    """Which thing is wrong, where a code can be found for several: a unit, a path."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check returns: that everything is ok, that it was skipped, or what it found."""

    status: Status
    summary: str
    """One sentence without a final full stop: what is so, or why it was skipped."""
    findings: tuple[Finding, ...] = ()
    cause: str = ""
    """The code of the finding because of which the check was skipped; empty if there is none."""


def ok(summary: str) -> Verdict:
    """Nothing is wrong."""
    return Verdict(Status.OK, summary)


def skipped(reason: str) -> Verdict:
    """There was nothing to check, or no way to."""
    return Verdict(Status.SKIPPED, reason)


def failure(
    code: str, problem: str, remedy: Remedy | None = None, *, evidence: Sequence[str] = (), about: str = ""
) -> Finding:
    """Something that does not work."""
    return Finding(code, Status.FAILURE, problem, tuple(evidence), remedy, about)


def warning(
    code: str, problem: str, remedy: Remedy | None = None, *, evidence: Sequence[str] = (), about: str = ""
) -> Finding:
    """Something that works, and will cause trouble."""
    return Finding(code, Status.WARNING, problem, tuple(evidence), remedy, about)


def found(findings: Sequence[Finding], otherwise: str) -> Verdict:
    """The verdict on what was found; `otherwise` is the summary if that is nothing."""
    if not findings:
        return ok(otherwise)
    worst = Status.FAILURE if any(item.status.bad for item in findings) else Status.WARNING
    first = next(item for item in findings if item.status is worst)
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return Verdict(worst, first.problem + more, tuple(findings))
