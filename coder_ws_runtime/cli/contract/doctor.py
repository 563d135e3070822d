"""The documents of `ws-doctor`."""

from typing import Literal

from pydantic import Field

from coder_ws_runtime.cli.contract.shared import Model

CODE = r"^[a-z]+\.[a-z0-9-]+$"
"""The pattern of the IDs of checks and of the codes of findings."""


class Remedy(Model):
    """How to fix what a check found."""

    text: str = Field(description="One sentence.")
    commands: list[str] = Field(description="Lines to paste into a shell, in order.")
    where: Literal["workspace", "host", "client", "template"] = Field(
        description="Where to run the commands."
    )
    safe: bool = Field(description="Whether `ws-doctor --fix` runs the commands.")
    then: "Remedy | None" = Field(description="What to do after it, in another place.")


class Finding(Model):
    """One thing that is wrong."""

    code: str = Field(pattern=CODE, description="Identifies the kind of problem; stable across versions.")
    status: Literal["warning", "failure"]
    about: str | None = Field(description="The unit, path or container, if the code can apply to several.")
    problem: str
    evidence: list[str]
    remedy: Remedy | None


class CheckResult(Model):
    """One check, and how it ended."""

    id: str = Field(pattern=CODE, description="Stable across versions.")
    category: str
    title: str
    status: Literal["ok", "skipped", "warning", "failure", "crashed"] = Field(
        description="The worst status of its findings; crashed: the check itself failed."
    )
    cause: str | None = Field(description="It was skipped because of the finding with this code.")
    summary: str = Field(description="What is true, why it was skipped, or the worst problem.")
    seconds: float
    findings: list[Finding]


class AppliedFix(Model):
    """A command that `--fix` has run."""

    command: str
    checks: list[str] = Field(description="The checks that suggested it.")
    status: int = Field(description="Its exit status.")


class WorkspaceNames(Model):
    """Which workspace this is; empty strings: unknown."""

    id: str
    name: str
    owner: str


class CheckCounts(Model):
    """How many checks ended in each status."""

    ok: int
    skipped: int
    warning: int
    failure: int
    crashed: int


class Doctor(Model):
    """`ws-doctor --json`."""

    document: Literal["ws-doctor"]
    version: Literal[2]
    runtime: str = Field(description="Version of the runtime.")
    workspace: WorkspaceNames
    seconds: float
    counts: CheckCounts
    fixes: list[AppliedFix]
    checks: list[CheckResult]


class ListedCheck(Model):
    """One check of the doctor."""

    id: str = Field(pattern=CODE)
    title: str
    explanation: str = Field(description="What is true if the check is ok.")


class DoctorList(Model):
    """`ws-doctor --list --json`."""

    document: Literal["ws-doctor --list"]
    version: Literal[2]
    checks: list[ListedCheck]
