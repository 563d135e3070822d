"""Checks of the home: the volume, what is declared, the links, the daemon, what will be lost."""

import json
import os
import time
from pathlib import Path
from typing import Any

from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.context import Context, account, text
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import (
    Finding,
    Remedy,
    Verdict,
    Where,
    failure,
    found,
    ok,
    skipped,
    warning,
)
from coder_ws_runtime.doctor.systemd import Unit
from coder_ws_runtime.doctor.template import by_template
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.layout import DEFAULT_USER
from coder_ws_runtime.persist.manifest.entry import NO_WORKSPACE_ID, Declarations, Entry, Kind
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.observation import Observation
from coder_ws_runtime.persist.reconcile.observe import aside_name
from coder_ws_runtime.persist.reconcile.plan import Plan, plan, points_into
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.lease import leases
from coder_ws_runtime.system.mounts import parse_mounts

_DAY = 86400.0
_ORPHANED_AFTER = 30 * _DAY
"""Seconds without a lease after which a workspace's own copies are taken for forgotten."""


def declarations(context: Context) -> Declarations:
    """All that is declared for this workspace."""
    return load_declarations(context.layout, context.settings)


@check("home.volume", "the volume of the home")
def volume(context: Context) -> Verdict:
    """The owner's volume is mounted, writable, and the user's."""
    problem = _mount_problem(context)
    if problem is None and not context.ask(systemd.steps_ran) and _owner_problem(context):
        return skipped(Need.BOOT.value)
    problem = problem or _owner_problem(context)
    return found([problem], "") if problem else ok(f"{context.layout.volume} is mounted and writable")


def _volume_problem(context: Context) -> Finding | None:
    return _mount_problem(context) or _owner_problem(context)


def _mount_problem(context: Context) -> Finding | None:
    path = context.layout.volume
    mount = Remedy(
        by_template(
            context,
            f"mount it: the template's docker_container has a volumes block for {path}; then restart the"
            " workspace",
            f"mount it: the template's pod has a volume for the claim of the homes, and its container a"
            f" volume_mount for {path}; then restart the workspace",
        ),
        (context.restart(),),
        Where.CLIENT,
    )
    if not path.is_dir():
        problem = "there is no volume: nothing of the home will outlive this container"
        return failure(problem, mount, evidence=[f"{path}: no such directory"])
    if context.live and str(path) not in parse_mounts(text(context.layout.proc / "self/mountinfo")):
        problem = "no volume is mounted: nothing of the home will outlive this container"
        return failure(problem, mount, evidence=[f"{path}: a directory of the container"])
    if os.statvfs(path).f_flag & os.ST_RDONLY:
        remedy = Remedy("mount it writable", (context.as_root(f"mount -o remount,bind,rw {path}"),))
        return failure("the volume is mounted read-only", remedy, evidence=[f"{path}: ro"])
    return None


def _owner_problem(context: Context) -> Finding | None:
    path = context.layout.volume
    user, status = context.ask(account), path.stat()
    if user and (status.st_uid != user.uid or status.st_mode & 0o700 != 0o700):  # noqa: PLR2004 - rwx
        commands = (
            context.as_root(f"chown {DEFAULT_USER}: {path}"),
            context.as_root(f"chmod u+rwx {path}"),
            context.as_root("systemctl restart home-persist-resolve home-persist-watch"),
        )
        evidence = [f"{path}: uid {status.st_uid}, mode {status.st_mode & 0o7777:04o}"]
        problem = f"the volume cannot be written by {user.name}"
        return failure(problem, Remedy("give it to the user", commands, safe=True), evidence=evidence)
    return None


@check("home.manifests", "the manifests and declared paths")
def manifests(context: Context) -> Verdict:
    """Every manifest, and every path of the template and of the user, is valid."""
    known = context.ask(declarations)
    settings = context.settings_error is None and os.path.lexists(context.layout.settings_file)
    told = [error for error in known.refused if settings or error.code != NO_WORKSPACE_ID]
    findings = [_refused(context, error) for error in told]
    if not findings and len(told) < len(known.refused):
        return skipped("the workspace's id is not known; see system.settings")
    sources = len({entry.source for entry in known.entries})
    count = len(known.entries)
    return found(findings, f"{_number(count, 'path')} of {_number(sources, 'source')}")


