"""One examination of the workspace, its report, and its summary for Coder's metadata.

Without click: every workspace runs ``ws-doctor --metadata`` once a minute, and most people ``ws-doctor``.
"""

import os
import sys
import time
from collections.abc import Sequence

from coder_ws_runtime.cli import render
from coder_ws_runtime.cli.ws_doctor import text as doctor_text
from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Check, Result, examine
from coder_ws_runtime.doctor.findings import Status
from coder_ws_runtime.doctor.glance import WELL
from coder_ws_runtime.doctor.remember import forget, observe, remember
from coder_ws_runtime.doctor.selection import IGNORED, select
from coder_ws_runtime.errors import ExitStatus
from coder_ws_runtime.layout import Layout

REST_OF_LINE = "\x1b[K"
"""Erases from the cursor to the end of the line; console_codes(4)."""


@dataclass(frozen=True, slots=True)
class Run:
    """One examination of the workspace."""

    context: Context
    results: list[Result]
    seconds: float


def look(checks: Sequence[Check], layout: Layout) -> Run:
    """Run `checks`; on a terminal, show which ones are still running.

    After a finding, the next line for Coder's metadata is from a complete look.
    """
    began = time.monotonic()
    context = Context.of(layout.root, os.environ)
    results = _examine(checks, context)
    if doctor_text.metadata(results) != WELL:
        forget(context)
    return Run(context, results, time.monotonic() - began)


def say_metadata(layout: Layout) -> int:
    """Run all checks except those that the environment excludes, and print the result in one line.

    If nothing is wrong, it is remembered for the glances of the next minutes.

    Raises:
        UsageError: the environment excludes a check that does not exist, or all checks.
    """
    checks = _usual_checks()
    context = Context.of(layout.root, os.environ)
    before = observe(context)
    line = doctor_text.metadata(_examine(checks, context))
    render.say(line)
    if line == WELL and before is not None:
        remember(context, before)
    else:
        forget(context)
    return ExitStatus.DONE


def say_report(layout: Layout, *, strict: bool = False) -> int:
    """Run all checks but those that the environment excludes, print the report, and return the exit status.

    Args:
        layout: the workspace's.
        strict: whether a warning counts as a failure.

    Raises:
        UsageError: as `say_metadata`.
    """
    run = look(_usual_checks(), layout)
    say_run(run)
    return status_of(run.results, strict=strict)


def _usual_checks() -> list[Check]:
    """All checks but those that the environment excludes."""
    return select(CHECKS, (), (), os.environ.get(IGNORED, "").split())


def say_run(run: Run, *, quiet: bool = False, verbose: bool = False) -> None:
    """Print the report; `quiet` and `verbose` as the options."""
    columns = render.columns_of(sys.stdout) if render.terminal(sys.stdout) else 0
    for line in doctor_text.lines(run.results, run.seconds, columns=columns, quiet=quiet, verbose=verbose):
        render.say(line)


def status_of(results: Sequence[Result], *, strict: bool) -> int:
    """The exit status; `strict`: whether a warning counts as a failure."""
    bad = any(
        item.verdict.status.bad or (strict and item.verdict.status is Status.WARNING) for item in results
    )
    return ExitStatus.REFUSED if bad else ExitStatus.DONE


def _examine(checks: Sequence[Check], context: Context) -> list[Result]:
    return examine(checks, context, waiting=_say_waiting if render.terminal(sys.stderr) else None)


def _say_waiting(ids: Sequence[str]) -> None:
    """Show one line on the terminal; it is erased when no check is left."""
    line = f"waiting for {', '.join(ids)} …" if ids else ""
    columns = render.columns_of(sys.stderr)
    sys.stderr.write(f"\r{line[: max(columns - 1, 1)]}{REST_OF_LINE}")
    sys.stderr.flush()
