"""Apply a plan one step at a time, so that a crash between any two loses nothing.

The order is always the same: copy to the staging directory, make the copy durable, publish it with one rename
that never replaces anything, make that rename durable; only then change the home side, and only what is still
the same as when it was copied. What was copied is recorded in the ledger before it is published. If something
has changed since it was observed, the step raises :class:`ChangedError`, and the caller observes and plans
again.

This module maps operations to steps. The steps are functions, in modules by what they work on:
:mod:`.steps_on_volume`, :mod:`.steps_in_home`, :mod:`.steps_after_rename`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile import steps_after_rename, steps_in_home, steps_on_volume
from coder_ws_runtime.persist.reconcile.actions import Action, Operation
from coder_ws_runtime.persist.reconcile.observation import Observation, Origin
from coder_ws_runtime.persist.reconcile.path_work import Context, PathWork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


STEPS: Final[dict[Operation, Callable[[PathWork], None]]] = {
    Operation.MAKE_TARGET: steps_on_volume.make_target,
    Operation.MAKE_TARGET_PARENT: steps_on_volume.make_target_parent,
    Operation.VOLUME_TO_ATTIC: steps_on_volume.volume_to_attic,
    Operation.MAKE_LINK: steps_in_home.make_link,
    Operation.REPLACE_LINK: steps_in_home.replace_link,
    Operation.REPLACE_CONTENT: steps_in_home.replace_content,
    Operation.DROP_ASIDE: steps_in_home.drop_aside,
    Operation.DROP_LINK: steps_in_home.drop_link,
    Operation.PUT_BACK: steps_in_home.put_back,
    Operation.RECORD: PathWork.record_link,
    Operation.FORGET: PathWork.forget_link,
}
"""Operations that need only the path."""

COPYING_STEPS: Final[dict[Operation, Callable[[PathWork, Origin, tuple[str, ...]], None]]] = {
    Operation.COPY_IN: steps_on_volume.copy_in,
    Operation.SUPERSEDE: steps_on_volume.supersede,
    Operation.TO_ATTIC: steps_on_volume.to_attic,
    Operation.COPY_METADATA: steps_on_volume.copy_directory_metadata,
}
"""Operations that need content of the home side, by its origin and the paths within the entry."""


def apply(entry: Entry, seen: Observation, actions: Iterable[Action], context: Context) -> None:
    """Apply the actions for one path.

    Raises:
        BusyError: a program has a file open for writing; nothing was done with it.
        ChangedError, FileNotFoundError: something changed in the meantime; nothing is lost, plan again.
        OSError: from the file systems; what was not safe before is where it was.
    """
    work = PathWork(entry, seen, context)
    for action in actions:
        _carry_out(work, action)


def _carry_out(work: PathWork, action: Action) -> None:
    match action.operation:
        case Operation.NOTE_COPIES:
            steps_on_volume.note_copies(work, action.paths)
        case Operation.COPY_OUT:
            steps_after_rename.copy_out(work, action.event.path)
        case Operation.RENAME_TARGET if action.event.entry is not None:
            steps_after_rename.rename_target(work, action.event.entry)
        case Operation.EXCHANGE_TARGETS if action.event.entry is not None:
            steps_after_rename.exchange_targets(work, action.event.turn)
        case Operation.NOTE_LEFT:
            work.context.ledger.note_left(work.entry.path, action.fate.value)
        case Operation.SET_MODE if action.mode is not None:
            steps_on_volume.set_mode(work, action.mode)
        case operation if operation in COPYING_STEPS:
            COPYING_STEPS[operation](work, action.origin, action.paths)
        case operation:
            STEPS[operation](work)
