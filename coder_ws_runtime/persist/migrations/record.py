"""The volume's records of migrations. A module of its own: most starts need nothing else of migrations."""

import json
import os
from collections.abc import Iterable

from coder_ws_runtime.dataclass import dataclass, fields
from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.persist.manifest.entry import Step
from coder_ws_runtime.persist.store.names import STATE


@dataclass(frozen=True, slots=True)
class Record:
    """The record of a step that is done."""

    time: float
    """Seconds since the epoch."""
    workspace: str
    """The workspace that ran it."""
    row: str
    """The name of a :class:`~coder_ws_runtime.persist.migrations.plan.Decision`."""
    verb: str
    source: str
    target: str
    attic: str = ""
    """The attic's batch with what was removed or replaced."""


def recorded(step: Step, volume: Anchor) -> Record | None:
    """The record of a step; None: it has not run yet.

    Raises:
        RefusedError: the record with its ID is of another step, or cannot be read.
        OSError: the volume cannot be read.
    """
    try:
        with volume.parent(f"{STATE}/{step.record}") as (fd, name):
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
    except FileNotFoundError:
        return None
    with open(opened, "rb") as file:
        text = file.read()
    try:
        # Another version may have written it; additional fields are ignored.
        known = {one.name for one in fields(Record)}
        values = {key: value for key, value in json.loads(text).items() if key in known}
        record = Record(**values)
        if not all(isinstance(value, int | float if key == "time" else str) for key, value in values.items()):
            raise TypeError("a value has another type")  # noqa: TRY301 - like a missing one
    except (ValueError, TypeError, AttributeError) as error:
        raise RefusedError(
            f"the record of migration {step.id!r} cannot be read",
            code="migration.record",
            place=f"{volume.path}/{STATE}/{step.record}",
            hint="remove that file to run the migration again",
        ) from error
    if (record.verb, record.source, record.target) != (step.verb, step.source, step.target):
        raise RefusedError(
            f"another migration has run with the ID {step.id!r}: {record.verb} {record.source}",
            code="migration.id-taken",
            place=step.place,
            hint="give the new one another ID",
        )
    return record


def all_recorded(steps: Iterable[Step], volume: Anchor) -> bool:
    """Whether these steps have nothing to run and nothing to report."""
    known: dict[str, Step] = {}
    try:
        for step in steps:
            first = known.setdefault(step.record, step)
            if (first.verb, first.source, first.target) != (step.verb, step.source, step.target):
                return False
            if recorded(step, volume) is None:
                return False
    except (UserError, OSError):
        return False
    return True
