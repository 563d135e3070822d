"""``home-persist gc``: make room on the volume."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from coder_ws_runtime import settings
from coder_ws_runtime.cli import commands, progress, render
from coder_ws_runtime.cli.loading import refuse_root
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.errors import ExitStatus, UsageError, UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist import gc as collecting
from coder_ws_runtime.persist.gc import Bounds, Engine, Left, Verdict, judge
from coder_ws_runtime.persist.manifest.entry import WORKSPACE_ID_HINT
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_items import Bounds as AtticBounds
from coder_ws_runtime.persist.store.attic_items import items, prune, to_prune
from coder_ws_runtime.system.docker_api import DockerApiError

_DAY = 86400.0
_EPILOG = """\b
Examples:
  home-persist gc                     what would be removed, and what is kept and why
  home-persist gc --yes               remove it
  home-persist gc --older-than 30     where Docker cannot tell, 30 days are enough
"""


@dataclass(frozen=True, slots=True)
class _Found:
    """All that a run is about."""

    workspaces: Sequence[tuple[Left, Verdict]]
    staging: int
    """Bytes that interrupted runs left."""
    attic_files: int
    attic: int
    """Bytes of the attic beyond its bounds."""
    engine: Engine | None
    silent: str
    """Why Docker does not tell."""


@click.command(epilog=_EPILOG)
@click.option("--yes/--dry-run", " /-n", help="Do it, or only say it, which is the default.")
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    default=90.0,
    show_default=True,
    metavar="DAYS",
    help="Where Docker cannot tell: how long a workspace must not have run.",
)
@commands.with_quiet
@commands.with_json
@commands.with_layout
def gc(layout: Layout, *, yes: bool, older_than: float, quiet: bool, as_json: bool) -> int:
    """Remove what workspaces that are gone have left on the volume.

    Paths with the scope 'workspace' have a copy for each workspace. Those of a workspace are removed if
    Docker has no container and no projects volume of it (gone); where Docker cannot tell, because the
    projects volume is still there or Docker does not answer, if it has not run for 90 days. This
    workspace's copies, and those of one that runs or has a container, are kept.

    Removed is removed: it does not go to the attic, whose bound of 1 GiB it would crowd. The owner's
    copies, which all workspaces share, are not touched. What interrupted runs left behind is removed
    too, and of the attic what is beyond its bounds (home-persist attic prune).
    """
    if yes:
        refuse_root(layout)
    values = settings.load(layout, os.environ)
    if not values.workspace.id:
        raise UsageError("the id of this workspace is not known", code="gc.no-id", hint=WORKSPACE_ID_HINT)
    again = f"home-persist gc{' --yes' if yes else ''}"
    shown = progress.show_progress(rerun=again, quiet=quiet)
    with shown as monitor, Session(layout, values, monitor, writing=yes) as session:
        knows_all = values.engine is settings.Engine.HOST_SOCKET
        bounds = Bounds(old=older_than * _DAY)
        found = _look(layout, session, bounds, ask_docker=knows_all)
        errors = _remove(session, found) if yes else []
    if as_json:
        render.say_json(_as_json(found, errors, done=yes))
    elif not quiet:
        _say(found, done=yes, failed=len(errors))
    for error in errors if not as_json else ():
        render.complain(error)
    return ExitStatus.REFUSED if errors else ExitStatus.DONE


def _look(layout: Layout, session: Session, bounds: Bounds, *, ask_docker: bool) -> _Found:
    engine, silent = None, ""
    try:
        # An engine of the workspace's own has none of the others' containers.
        if ask_docker:
            engine = collecting.ask(layout.docker_socket)
        else:
            silent = "knows no other workspace here"
    except DockerApiError as error:
        silent = str(error)
    except PermissionError:
        silent = "may not be asked by this user"
    now = time.time()
    lefts = collecting.look(session.volume)
    beyond = to_prune(items(session.volume), now, AtticBounds())
    return _Found(
        [(left, judge(left, engine, session.id, now, bounds)) for left in lefts],
        session.volume.left_in_staging(),
        len(beyond),
        sum(item.size for item in beyond),
        engine,
        silent,
    )


def _remove(session: Session, found: _Found) -> list[UserError]:
    errors: list[UserError] = []
    monitor = session.monitor
    for left, verdict in found.workspaces:
        if verdict.removed:
            try:
                with monitor.work(left.called or left.workspace_id, partial(_files, left), files=True):
                    collecting.remove(session.volume, left.workspace_id, monitor.advance)
            except UserError as error:
                errors.append(error)
    session.volume.clear_staging()
    if found.attic_files:
        prune(session.volume, time.time())
    return errors


def _files(left: Left) -> int:
    return left.usage.files


def _say(found: _Found, *, done: bool, failed: int) -> None:
    now = time.time()
    rows = [
        [
            left.workspace_id,
            left.called or "-",
            _last_ran(left, verdict, now),
            render.size(left.usage.size),
            render.style(verdict.value, fg="yellow" if verdict.removed else "green"),
        ]
        for left, verdict in found.workspaces
    ]
    if rows:
        for line in table(["WORKSPACE", "NAME", "LAST RAN", "SIZE", "STATE"], rows):
            render.say(line)
    if found.silent:
        render.warn(f"Docker {found.silent}: only the age of each workspace's last run tells")
    if found.staging:
        render.say(f"{render.size(found.staging)} left by interrupted runs")
    if found.attic_files:
        files = f"{found.attic_files} file{'' if found.attic_files == 1 else 's'}"
        render.say(f"{files} ({render.size(found.attic)}) in the attic beyond its bounds")
    render.say(_summary(found, failed, done=done))


def _last_ran(left: Left, verdict: Verdict, now: float) -> str:
    if verdict in (Verdict.CURRENT, Verdict.LEASED):
        return "now"
    return render.ago(now - left.seen) if left.seen else "-"


def _summary(found: _Found, failed: int, *, done: bool) -> str:
    gone = [left for left, verdict in found.workspaces if verdict.removed]
    if not gone and not found.staging and not found.attic_files:
        return "nothing to remove"
    count = len(gone) - failed
    total = render.size(sum(left.usage.size for left in gone) + found.staging + found.attic)
    what = f"{count} workspace{'' if count == 1 else 's'}, {total}"
    return f"removed: {what}" if done else f"would be removed: {what}; --yes does it"


def _as_json(found: _Found, errors: Sequence[UserError], *, done: bool) -> dict[str, Any]:
    return {
        "version": 1,
        "done": done,
        "docker": {"answers": found.engine is not None, "problem": found.silent or None},
        "workspaces": [
            {
                "id": left.workspace_id,
                "name": left.called or None,
                "last_ran": left.seen or None,
                "size": left.usage.size,
                "files": left.usage.files,
                "verdict": verdict.name.lower(),
                "removed": verdict.removed,
            }
            for left, verdict in found.workspaces
        ],
        "staging": found.staging,
        "attic": {"files": found.attic_files, "size": found.attic},
        "errors": [error.as_dict() for error in errors],
    }
