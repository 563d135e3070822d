"""``home-persist gc``: make room on the volume."""

import os
import time
from collections.abc import Sequence
from typing import Any

import click

from coder_ws_runtime import settings
from coder_ws_runtime.cli import commands, progress, render
from coder_ws_runtime.cli.loading import called, refuse_root
from coder_ws_runtime.cli.tables import table
from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.errors import ExitStatus, UsageError, UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist import collect
from coder_ws_runtime.persist import gc as collecting
from coder_ws_runtime.persist.gc import Bounds, Engine, Verdict, WorkspaceCopies, judge
from coder_ws_runtime.persist.manifest.entry import WORKSPACE_ID_HINT
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_bounds import Bounds as AtticBounds
from coder_ws_runtime.persist.store.attic_bounds import Space, to_prune
from coder_ws_runtime.persist.store.attic_items import contents
from coder_ws_runtime.persist.store.attic_pruning import prune
from coder_ws_runtime.system.docker_api import DockerApiError
from coder_ws_runtime.text import plural

_EPILOG = """\b
Examples:
  home-persist gc                     show what would be removed, and what is kept and why
  home-persist gc --yes               move it to the attic
  home-persist gc --older-than 30     also remove copies of workspaces not seen for 30 days
"""


@dataclass(slots=True)
class _Found:
    """Everything that a run needs."""

    workspaces: Sequence[tuple[WorkspaceCopies, Verdict]]
    staging: int
    """Bytes that interrupted runs left."""
    attic_files: int
    attic: int
    """Bytes in the attic beyond its limits."""
    engine: Engine | None
    engine_problem: str
    """Why Docker gives no answer."""
    problems: list[UserError]
    """What could not be read or removed."""
    batches: dict[str, str] = field(default_factory=dict)
    """Where the copies are now, by workspace ID."""


@click.command(epilog=_EPILOG)
@click.option("--yes/--dry-run", " /-n", help="Do it, or only show it (the default).")
@click.option(
    "--older-than",
    type=commands.Number(0, commands.CENTURY),
    default=90.0,
    show_default=True,
    metavar="DAYS",
    help="How long a workspace must not have been seen.",
)
@commands.with_quiet
@commands.with_json
@commands.with_layout
def gc(layout: Layout, *, yes: bool, older_than: float, quiet: bool, as_json: bool) -> int:
    """Remove what deleted workspaces have left on the volume.

    A path with the scope 'workspace' has one copy for each workspace. This removes the copies of a workspace
    that was not seen for 90 days. Each start of a workspace counts, and each 'home-persist resolve' in it.

    If the settings say that this Docker engine knows all workspaces (engine_knows_all_workspaces), a
    workspace also counts as deleted if the engine has neither a container nor a projects volume of it, and
    it was not seen for 24 hours. The copies of this workspace, and of any that is running or has a
    container, are always kept. On a network file system, a workspace that did not stop properly may be
    running on a host that is cut off: its copies are kept for 24 hours, also with '--older-than 0'.

    What is removed stays in the attic for 30 days: 'home-persist attic list --workspace ID' lists it. The
    owner's copies, which all workspaces share, are not touched. This also removes what interrupted runs
    left, and versions beyond the limits of the attic (see 'home-persist attic prune').
    """
    if yes:
        refuse_root(layout)
    values = settings.load(layout, os.environ)
    if not values.workspace.id:
        raise UsageError("the ID of this workspace is not known", code="gc.no-id", hint=WORKSPACE_ID_HINT)
    shown = progress.show_progress(rerun=called(layout), quiet=quiet)
    with shown as monitor, Session(layout, values, monitor, writing=yes) as session:
        found = _look(layout, session, Bounds(old=older_than * commands.DAY))
        failed = _collect(session, found) if yes else 0
    if as_json:
        render.say_document("home-persist gc", _as_json(found, done=yes))
    elif not quiet:
        _say(found, done=yes, failed=failed)
    for error in found.problems if not as_json else ():
        render.complain(error)
    return ExitStatus.REFUSED if found.problems else ExitStatus.DONE


