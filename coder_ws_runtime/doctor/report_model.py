"""The model of the doctor's JSON report; report.schema.json is made from it, for programs that read it."""

import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_Status = Literal["ok", "skipped", "warning", "failure", "crashed"]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


CODE = r"^[a-z]+\.[a-z0-9-]+$"


class Remedy(_Model):
    """How to fix something."""

    text: str = Field(description="One sentence.")
    commands: list[str] = Field(description="Lines to paste into a shell, in order.")
    where: Literal["workspace", "host", "client", "template"] = Field(
        description="Where to run the commands."
    )
    safe: bool = Field(description="Whether `ws-doctor --fix` runs the commands.")
    then: "Remedy | None" = Field(description="What is to be done after it, in another place.")


class Finding(_Model):
    """One thing that is wrong."""

    code: str = Field(pattern=CODE, description="Stable over versions: which kind of thing is wrong.")
    status: Literal["warning", "failure"]
    about: str | None = Field(description="Which unit, path or container, where a code fits several.")
    problem: str
    evidence: list[str]
    remedy: Remedy | None


class Check(_Model):
    """One check, and how it ended."""

    id: str = Field(pattern=CODE, description="Stable over versions.")
    category: str
    title: str
    status: _Status = Field(description="The worst of the findings; crashed: the check itself failed.")
    cause: str | None = Field(description="Skipped because of the finding with this code.")
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

    version: Literal[2] = Field(description="Of this format.")
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
