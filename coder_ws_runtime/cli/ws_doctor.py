"""``ws-doctor``: what is wrong with a workspace, and how to mend it."""

import os
import sys
import time
from collections.abc import Sequence

import click

from coder_ws_runtime.cli import render
from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Result, examine
from coder_ws_runtime.doctor.findings import Finding, Remedy, Status, Where
from coder_ws_runtime.doctor.report import as_json as report_as_json
from coder_ws_runtime.doctor.report import counts
from coder_ws_runtime.errors import ExitStatus
from coder_ws_runtime.layout import Layout

_MARKS = {
    Status.OK: ("✓", "green"),
    Status.SKIPPED: ("-", "bright_black"),
    Status.WARNING: ("!", "yellow"),
    Status.FAILURE: ("✗", "red"),
    Status.CRASHED: ("✗", "magenta"),
}

_PLACES = {
    Where.WORKSPACE: "",
    Where.HOST: " (on the Docker host)",
    Where.CLIENT: " (where you are logged in to Coder)",
    Where.TEMPLATE: " (in the template)",
}


@render.group("ws-doctor", invoke_without_command=True)
@render.with_json
@render.with_layout
@click.pass_context
def ws_doctor(click_context: click.Context, layout: Layout, *, as_json: bool) -> int | None:
    """Look the workspace over; say what is wrong and how to mend it.

    Exit status: 0 no failure, 1 failures, 2 wrong usage.
    """
    if click_context.invoked_subcommand:
        return None
    began = time.monotonic()
    context = Context.of(layout.root, os.environ)
    results = examine(CHECKS, context)
    seconds = time.monotonic() - began
    if as_json:
        render.say_json(report_as_json(results, context, seconds))
    else:
        _say(results, seconds)
    return ExitStatus.REFUSED if any(item.verdict.status.bad for item in results) else ExitStatus.DONE


def _say(results: Sequence[Result], seconds: float) -> None:
    category = ""
    width = max((len(item.check.id) for item in results), default=0)
    for item in results:
        if item.check.category != category:
            category = item.check.category
            render.say(render.style(category, bold=True))
        mark, colour = _MARKS[item.verdict.status]
        name = item.check.id.ljust(width)
        findings = item.verdict.findings
        render.say(
            f"  {render.style(mark, fg=colour)} {name}  {'' if findings else item.verdict.summary}".rstrip()
        )
        for finding in findings:
            _say_finding(finding)
    render.say(_total(results, seconds))


def _say_finding(finding: Finding) -> None:
    _, colour = _MARKS[finding.status]
    render.say(f"      {render.style(finding.problem, fg=colour)}")
    for line in finding.evidence:
        render.say(render.style(f"        {line}", fg="bright_black"))
    if finding.remedy:
        _say_remedy(finding.remedy)


def _say_remedy(remedy: Remedy) -> None:
    render.say(f"      {render.style('mend:', fg='cyan')} {remedy.text}{_PLACES[remedy.where]}")
    for command in remedy.commands:
        render.say(f"        {render.style(f'$ {command}', bold=True)}")


def _total(results: Sequence[Result], seconds: float) -> str:
    numbers = counts(results)
    bad = numbers["failure"] + numbers["crashed"]
    parts = [f"{numbers['ok']} ok"]
    parts += [
        f"{number} {word}"
        for number, word in (
            (bad, "failed"),
            (numbers["warning"], f"warning{'' if numbers['warning'] == 1 else 's'}"),
            (numbers["skipped"], "skipped"),
        )
        if number
    ]
    return f"{len(results)} checks in {seconds:.2f} s: {', '.join(parts)}"


def main() -> None:
    """Entry point of ``ws-doctor``."""
    sys.exit(render.run(ws_doctor))
