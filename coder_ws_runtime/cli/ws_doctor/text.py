"""The doctor's report for people."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from coder_ws_runtime.cli.render import plain, style
from coder_ws_runtime.doctor.engine import Check, Result
from coder_ws_runtime.doctor.findings import Remedy, Status, Verdict, Where
from coder_ws_runtime.doctor.glance import WELL
from coder_ws_runtime.doctor.report import counts
from coder_ws_runtime.text import plural

_MARKS = {
    Status.OK: ("✓", "green"),
    Status.SKIPPED: ("-", "bright_black"),
    Status.WARNING: ("!", "yellow"),
    Status.FAILURE: ("✗", "red"),
    Status.CRASHED: ("✗", "magenta"),
}

_DULL = frozenset({Status.OK, Status.SKIPPED})

_PLACES = {
    Where.WORKSPACE: "",
    Where.HOST: " (on the Docker host)",
    Where.CLIENT: " (where you are logged in to Coder)",
    Where.TEMPLATE: " (in the template)",
}

_FIX = "fix:"
_THEN = "then:"

_NAMES = 76
"""Characters of a line with names of checks, without its mark and a comma."""

_METADATA_LENGTH = 120
"""Characters that one reads at a glance; Coder accepts 2048 bytes for a metadata value."""


def lines(
    results: Sequence[Result],
    seconds: float,
    *,
    quiet: bool = False,
    verbose: bool = False,
    columns: int = 0,
) -> Iterator[str]:
    """The whole report, line by line.

    Args:
        results: of the checks.
        seconds: how long they took in total.
        quiet: only what is wrong, and the total.
        verbose: what each check found, on a line of its own.
        columns: the terminal's width, at which sentences are wrapped; 0: they are not.
    """
    shown = [item for item in results if not (quiet and item.verdict.status in _DULL)]
    for category, items in groupby(shown, key=lambda item: item.check.category):
        if verbose:
            yield style(category, bold=True)
            yield from _each(list(items), max(len(item.check.id) for item in results), columns)
        else:
            yield from _together(list(items), columns)
    yield total(results, seconds)


def screen(results: Sequence[Result], *, columns: int, rows: int) -> list[str]:
    """As much of the report as fits: findings first, failures before warnings, then what is ok.

    Args:
        results: of the checks.
        columns: of the terminal.
        rows: the most lines to return; the last one says how many are left out.
    """
    wrong = [item for item in results if item.verdict.status not in _DULL]
    wrong.sort(key=lambda item: not item.verdict.status.bad)
    shown = [line for item in wrong for line in _together([item], columns)]
    dull = [item for item in results if item.verdict.status in _DULL]
    for _, items in groupby(dull, key=lambda item: item.check.category):
        shown += _together(list(items), columns)
    lines_ = [line if columns <= 0 else _cut(line, columns) for line in shown]
    if len(lines_) <= rows:
        return lines_
    kept = max(rows - 1, 0)
    return [*lines_[:kept], style(f"… {len(lines_) - kept} more lines: ws-doctor", fg="bright_black")]


def _cut(line: str, columns: int) -> str:
    """A line that does not wrap: if it is too long, its end is cut off and colours are reset."""
    bare = plain(line)
    return line if len(bare) <= columns else f"{bare[: columns - 1]}…"


def _each(items: list[Result], width: int, columns: int) -> Iterator[str]:
    for item in items:
        summary = "" if item.verdict.findings else item.verdict.summary
        yield from _named(item.verdict.status, f"{item.check.id.ljust(width)}  {summary}".rstrip(), "  ")
        yield from _findings(item.verdict, "      ", columns)


def _together(items: list[Result], columns: int) -> Iterator[str]:
    """A category: one line for what is ok, one for each reason to skip, full text for what is wrong."""
    lines_: dict[str, list[Result]] = {}
    for item in items:
        dull = item.verdict.status in _DULL
        reason = item.verdict.summary if item.verdict.status is Status.SKIPPED else ""
        lines_.setdefault(f"{item.verdict.status.value} {reason}" if dull else item.check.id, []).append(item)
    for together in lines_.values():
        verdict = together[0].verdict
        ids = [item.check.id for item in together]
        told = verdict.status is not Status.OK and not verdict.findings
        *rows, last = _rows(ids)
        for names in rows:
            yield from _named(verdict.status, names, columns=columns)
        yield from _named(verdict.status, f"{last}: {verdict.summary}" if told else last, columns=columns)
        yield from _findings(verdict, "    ", columns)


def _rows(ids: Sequence[str]) -> list[str]:
    """The names of checks of one category, in as few lines as fit a terminal of 80 columns."""
    rows = [ids[0]]
    for name in ids[1:]:
        short = name.partition(".")[2]
        if len(rows[-1]) + len(short) > _NAMES:
            rows.append(name)
        else:
            rows[-1] += f", {short}"
    return rows


def _named(status: Status, words: str, indent: str = "", columns: int = 0) -> Iterator[str]:
    mark, colour = _MARKS[status]
    for number, line in enumerate(_broken(f"{mark} {words}", indent, columns)):
        if status is Status.SKIPPED:
            yield style(line, fg=colour)
        else:
            yield line if number else line.replace(mark, style(mark, fg=colour), 1)


def _findings(verdict: Verdict, indent: str, columns: int) -> Iterator[str]:
    """What is wrong; a remedy that several findings share is shown once, below the last."""
    for remedy, together in groupby(verdict.findings, key=lambda finding: finding.remedy):
        for finding in together:
            lesser = "" if finding.status is verdict.status else f"{finding.status.value}: "
            colour = _MARKS[finding.status][1]
            for line in _broken(lesser + finding.problem, indent, columns):
                yield style(line, fg=colour)
            for evidence in finding.evidence:
                for line in _broken(evidence, f"{indent}  ", columns):
                    yield style(line, fg="bright_black")
        if remedy:
            yield from _remedy(remedy, indent, columns)


def _remedy(remedy: Remedy, indent: str, columns: int, label: str = _FIX) -> Iterator[str]:
    sentence = remedy.text.removeprefix("then ") if label == _THEN else remedy.text
    for line in _broken(f"{label} {sentence}{_PLACES[remedy.where]}", indent, columns):
        yield line.replace(label, style(label, fg="cyan"), 1) if line.startswith(f"{indent}{label}") else line
    for command in remedy.commands:
        yield f"{indent}  {style(f'$ {command}', bold=True)}"
    if remedy.then:
        yield from _remedy(remedy.then, indent, columns, _THEN)


def _broken(sentence: str, indent: str, columns: int) -> list[str]:
    """A sentence wrapped for a terminal. Commands are not wrapped, so that they can be copied."""
    if not columns:
        return [indent + sentence]
    import textwrap  # noqa: PLC0415 - slow to import, and only a terminal needs it

    return textwrap.wrap(
        sentence,
        max(columns, 40),
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def total(results: Sequence[Result], seconds: float) -> str:
    """One line: how many checks ran, and their results."""
    numbers = counts(results)
    parts = [f"{numbers['ok']} ok", *_numbers(results)]
    if numbers["skipped"]:
        parts.append(f"{numbers['skipped']} skipped")
    return f"{plural(len(results), 'check')} in {seconds:.2f} s: {', '.join(parts)}"


def _numbers(results: Sequence[Result]) -> list[str]:
    numbers = counts(results)
    bad = numbers["failure"] + numbers["crashed"]
    parts = [f"{bad} failed"] if bad else []
    if numbers["warning"]:
        parts.append(plural(numbers["warning"], "warning"))
    return parts


def metadata(results: Sequence[Result]) -> str:
    """The report in one short line, the worst result first."""
    wrong = [item for item in results if item.verdict.findings or item.verdict.status.bad]
    if not wrong:
        return WELL
    wrong.sort(key=lambda item: not item.verdict.status.bad)
    line = f"{', '.join(_numbers(results))}: {', '.join(item.check.id for item in wrong)}"
    return line if len(line) <= _METADATA_LENGTH else f"{line[: _METADATA_LENGTH - 1]}…"


def changes(before: Sequence[Result], now: Sequence[Result]) -> Iterator[str]:
    """What has changed since the previous report, line by line."""
    known = {item.check.id: (item.verdict.status, item.verdict.findings) for item in before}
    for item in now:
        then = known.get(item.check.id)
        if then == (item.verdict.status, item.verdict.findings):
            continue
        if item.verdict.findings or item.verdict.status.bad or (then and then[1]):
            yield from _each([item], len(item.check.id), 0)


def listing(checks: Sequence[Check]) -> list[tuple[str, str, str]]:
    """ID, title and explanation of each check."""
    return [(item.id, item.title, item.explanation) for item in checks]
