"""``home-persist migrate``: steps of manifests that run once."""

import time
from typing import Any

import click

from coder_ws_runtime.cli import commands, progress, render
from coder_ws_runtime.cli.home_persist.migrated import as_dict, describe, say_migrated, step_as_dict
from coder_ws_runtime.cli.loading import called, refuse_root, workspace_settings
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.errors import ExitStatus
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.migrations.plan import Decision
from coder_ws_runtime.persist.migrations.run import Known, Migrated, history
from coder_ws_runtime.persist.migrations.run import migrate as run_migrations
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.text import plural

_EPILOG = """\b
Examples:
  home-persist migrate --dry-run   show what would be moved
  home-persist migrate             move it
  home-persist migrate --list      show what was moved when, and what waits
\b
A manifest declares them as data:
  "migrations": [
    {"id": "cache-is-not-kept", "remove": ".cache/tool/"},
    {"id": "xdg", "rename": [".toolrc", ".config/tool/rc"]},
    {"id": "own-history", "rescope": {"path": ".history/", "to": "workspace"}}
  ]
"""


@click.command(epilog=_EPILOG)
@click.option("-n", "--dry-run", is_flag=True, help="Change nothing; show what would be done.")
@click.option("-l", "--list", "listing", is_flag=True, help="Show all migrations, and when each ran.")
@click.option("-f", "--force", is_flag=True, help="Do not wait for other workspaces that are running.")
@commands.with_quiet
@commands.with_json
@commands.with_layout
def migrate(  # noqa: PLR0913 - one argument an option
    layout: Layout, *, dry_run: bool, listing: bool, force: bool, quiet: bool, as_json: bool
) -> int:
    """Run the migrations of manifests that have not run yet.

    A migration removes a path from the volume, renames it, or changes its scope: once for the owner's copy,
    and once for each workspace's own copy. What it removes goes to the attic. If a rename finds something
    at the new path, that stays, and the renamed copy goes to the attic (home-persist attic list). A removal
    waits while another workspace of yours is running, because programs there may use the path.

    'home-persist resolve' does the same at every start, before it makes the links. If this is killed, run it
    again: it continues.
    """
    if not (dry_run or listing):
        refuse_root(layout)
    values, faults = workspace_settings(layout)
    found = load_declarations(layout, values)
    errors = [*faults, *found.refused]
    shown = progress.show_progress(rerun=called(layout), quiet=quiet)
    with shown as monitor, Session(layout, values, monitor, writing=not listing) as session:
        if listing:
            return _list(history(session, found), as_json=as_json)
        done = run_migrations(session, found, dry_run=dry_run, force=force)
    errors += [item.error for item in done if item.error]
    if as_json:
        refused = [error.as_dict() for error in (*faults, *found.refused)]
        document = {"dry_run": dry_run, "migrations": [as_dict(item) for item in done], "refused": refused}
        render.say_document("home-persist migrate", document)
    else:
        say_migrated(done, dry_run=dry_run, quiet=quiet)
        for error in errors:
            render.complain(error)
        if not quiet:
            render.say(_summary(done, total=len(found.migrations), dry_run=dry_run))
    return ExitStatus.REFUSED if errors else ExitStatus.DONE


def _summary(done: tuple[Migrated, ...], *, total: int, dry_run: bool) -> str:
    if not total:
        return "no manifest has a migration"
    changed = len({item.step.id for item in done if item.changed})
    word = "would run" if dry_run else "ran"
    waiting = len({item.step.id for item in done if item.decision is Decision.WAITS})
    parts = [f"{changed} moved something" if not dry_run else f"{changed} would move something"]
    if waiting:
        parts.append(f"{waiting} waiting")
    fresh = len({item.step.id for item in done if item.decision not in (Decision.WAITS, Decision.FAILED)})
    if not done:
        return "all migrations have run before; home-persist migrate --list shows when"
    return f"{plural(fresh, 'migration')} {word}, {', '.join(parts)}"


def _list(known: list[Known], *, as_json: bool) -> int:
    status = ExitStatus.REFUSED if any(item.error for item in known) else ExitStatus.DONE
    if as_json:
        document = {"migrations": [_known_as_dict(item) for item in known]}
        render.say_document("home-persist migrate --list", document)
        return status
    rows = [[item.step.id, describe(item.step), *_ran(item)] for item in known]
    if rows:
        for line in table(["ID", "WHAT", "RAN", "IN", "RESULT"], rows):
            render.say(line)
    else:
        render.say("no manifest has a migration")
    for item in known:
        if item.error:
            render.complain(item.error)
    return status


def _ran(item: Known) -> list[str]:
    record = item.record
    if record is None:
        return ["-", "-", "cannot run" if item.error else "not run yet"]
    clock = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.time))
    # A newer version may have written a value that this one does not know.
    known = Decision.__members__.get(record.row.upper())
    result = known.text if known else record.row
    return [clock, record.workspace or "-", f"{result} ({record.attic})" if record.attic else result]


def _known_as_dict(item: Known) -> dict[str, Any]:
    return {
        **step_as_dict(item.step),
        "ran": item.record
        and {
            "time": item.record.time,
            "workspace": item.record.workspace,
            "outcome": item.record.row,
            "attic": item.record.attic or None,
        },
        "error": item.error.as_dict() if item.error else None,
    }