def _refused(context: Context, error: UserError) -> Finding:
    advice = error.hint or "correct or remove it"
    if error.place.startswith(f"{context.layout.settings_file}:"):
        remedy = Remedy(
            f"{advice}: it is a parameter of the workspace; the restart asks for it",
            (context.restart(ask=True),),
            Where.CLIENT,
        )
    else:
        again = systemd.restart_command(context, systemd.RESOLVE, "home-persist resolve")
        remedy = Remedy(f"{advice}; then look again", (again,))
    evidence = [error.place] if error.place else []
    return failure(f"not persisted: {error.message}", remedy, evidence=evidence)


@check("home.links", "the links of declared paths", needs=[Need.VOLUME], made_by=Need.BOOT)
def links(context: Context) -> Verdict:
    """Every declared path is a link to its place on the volume."""
    entries = context.ask(declarations).entries
    odd = [entry for entry in entries if not is_linked(context, entry)]
    summary = f"{_number(len(entries), 'declared path')}, all linked"
    if not odd:
        return ok(summary)
    if context.ask(_volume_problem):
        return skipped("the volume cannot be used; see home.volume")
    try:
        with Session(context.layout, context.settings, writing=False) as session:
            findings = [_link_finding(context, session, entry) for entry in odd]
    except UserError as error:
        return found([failure(str(error), evidence=[f"~/{entry.path} is not linked" for entry in odd])], "")
    return found([item for item in findings if item], summary)


def is_linked(context: Context, entry: Entry) -> bool:
    """Whether the link says what it should and leads somewhere; a file may yet have to be written.

    What an interrupted run set aside beside it has to be put in order first.
    """
    target = f"{context.layout.volume}/{entry.on_volume}"
    place = context.layout.home / entry.path
    try:
        if os.readlink(place) != target or os.path.lexists(place.with_name(aside_name(place.name))):
            return False
    except OSError:
        return False
    return os.path.isdir(target if entry.kind is Kind.DIRECTORY else os.path.dirname(target))


def _link_finding(context: Context, session: Session, entry: Entry) -> Finding | None:
    path = f"~/{entry.path}"
    again = systemd.restart_command(context, systemd.RESOLVE, "home-persist resolve")
    remedy = Remedy("link it again: what is in the home moves to the volume", (again,), safe=True)
    evidence = [f"declared in {entry.place}"]
    try:
        seen = session.look(entry, refuse_writers=False)
    except OSError as error:
        return failure(f"{path} cannot be looked at: {error.strerror or error}", remedy, evidence=evidence)
    planned = plan(entry, seen)
    if planned.refused:
        return failure(f"{path}: {planned.problem}", Remedy(planned.hint), evidence=evidence)
    if planned.actions:
        return failure(f"{path} {_state(seen)}", remedy, evidence=[*evidence, _next(planned)])
    if planned.problem:
        remedy = Remedy(f"{planned.hint}; then look again", (again,))
        return warning(f"{path}: {planned.problem}", remedy, evidence=evidence)
    return None


def _next(planned: Plan) -> str:
    return f"resolve would: {', '.join(action.operation.value for action in planned.actions)}"


def _state(seen: Observation) -> str:
    home = seen.home
    if seen.aside is not None:
        return "was left half done by an interrupted run"
    if home is None:
        return "is not linked: there is nothing in its place"
    if home.kind is Kind.LINK and points_into(home.target, seen.volume_root):
        where = "which is not there" if home.target == seen.link else "a wrong place of the volume"
        return f"links to {home.target}, {where}"
    if home.kind is Kind.LINK:
        return f"links to {home.target}, which is not on the volume"
    return f"was replaced by a {home.kind.value}, which is not on the volume, and lost with the container"


