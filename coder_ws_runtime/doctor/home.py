"""Checks of the home: the volume, what is declared, the links, the daemon."""

import os

from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.engine import Need, check
from coder_ws_runtime.doctor.findings import Finding, Remedy, Verdict, failure, found, warning
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.persist.entries import Declared, Entry, Kind
from coder_ws_runtime.persist.manifest import declared
from coder_ws_runtime.persist.plan import Plan, plan, points_into
from coder_ws_runtime.persist.resolve import Workspace
from coder_ws_runtime.persist.state import Observation


def _declared(context: Context) -> Declared:
    return declared(context.layout, context.settings)


@check("home.links", "the links of declared paths", needs=[Need.VOLUME])
def links(context: Context) -> Verdict:
    """Every declared path is a link to its place on the volume."""
    entries = context.know(_declared).entries
    odd = [entry for entry in entries if not _is_linked(context, entry)]
    if not odd:
        return found([], f"{len(entries)} declared path{'' if len(entries) == 1 else 's'}, all linked")
    try:
        with Workspace(context.layout, context.settings) as workspace:
            findings = [_finding(context, workspace, entry) for entry in odd]
    except UserError as error:
        findings = [failure(str(error), evidence=[f"~/{entry.path} is not linked" for entry in odd])]
    return found([item for item in findings if item], f"{len(entries)} declared paths, all linked")


def _is_linked(context: Context, entry: Entry) -> bool:
    """Whether the link says what it should and leads somewhere; a file may yet have to be written."""
    target = f"{context.layout.volume}/{entry.on_volume}"
    try:
        if os.readlink(context.layout.home / entry.path) != target:
            return False
    except OSError:
        return False
    return os.path.isdir(target if entry.kind is Kind.DIRECTORY else os.path.dirname(target))


def _finding(context: Context, workspace: Workspace, entry: Entry) -> Finding | None:
    path = f"~/{entry.path}"
    remedy = Remedy("link it again; nothing is lost", (context.as_user("home-persist resolve"),), safe=True)
    evidence = [f"declared in {entry.place}"]
    try:
        seen = workspace.look(entry, refuse_writers=False)
    except OSError as error:
        return failure(f"{path} cannot be looked at: {error.strerror}", remedy, evidence=evidence)
    planned = plan(entry, seen)
    if planned.refused:
        return failure(f"{path}: {planned.problem}", Remedy(planned.hint), evidence=evidence)
    if planned.actions:
        return failure(f"{path} {_state(seen)}", remedy, evidence=[*evidence, *_next(planned)])
    if planned.problem:
        return warning(f"{path}: {planned.problem}", Remedy(planned.hint), evidence=evidence)
    return None


def _next(planned: Plan) -> list[str]:
    return [f"resolve would: {', '.join(action.verb.value for action in planned.actions)}"]


def _state(seen: Observation) -> str:
    home = seen.home
    if seen.aside is not None:
        return "was left half done by an interrupted run"
    if home is None:
        return "is not linked: there is nothing"
    if home.kind is Kind.LINK and points_into(home.target, seen.volume_root):
        return "links to a place that is not there" if home.target == seen.link else f"links to {home.target}"
    if home.kind is Kind.LINK:
        return f"links to {home.target}, which is not on the volume"
    return f"was replaced by a {home.kind.value}, which is not on the volume and will be lost"
