"""What migrations did, for people and as JSON. Without click: the first start of a workspace has some."""

from __future__ import annotations

from collections.abc import Iterable

from coder_ws_runtime.cli import render
from coder_ws_runtime.persist.manifest.entry import Step
from coder_ws_runtime.persist.migrations.plan import Decision
from coder_ws_runtime.persist.migrations.run import Migrated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def say_migrated(done: Iterable[Migrated], *, dry_run: bool, quiet: bool) -> None:
    """One line for each migration that moved something or waits; the caller reports errors."""
    for item in done:
        if item.decision is Decision.WAITS:
            hint = "it runs when that workspace has stopped; to run it now: home-persist migrate --force"
            render.warn(f"migration {item.step.id} waits: {item.problem} ({hint})", _fields(item))
        elif item.changed and not quiet:
            word = f"would be {item.decision.text}" if dry_run else item.decision.text
            attic = f"; in the attic: {item.attic}" if item.attic else ""
            render.say(f"migration {item.step.id}: {describe(item.step)}: {word}{attic}", _fields(item))


def describe(step: Step) -> str:
    """What a migration does, in a user's words."""
    match step.verb:
        case "remove":
            said = f"remove ~/{step.path}"
        case "rename":
            said = f"rename ~/{step.path} to ~/{step.in_home(step.target)}"
        case _:
            one = "the owner's copy" if step.workspace else "this workspace's own copy"
            return f"~/{step.path} becomes {one}"
    return f"{said} (this workspace's own copy)" if step.workspace else said


def _fields(item: Migrated) -> dict[str, object]:
    return {"migration": item.step.id, "path": item.step.path, "outcome": item.decision.value}


def as_dict(item: Migrated) -> dict[str, Any]:
    """A migration of this run, for JSON."""
    return {
        **step_as_dict(item.step),
        "outcome": item.error.code if item.error else item.decision.value,
        "changed": item.changed,
        "message": item.problem or None,
        "attic": item.attic or None,
        "error": item.error.as_dict() if item.error else None,
    }


def step_as_dict(step: Step) -> dict[str, Any]:
    """What a migration does, for JSON."""
    return {
        "id": step.id,
        "verb": step.verb,
        "from": step.source,
        "to": step.target or None,
        "workspace": step.workspace or None,
        "declared_in": step.place,
    }