@check("home.daemon", "home-persist watch", needs=[Need.SYSTEMD, Need.UNITS, Need.VOLUME])
def daemon(context: Context) -> Verdict:
    """The daemon that keeps the links true runs, and has looked at all paths of late."""
    unit = context.ask(systemd.units).get(systemd.WATCH, Unit(systemd.WATCH, {}))
    if context.ask(_volume_problem):
        return skipped("the volume cannot be used; see home.volume")
    problem = _daemon_unit_problem(context, unit)
    if problem:
        return found([problem], "")
    if unit.changing:
        return ok("it is starting")
    report = _watch_report(context.layout.watch_report)
    if report is None:
        remedy = systemd.restart(context, unit.name, "start it again", safe=True)
        evidence = [f"{context.layout.watch_report}: missing, or not JSON"]
        return found([failure("the daemon has left no report of its work", remedy, evidence=evidence)], "")
    age = time.time() - report["last_sweep"]
    problem = _work_problem(context, unit, report, age)
    return found(
        [problem] if problem else [],
        f"it runs, {_number(report['heals'], 'link')} healed, last look {max(age, 0):.0f} s ago",
    )


def _work_problem(context: Context, unit: Unit, report: "dict[str, Any]", age: float) -> Finding | None:
    period = report["period"]
    if age > 2 * period + 60:
        remedy = systemd.restart(context, unit.name, "start it again", safe=True)
        evidence = [f"its last look at all paths was {age:.0f} s ago, it should be every {period:.0f} s"]
        return failure("the daemon hangs", remedy, evidence=evidence)
    if report.get("blind"):
        remedy = Remedy("raise it there: it counts for all containers of the user together")
        what = f"the daemon is not told of changes, and looks every {period:.0f} s: {report['blind']}"
        return warning(what, remedy)
    return None


def _daemon_unit_problem(context: Context, unit: Unit) -> Finding | None:
    if unit.masked:
        commands = tuple(
            context.as_root(f"systemctl {verb} home-persist-watch") for verb in ("unmask", "start")
        )
        return failure("home-persist-watch is masked, so links are not healed", Remedy("unmask it", commands))
    if not unit.there:
        remedy = Remedy("use an image that is built on this project's base image", where=Where.TEMPLATE)
        return failure("home-persist-watch is not installed", remedy)
    if unit.failed or unit["SubState"] == "auto-restart":
        remedy = systemd.restart(context, unit.name, "start it again; if it fails again, its log says why")
        return failure("the daemon has failed", remedy, evidence=systemd.journal(context, unit))
    if unit["UnitFileState"] == "disabled":
        enable = context.as_root("systemctl enable --now home-persist-watch")
        problem = "home-persist-watch is disabled, so links are not healed"
        return failure(problem, Remedy("enable it", (enable,), safe=True))
    if not (unit.active or unit.changing):
        problem = (
            "the daemon does not run: a link that a program replaces is not healed, and its content is"
            " lost with the container"
        )
        return failure(problem, systemd.restart(context, unit.name, "start it", safe=True))
    return None


def _watch_report(file: Path) -> "dict[str, Any] | None":
    try:
        report: dict[str, Any] = json.loads(file.read_bytes())
        return report if all(float(report[key]) >= 0 for key in ("last_sweep", "period", "heals")) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


@check("home.orphans", "copies of other workspaces", needs=[Need.VOLUME])
def orphans(context: Context) -> Verdict:
    """Copies that belong to a workspace which has not run for long take room for nothing."""
    try:
        names = sorted(os.listdir(context.layout.workspaces))
    except OSError:
        return ok("there are none")
    known = {lease.workspace_id: lease for lease in leases(context.layout.volume)}
    now = time.time()
    old = []
    for name in names:
        lease = known.get(name)
        if name == context.settings.workspace.id or (lease and lease.held):
            continue
        seen = lease.seen if lease else (context.layout.workspaces / name).stat().st_mtime
        if now - seen > _ORPHANED_AFTER:
            called = f" ({lease.workspace_name})" if lease and lease.workspace_name else ""
            old.append(f"{name}{called}: not seen for {(now - seen) / _DAY:.0f} days")
    if not old:
        return ok(f"{_number(len(names), 'workspace')} with copies of their own, all seen of late")
    remedy = Remedy(
        "see what would go, and let it go if those workspaces are gone",
        (context.as_user("home-persist gc"), context.as_user("home-persist gc --yes")),
    )
    problem = f"{_number(len(old), 'workspace')} left copies that nobody uses"
    return found([warning(problem, remedy, evidence=old[:8])], "")


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
