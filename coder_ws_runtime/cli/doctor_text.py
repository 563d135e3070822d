"""The doctor's report for people."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from coder_ws_runtime.cli.render import style
from coder_ws_runtime.doctor.engine import Check, Result
from coder_ws_runtime.doctor.findings import Finding, Remedy, Status, Where
from coder_ws_runtime.doctor.report import counts

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

_METADATA_LENGTH = 120
"""Characters that one reads at a glance; Coder takes 2048 bytes of a metadata value."""


def lines(results: Sequence[Result], seconds: float, *, quiet: bool) -> Iterator[str]:
    """The whole report, line by line.

    Args:
        results: of the checks.
        seconds: how long they took together.
        quiet: only what is wrong, and the total.
    """
    width = max((len(item.check.id) for item in results), default=0)
    dull = {Status.OK, Status.SKIPPED} if quiet else set()
    shown = [item for item in results if item.verdict.status not in dull]
    for category, items in groupby(shown, key=lambda item: item.check.category):
        yield style(category, bold=True)
        for skipped, run in groupby(items, key=_skipped_because):
            if skipped:
                yield from _skipped(list(run), skipped, width)
            else:
                for item in run:
                    yield from _result(item, width)
    yield total(results, seconds)


def _skipped_because(item: Result) -> str:
    return item.verdict.summary if item.verdict.status is Status.SKIPPED else ""


def _skipped(items: list[Result], reason: str, width: int) -> Iterator[str]:
    """Checks that were skipped for one reason, in one line."""
    ids = [item.check.id for item in items]
    names = ", ".join([ids[0], *(name.partition(".")[2] for name in ids[1:])])
    mark, colour = _MARKS[Status.SKIPPED]
    yield f"  {mark} {style(f'{names.ljust(width)}  {reason}', fg=colour)}"


def _result(item: Result, width: int) -> Iterator[str]:
    mark, colour = _MARKS[item.verdict.status]
    findings = item.verdict.findings
    summary = "" if findings else item.verdict.summary
    yield f"  {style(mark, fg=colour)} {item.check.id.ljust(width)}  {summary}".rstrip()
    for finding in findings:
        yield from _finding(finding)


def _finding(finding: Finding) -> Iterator[str]:
    yield f"      {style(finding.problem, fg=_MARKS[finding.status][1])}"
    for line in finding.evidence:
        yield style(f"        {line}", fg="bright_black")
    if finding.remedy:
        yield from _remedy(finding.remedy)


def _remedy(remedy: Remedy) -> Iterator[str]:
    yield f"      {style('mend:', fg='cyan')} {remedy.text}{_PLACES[remedy.where]}"
    for command in remedy.commands:
        yield f"        {style(f'$ {command}', bold=True)}"


def total(results: Sequence[Result], seconds: float) -> str:
    """One line: how many checks, and how they ended."""
    numbers = counts(results)
    parts = [f"{numbers['ok']} ok", *_numbers(results)]
    if numbers["skipped"]:
        parts.append(f"{numbers['skipped']} skipped")
    return f"{len(results)} check{_s(len(results))} in {seconds:.2f} s: {', '.join(parts)}"


def _numbers(results: Sequence[Result]) -> list[str]:
    numbers = counts(results)
    bad = numbers["failure"] + numbers["crashed"]
    parts = [f"{bad} failed"] if bad else []
    if numbers["warning"]:
        parts.append(f"{numbers['warning']} warning{_s(numbers['warning'])}")
    return parts


def metadata(results: Sequence[Result]) -> str:
    """The report in one short line, the worst first."""
    wrong = [item for item in results if item.verdict.findings or item.verdict.status.bad]
    if not wrong:
        return "well"
    wrong.sort(key=lambda item: not item.verdict.status.bad)
    line = f"{', '.join(_numbers(results))}: {', '.join(item.check.id for item in wrong)}"
    return line if len(line) <= _METADATA_LENGTH else f"{line[: _METADATA_LENGTH - 1]}…"


def changes(before: Sequence[Result], now: Sequence[Result]) -> Iterator[str]:
    """What is other than before, line by line."""
    known = {item.check.id: (item.verdict.status, item.verdict.findings) for item in before}
    for item in now:
        then = known.get(item.check.id)
        if then == (item.verdict.status, item.verdict.findings):
            continue
        if item.verdict.findings or item.verdict.status.bad or (then and then[1]):
            yield from _result(item, len(item.check.id))


def listing(checks: Sequence[Check]) -> list[tuple[str, str, str]]:
    """Id, title and explanation of each check."""
    return [(item.id, item.title, item.explanation) for item in checks]


def _s(count: int) -> str:
    return "" if count == 1 else "s"
