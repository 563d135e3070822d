"""What is wrong with the link of a declared path, and how to fix it; imported only if something is."""

import os
import shlex
from collections.abc import Iterable, Sequence

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.doctor import systemd
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Finding, Remedy, failure, warning
from coder_ws_runtime.doctor.user_files import renamed
from coder_ws_runtime.fs.errors import BlockedPathError
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.reconcile.actions import Decision, Plan
from coder_ws_runtime.persist.reconcile.observation import Observation
from coder_ws_runtime.persist.reconcile.observe import look
from coder_ws_runtime.persist.reconcile.plan import plan, points_into
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.text import visible


def find_faults(context: Context, entries: Sequence[Entry]) -> list[Finding]:
    """What is wrong with the links of some paths.

    Raises:
        UserError: the volume cannot be opened.
    """
    with Session(context.layout, context.settings, writing=False) as session:
        return _one_for_each_link([_link_finding(context, session, entry) for entry in entries])


def _one_for_each_link(findings: Iterable[Finding | None]) -> list[Finding]:
    """The findings, with one for each of the user's links: one may be above several declared paths."""
    merged: dict[tuple[str, str], Finding] = {}
    for finding in findings:
        if finding is None:
            continue
        key = (finding.code, finding.about)
        known = merged.setdefault(key, finding)
        if known is not finding:
            merged[key] = replace(known, evidence=(*known.evidence, *finding.evidence))
    return list(merged.values())


def _link_finding(context: Context, session: Session, entry: Entry) -> Finding | None:
    evidence = [f"declared in {entry.place}"]
    try:
        return _planned_finding(context, entry, look(session, entry, refuse_writers=False), evidence)
    except BlockedPathError as error:
        return _blocked_finding(context, error, evidence)
    except OSError as error:
        problem = f"~/{entry.path} cannot be read: {error.strerror or error}"
        about = str(context.layout.home / entry.path)
        return failure("home.link-unreadable", problem, _link_again(context), evidence=evidence, about=about)


def _link_again(context: Context) -> Remedy:
    again = systemd.restart_command(context, systemd.RESOLVE, "home-persist resolve")
    return Remedy("link it again: what is in the home moves to the volume", (again,), safe=True)


def _planned_finding(
    context: Context, entry: Entry, seen: Observation, evidence: list[str]
) -> Finding | None:
    path, about = f"~/{entry.path}", str(context.layout.home / entry.path)
    planned = plan(entry, seen)
    if planned.decision is Decision.DIVERTED:
        return _diverted_finding(context, entry)
    if planned.refused:
        problem = f"{path}: {planned.problem}"
        remedy = Remedy(planned.hint)
        return failure("home.link-refused", problem, remedy, evidence=evidence, about=about)
    remedy = _link_again(context)
    if planned.actions:
        code, state = _state(seen)
        problem = f"{path} {state}"
        return failure(code, problem, remedy, evidence=[*evidence, _next(planned)], about=about)
    if planned.problem:
        remedy = Remedy(f"{planned.hint}; then check again", remedy.commands)
        problem = f"{path}: {planned.problem}"
        return warning("home.link-other-type", problem, remedy, evidence=evidence, about=about)
    return None


def _blocked_finding(context: Context, error: BlockedPathError, evidence: list[str]) -> Finding:
    """Something else has the place of a directory above the path: only the user knows what it is for."""
    place = context.layout.home / error.component
    if place.is_dir() or not os.path.lexists(place):
        place = context.layout.volume / error.component
    again = systemd.restart_command(context, systemd.RESOLVE, "home-persist resolve")
    move = context.as_user(renamed(place))
    remedy = Remedy("move it away, and link again what could not be linked", (move, again))
    problem = f"{place} is not a directory, so nothing below it can be linked"
    return failure("home.link-blocked", problem, remedy, evidence=evidence, about=str(place))


def _diverted_finding(context: Context, entry: Entry) -> Finding | None:
    """The user's own link is a decision, not a fault. But if it leads nowhere, the path's program fails."""
    place = context.layout.home / entry.path
    if place.exists():
        return None
    link = next(parent for parent in (place, *place.parents) if parent.is_symlink() or parent.exists())
    if link.exists():  # it leads to a directory, in which programs create what they need
        return None
    again = systemd.restart_command(context, systemd.RESOLVE, "home-persist resolve")
    commands = (context.as_user(f"rm {shlex.quote(str(link))}"), again)
    remedy = Remedy("create your link's target, or go back to the volume's copy", commands)
    problem = f"your own link {link} leads to {os.readlink(link)}, which does not exist"
    evidence = [f"~/{entry.path}: declared in {entry.place}"]
    return warning("home.link-diverted-nowhere", problem, remedy, evidence=evidence, about=str(link))


def _next(planned: Plan) -> str:
    return f"resolve would: {', '.join(action.operation.value for action in planned.actions)}"


def _state(seen: Observation) -> tuple[str, str]:
    """The code, and the end of a sentence that begins with the path."""
    home = seen.home
    if seen.aside is not None:
        return "home.link-half-done", "was left half done by an interrupted run"
    if home is None:
        return "home.link-missing", "is not linked: there is nothing at the path"
    if home.kind is Kind.LINK and points_into(home.target, seen.volume_root):
        if home.target == seen.link:
            return "home.link-dangling", f"links to {visible(home.target)}, which does not exist"
        return "home.link-wrong", f"links to {visible(home.target)}, a wrong place on the volume"
    if home.kind is Kind.LINK:
        return "home.link-elsewhere", f"links to {visible(home.target)}, which is not on the volume"
    return (
        "home.link-replaced",
        f"was replaced by a {home.kind.value}, which is not on the volume and is lost with this container",
    )
