"""What a resolve reports about scopes: those that changed, and workspaces' parts of shared directories."""

from __future__ import annotations

from coder_ws_runtime.cli import render
from coder_ws_runtime.persist.manifest.entry import Scope
from coder_ws_runtime.persist.resolve import Report
from coder_ws_runtime.persist.scope_changes import CODE as SCOPE_CHANGED
from coder_ws_runtime.persist.scope_changes import ScopeChange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from coder_ws_runtime.persist.children import ChildOutcome


def say_scopes(report: Report, *, dry_run: bool, quiet: bool) -> None:
    """One line for each that changed or is not as declared; the caller reports errors."""
    for change in report.scope_changes:
        if not change.error:
            _say_scope_change(change, dry_run=dry_run)
    for child in report.children:
        _say_child(child, dry_run=dry_run, quiet=quiet)


def scopes_as_json(report: Report) -> dict[str, Any]:
    """Both lists, for JSON."""
    return {
        "scope_changes": [_scope_change_as_json(change) for change in report.scope_changes],
        "children": [_child_as_json(child) for child in report.children],
    }


def _say_scope_change(change: ScopeChange, *, dry_run: bool) -> None:
    entry = change.entry
    done = f"{'would be' if dry_run else 'was'} {'merged' if entry.scope is Scope.OWNER else 'copied'}"
    lost = f"; the replaced version is in the attic: {change.attic}" if change.attic else ""
    rest = "" if entry.scope is Scope.OWNER else "; the owner's copy stays for your other workspaces"
    render.warn(
        f"~/{entry.path}: {entry.source} changed its scope from {change.was.value} to {entry.scope.value}"
        f" without a migration: its content {done}{lost}{rest}",
        {"path": entry.path, "code": SCOPE_CHANGED},
    )


def _say_child(child: ChildOutcome, *, dry_run: bool, quiet: bool) -> None:
    """The result for a directory that is each workspace's own inside a shared one."""
    name = f"~/{child.child.entry.path}/"
    fields: dict[str, object] = {"path": child.child.entry.path, "code": child.state.value}
    if child.problem:
        render.warn(f"{name}: {child.problem} ({child.hint})", fields)
    elif child.changed and not quiet:
        whose = "this workspace's own" if child.child.kept else "not kept"
        lost = f"; its former content is in the attic: {child.attic}" if child.attic else ""
        render.say(f"{name}: {'would be' if dry_run else 'is'} {whose}{lost}", fields)


def _scope_change_as_json(change: ScopeChange) -> dict[str, Any]:
    return {
        "path": change.entry.path,
        "outcome": change.error.code if change.error else SCOPE_CHANGED,
        "from": change.was.value,
        "to": change.entry.scope.value,
        "attic": change.attic or None,
        "error": change.error.as_dict() if change.error else None,
    }


def _child_as_json(outcome: ChildOutcome) -> dict[str, Any]:
    entry = outcome.child.entry
    return {
        "path": entry.path,
        "source": entry.source,
        "target": entry.on_volume or None,
        "outcome": outcome.error.code if outcome.error else outcome.state.value,
        "changed": outcome.changed,
        "message": outcome.problem or None,
        "remedy": outcome.hint or None,
        "attic": outcome.attic or None,
        "error": outcome.error.as_dict() if outcome.error else None,
    }
