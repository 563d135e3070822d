"""``home-persist``: what a home keeps."""

import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from coder_ws_runtime.cli import commands, progress, render
from coder_ws_runtime.cli.loading import refuse_root, workspace_settings
from coder_ws_runtime.errors import ExitStatus
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.reconcile.settle import Outcome
from coder_ws_runtime.persist.resolve import Report
from coder_ws_runtime.system import journal
from coder_ws_runtime.text import plural

if TYPE_CHECKING:
    from coder_ws_runtime.persist.migrations.run import Migrated


@commands.group("home-persist")
def home_persist() -> None:
    """Keep files of the home beyond the life of its container.

    A home is made anew with every container. What is declared lasts: its content lies on the volume,
    a file system of yours that every container mounts, and the home has a link to it. Paths are declared
    by manifests of the image (/etc/home-persist.d), by the template, and by you ('add', 'enable').

    Exit status: 0 done, 1 some paths or manifests were refused, 2 wrong usage, 3 no usable volume.
    How it works, and why: /usr/local/share/doc/coder-ws-runtime/persistence.md
    """


@home_persist.command(
    context_settings={"help_option_names": ["-h", "--help"]},  # it is a program of its own, too
    epilog=commands.examples(
        ("home-persist resolve --dry-run", "what would be done"),
        ("home-persist resolve", "do it"),
    ),
)
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing; say what would be done.")
@commands.with_quiet
@commands.with_json
@commands.with_layout
def resolve(layout: Layout, *, dry_run: bool, quiet: bool, as_json: bool) -> int:
    """Make every declared path a link into the volume.

    What the home has and the volume lacks is moved there first. Where both have something, the volume's
    wins, but what took the place of our link since this container began is the newer save and wins over
    the volume's; directories are merged. What loses goes to the attic (home-persist attic list). Nothing
    is ever removed that exists nowhere else. Run it as often as you like; interrupted, it goes on when it
    is run again.

    Exit status: 0 done, 1 some paths or manifests were refused, 2 wrong usage, 3 no usable volume.
    """
    from coder_ws_runtime.persist.resolve import resolve as run_resolve  # noqa: PLC0415 - not for --help

    if not dry_run:
        refuse_root(layout)
    values, faults = workspace_settings(layout)
    with progress.show_progress(rerun="home-persist resolve", quiet=quiet) as monitor:
        report = run_resolve(layout, values, dry_run=dry_run, monitor=monitor)
    report = replace(report, refused=(*faults, *report.refused))
    if as_json:
        render.say_document("home-persist resolve", _as_json(report, dry_run=dry_run))
    else:
        _say(report, dry_run=dry_run, quiet=quiet)
    return ExitStatus.REFUSED if report.errors else ExitStatus.DONE


def _say(report: Report, *, dry_run: bool, quiet: bool) -> None:
    if report.migrated:
        from coder_ws_runtime.cli.home_persist.migrate import say_migrated  # noqa: PLC0415 - most runs have none

        say_migrated(report.migrated, dry_run=dry_run, quiet=quiet)
    for warning in report.warnings:
        render.warn(str(warning), {"code": warning.code, "place": warning.place})
    for outcome in report.outcomes:
        if outcome.changed and not outcome.error and not quiet:
            _say_outcome(outcome, dry_run=dry_run)
        if outcome.problem:
            hint = f" ({outcome.hint})" if outcome.hint else ""
            render.warn(f"~/{outcome.entry.path}: {outcome.problem}{hint}", _fields(outcome))
    for error in report.errors:
        render.complain(error)
    if not quiet:
        render.say(_summary(report, dry_run=dry_run), {"changed": report.changed})


def _say_outcome(outcome: Outcome, *, dry_run: bool) -> None:
    entry = outcome.entry
    lost = f"; what lost is in the attic: {outcome.attic}" if outcome.attic else ""
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
        "refused": [error.as_dict() for error in report.refused],
        "warnings": [warning.as_dict() for warning in report.warnings],
    }


def _migrated_as_json(item: "Migrated") -> dict[str, Any]:
    from coder_ws_runtime.cli.home_persist.migrate import as_dict  # noqa: PLC0415 - as above

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


# In the order of --help. `resolve` is here, because it is what every boot waits for.
for _module, *_names in (
    ("status", "status"),
    ("add", "add"),
    ("remove", "remove"),
    ("optional", "available", "enable", "disable"),
    ("attic", "attic"),
    ("validate", "validate", "schema"),
    ("migrate", "migrate"),
    ("gc", "gc"),
    ("watch", "watch"),
    ("compile", "compile"),
):
    for _name in _names:
        home_persist.add_lazy(_name, f"coder_ws_runtime.cli.home_persist.{_module}", _name)

_WORDS = """\b
Words:
  seeded     moved to the volume for the first time
  merged     both had content: what the volume lacked was moved to it
  owner      the scope of a path with one copy for all your workspaces
  workspace  the scope of a path with a copy for each of them
  attic      where what lost against another copy is kept for 30 days
"""
_EXAMPLES = commands.examples(
    ("home-persist status", "what is kept, and how it is"),
    ("home-persist add ~/.config/gh", "keep a path of your own"),
    ("home-persist available", "what the image can keep besides"),
    ("home-persist add --help", "more of a command"),
)
home_persist.epilog = f"{_WORDS}\n{_EXAMPLES}"

_INTERRUPTED = "nothing is lost: run it again to go on"


def main() -> None:
    """Entry point of ``home-persist``."""
    sys.exit(commands.run(home_persist, interrupted=_INTERRUPTED))


def resolve_main() -> None:
    """Entry point of ``home-persist-resolve``, the name that the shell resolver had."""
    journal.log("home-persist-resolve is the old name of 'home-persist resolve'", journal.DEBUG)
    sys.exit(commands.run(resolve, name="home-persist-resolve", interrupted=_INTERRUPTED))
