"""The work of ``home-persist resolve``. Without click: every boot waits for this."""

from __future__ import annotations

from collections import Counter

from coder_ws_runtime.cli import progress, render
from coder_ws_runtime.cli.home_persist.scopes import say_scopes, scopes_as_json
from coder_ws_runtime.cli.loading import refuse_root, workspace_settings
from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.errors import ExitStatus
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.reconcile.settle import Outcome
from coder_ws_runtime.persist.resolve import Report, resolve
from coder_ws_runtime.text import plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from coder_ws_runtime.persist.migrations.run import Migrated


def run(layout: Layout, *, dry_run: bool = False, quiet: bool = False, as_json: bool = False) -> int:
    """Make every declared path a link, report the result, and return the exit status.

    Raises:
        UserError: it cannot begin.
        Interrupted: the progress has been reported to the user.
    """
    if not dry_run:
        refuse_root(layout)
    values, faults = workspace_settings(layout)
    with progress.show_progress(rerun="home-persist resolve", quiet=quiet) as monitor:
        report = resolve(layout, values, dry_run=dry_run, monitor=monitor)
    report = replace(report, refused=(*faults, *report.refused))
    if as_json:
        render.say_document("home-persist resolve", _as_json(report, dry_run=dry_run))
    else:
        _say(report, dry_run=dry_run, quiet=quiet)
    return ExitStatus.REFUSED if report.errors else ExitStatus.DONE


def _say(report: Report, *, dry_run: bool, quiet: bool) -> None:
    if report.migrated:
        from coder_ws_runtime.cli.home_persist.migrated import say_migrated  # noqa: PLC0415 - most runs have none

        say_migrated(report.migrated, dry_run=dry_run, quiet=quiet)
    for warning in report.warnings:
        render.warn(str(warning), {"code": warning.code, "place": warning.place})
    for outcome in report.outcomes:
        if outcome.changed and not outcome.error and not quiet:
            _say_outcome(outcome, dry_run=dry_run)
        if outcome.problem:
            hint = f" ({outcome.hint})" if outcome.hint else ""
            render.warn(f"~/{outcome.entry.path}: {outcome.problem}{hint}", _fields(outcome))
    say_scopes(report, dry_run=dry_run, quiet=quiet)
    for error in report.errors:
        render.complain(error)
    if not quiet:
        render.say(_summary(report, dry_run=dry_run), {"changed": report.changed})


def _say_outcome(outcome: Outcome, *, dry_run: bool) -> None:
    entry = outcome.entry
    lost = f"; the replaced version is in the attic: {outcome.attic}" if outcome.attic else ""
    word = f"would be {outcome.decision.text}" if dry_run else outcome.decision.text
    render.say(f"~/{entry.path}: {word} [{entry.source}, {entry.scope.value}]{lost}", _fields(outcome))


def _summary(report: Report, *, dry_run: bool) -> str:
    count = len(report.outcomes)
    total = plural(count, "path")
    errors = f", {len(report.errors)} refused" if report.errors else ""
    if not report.changed:
        return f"{total} in place, nothing to change{errors}"
    rows = Counter(
        outcome.decision.text for outcome in report.outcomes if outcome.changed and not outcome.error
    )
    done = ", ".join(f"{number} {word}" for word, number in rows.items())
    return f"{total}: {'would be: ' if dry_run else ''}{done or 'none changed'}{errors}"


def _fields(outcome: Outcome) -> dict[str, object]:
    entry = outcome.entry
    return {
        "path": entry.path,
        "source": entry.source,
        "scope": entry.scope.value,
        "outcome": outcome.code,
    }


def _as_json(report: Report, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "changed": report.changed,
        "migrations": [_migrated_as_json(item) for item in report.migrated],
        "paths": [_outcome_as_json(outcome) for outcome in report.outcomes],
        **scopes_as_json(report),
        "refused": [error.as_dict() for error in report.refused],
        "warnings": [warning.as_dict() for warning in report.warnings],
    }


def _migrated_as_json(item: Migrated) -> dict[str, Any]:
    from coder_ws_runtime.cli.home_persist.migrated import as_dict  # noqa: PLC0415 - as above

    return as_dict(item)


def _outcome_as_json(outcome: Outcome) -> dict[str, Any]:
    entry = outcome.entry
    return {
        "path": entry.path,
        "kind": entry.kind.value,
        "scope": entry.scope.value,
        "source": entry.source,
        "target": entry.on_volume,
        "outcome": outcome.code,
        "changed": outcome.changed,
        "message": outcome.problem or None,
        "remedy": outcome.hint or None,
        "attic": outcome.attic or None,
        "error": outcome.error.as_dict() if outcome.error else None,
    }
