"""The work of ``ws-boot jetbrains``. Without click: every boot runs this, and the hooks wait for it."""

from __future__ import annotations

from coder_ws_runtime.boot.jetbrains.apply import Report, settle
from coder_ws_runtime.boot.jetbrains.plan import Note
from coder_ws_runtime.cli import render
from coder_ws_runtime.cli.loading import refuse_root, workspace_settings
from coder_ws_runtime.errors import ExitStatus
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.store.lease import held_elsewhere
from coder_ws_runtime.system import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


STEP = {"step": "jetbrains"}
"""A field of the step's lines in the journal."""


def run(layout: Layout, *, dry_run: bool = False, as_json: bool = False) -> int:
    """Set up JetBrains' files, report, and return the exit status.

    Raises:
        UserError: it cannot begin.
    """
    refuse_root(layout)
    values, faults = workspace_settings(layout)
    for fault in faults:
        render.complain(fault)
    report = settle(
        layout,
        allow_updates=values.jetbrains.allow_updates,
        others=lambda: held_elsewhere(layout.volume, values.workspace.id),
        dry_run=dry_run,
    )
    if as_json:
        render.say_document("ws-boot jetbrains", _as_json(report))
    else:
        _say(report, dry_run=dry_run)
    return ExitStatus.REFUSED if report.failed else ExitStatus.DONE


def _say(report: Report, *, dry_run: bool) -> None:
    steps = report.plan.actions if dry_run else report.done
    for step in steps:
        text = f"would {step.describe()}" if dry_run else step.describe(done=True)
        render.say(text, STEP, journal.NOTICE)
    for note in report.plan.notes:
        text = f"{note.message}{note.hint and f' ({note.hint})'}"
        if note.warning:
            render.warn(text, {**STEP, "code": note.code})
        else:
            render.say(text, {**STEP, "code": note.code})
    for error in report.failed:
        render.complain(error)
    ides = (
        f"{len(report.plan.ides)} with settings: {', '.join(report.plan.ides)}"
        if report.plan.ides
        else "none yet"
    )
    left = "" if steps or report.failed else "; nothing to change"
    render.say(f"JetBrains IDEs: {ides}{left}", STEP)


def _note_as_json(note: Note) -> dict[str, Any]:
    remedy = note.hint or None
    return {"code": note.code, "message": note.message, "remedy": remedy, "warning": note.warning}


def _as_json(report: Report) -> dict[str, Any]:
    return {
        "ides": list(report.plan.ides),
        "planned": [step.describe() for step in report.plan.actions],
        "done": [step.describe(done=True) for step in report.done],
        "notes": [_note_as_json(note) for note in report.plan.notes],
        "errors": [error.as_dict() for error in report.failed],
    }