def _look(layout: Layout, session: Session, bounds: Bounds) -> _Found:
    engine, problem = None, ""
    try:
        # The workspace's own engine has no containers of other workspaces.
        if session.settings.engine is settings.Engine.HOST_SOCKET:
            knows_all = session.settings.engine_knows_all_workspaces
            engine = collecting.query_engine(layout.docker_socket, knows_all=knows_all)
        else:
            problem = "does not know other workspaces"
    except DockerApiError as error:
        problem = str(error)
    except PermissionError:
        problem = "does not accept requests from this user"
    now = time.time()
    workspaces, problems = collecting.find_copies(session.volume)
    attic = contents(session.volume)
    beyond = to_prune(attic.items, now, AtticBounds(), Space.of(session.volume))
    return _Found(
        [(copies, judge(copies, engine, session.id, now, bounds)) for copies in workspaces],
        session.volume.left_in_staging(),
        len(beyond),
        sum(one.item.size for one in beyond),
        engine,
        problem,
        [*problems, *attic.problems],
    )


def _collect(session: Session, found: _Found) -> int:
    """Remove what is to be removed; returns how many workspaces could not be moved."""
    failed = 0
    for copies, verdict in found.workspaces:
        if verdict.removed:
            name = copies.workspace_name or copies.workspace_id
            try:
                with session.monitor.work(name, None):
                    found.batches[copies.workspace_id] = collect.collect(session.attic, copies)
            except UserError as error:
                failed += 1
                found.problems.append(error)
    session.volume.clear_staging()
    if found.attic_files:
        known = {error.place for error in found.problems}
        problems = prune(session.volume, time.time()).problems
        found.problems += [error for error in problems if error.place not in known]
    return failed


def _say(found: _Found, *, done: bool, failed: int) -> None:
    now = time.time()
    rows = [
        [
            copies.workspace_id,
            copies.workspace_name or "-",
            _last_seen(copies, verdict, now),
            render.size(copies.usage.size),
            render.style(verdict.value, fg="yellow" if verdict.removed else "green"),
        ]
        for copies, verdict in found.workspaces
    ]
    if rows:
        for line in table(["WORKSPACE", "NAME", "LAST SEEN", "SIZE", "STATE"], rows):
            render.say(line)
    if found.engine_problem:
        render.warn(f"Docker {found.engine_problem}: only when each workspace was last seen counts")
    if found.staging:
        render.say(f"{render.size(found.staging)} left by interrupted runs")
    if found.attic_files:
        files = plural(found.attic_files, "file")
        render.say(f"{files} ({render.size(found.attic)}) in the attic beyond its limits")
    render.say(_summary(found, failed, done=done))
    if any(found.batches.values()):
        render.say("the removed copies stay in the attic for 30 days: home-persist attic list --all")


def _last_seen(copies: WorkspaceCopies, verdict: Verdict, now: float) -> str:
    if verdict in (Verdict.CURRENT, Verdict.LEASED):
        return "now"
    return render.ago(now - copies.seen) if copies.seen else "-"


def _summary(found: _Found, failed: int, *, done: bool) -> str:
    gone = [copies for copies, verdict in found.workspaces if verdict.removed]
    if not gone and not found.staging and not found.attic_files:
        return "nothing to remove"
    total = render.size(sum(copies.usage.size for copies in gone) + found.staging + found.attic)
    what = f"{plural(len(gone) - failed, 'workspace')}, {total}"
    return f"removed: {what}" if done else f"would be removed: {what}; --yes does it"


def _as_json(found: _Found, *, done: bool) -> dict[str, Any]:
    return {
        "done": done,
        "engine": {
            "answers": found.engine is not None,
            "knows_all": found.engine is not None and found.engine.knows_all,
            "message": found.engine_problem or None,
        },
        "workspaces": [
            {
                "id": copies.workspace_id,
                "name": copies.workspace_name or None,
                "last_seen": copies.seen or None,
                "size_bytes": copies.usage.size,
                "files": copies.usage.files,
                "verdict": verdict.name.lower(),
                "removed": verdict.removed,
                "attic": found.batches.get(copies.workspace_id) or None,
            }
            for copies, verdict in found.workspaces
        ],
        "staging_bytes": found.staging,
        "attic": {"files": found.attic_files, "size_bytes": found.attic},
        "errors": [error.as_dict() for error in found.problems],
    }
