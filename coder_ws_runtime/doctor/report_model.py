"""The model of the doctor's JSON report; report.schema.json is made from it, for programs that read it."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_Status = Literal["ok", "skipped", "warning", "failure", "crashed"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Remedy(_Model):
    """How to mend something."""

    text: str = Field(description="One sentence.")
    commands: list[str] = Field(description="Lines to paste into a shell, in order.")
    where: Literal["workspace", "host", "client", "template"] = Field(
        description="Where to run the commands."
    )
    safe: bool = Field(description="Whether `ws-doctor --fix` runs the commands.")


class Finding(_Model):
    """One thing that is wrong."""

    status: Literal["warning", "failure"]
    problem: str
    evidence: list[str]
    remedy: Remedy | None


class Check(_Model):
    """One check, and what became of it."""

    id: str = Field(pattern=r"^[a-z]+\.[a-z0-9-]+$", description="Stable over versions.")
    category: str
    title: str
    status: _Status = Field(description="The worst of the findings; crashed: the check itself failed.")
    summary: str = Field(description="What is so, why it was skipped, or the worst problem.")
    seconds: float
    findings: list[Finding]


class Fix(_Model):
    """A command that `--fix` has run."""

    command: str
    checks: list[str] = Field(description="The checks that asked for it.")
    status: int = Field(description="Its exit status.")


class Workspace(_Model):
    """Which workspace this is; empty: not known."""

    id: str
    name: str
    owner: str


class Counts(_Model):
    """How many checks ended in each status."""

    ok: int
    skipped: int
    warning: int
    failure: int
    crashed: int


class Report(_Model):
    """The report of `ws-doctor --json`."""

    version: Literal[1] = Field(description="Of this format.")
    runtime: str = Field(description="Version of the runtime.")
    workspace: Workspace
    seconds: float
    counts: Counts
    fixes: list[Fix]
    checks: list[Check]


def schema() -> str:
    """The JSON Schema, as it is kept in report.schema.json."""
    document: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Report.model_json_schema(),
    }
    return json.dumps(document, indent=2) + "\n"
