"""The report as a JSON document; :mod:`coder_ws_runtime.cli.contract` says what it holds."""

from __future__ import annotations

from collections.abc import Sequence

from coder_ws_runtime import __version__
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Result
from coder_ws_runtime.doctor.findings import Finding, Remedy, Status
from coder_ws_runtime.documents.published import publish

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


DOCUMENT = "ws-doctor"
"""The name of the report among the JSON documents of the commands."""


def counts(results: Sequence[Result]) -> dict[str, int]:
    """How many checks ended in each status."""
    return {status.value: sum(item.verdict.status is status for item in results) for status in Status}


def as_json(
    results: Sequence[Result], context: Context, seconds: float, fixes: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """The whole report.

    Args:
        results: of all checks that were run.
        context: the workspace.
        seconds: how long the run took.
        fixes: what was done before, each with its command, checks and exit status.
    """
    workspace = context.settings.workspace
    content = {
        "runtime": __version__,
        "workspace": {"id": workspace.id, "name": workspace.name, "owner": workspace.owner},
        "seconds": round(seconds, 3),
        "counts": counts(results),
        "fixes": list(fixes),
        "checks": [_result(item) for item in results],
    }
    return publish(DOCUMENT, content)


def _result(item: Result) -> dict[str, Any]:
    return {
        "id": item.check.id,
        "category": item.check.category,
        "title": item.check.title,
        "status": item.verdict.status.value,
        "summary": item.verdict.summary,
        "cause": item.verdict.cause or None,
        "seconds": round(item.seconds, 3),
        "findings": [_finding(finding) for finding in item.verdict.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "status": finding.status.value,
        "about": finding.about or None,
        "problem": finding.problem,
        "evidence": list(finding.evidence),
        "remedy": _remedy(finding.remedy) if finding.remedy else None,
    }


def _remedy(remedy: Remedy) -> dict[str, Any]:
    return {
        "text": remedy.text,
        "commands": list(remedy.commands),
        "where": remedy.where.value,
        "safe": remedy.safe,
        "then": _remedy(remedy.then) if remedy.then else None,
    }
