"""Migrations: steps of manifests that run once per volume, before paths are linked.

``{"id": …, "remove": path}``, ``{"id": …, "rename": [from, to]}`` or
``{"id": …, "rescope": {"path": …, "to": "workspace"}}``.

A step moves the owner's copy once per volume, and each workspace's own copy once per workspace. Its record on
the volume is ``.home-persist/migrations/<id>.json``, or for a workspace's own copy
``.home-persist/migrations/<workspace id>/<id>.json``.
"""

import json
import time
from collections.abc import Iterator

from coder_ws_runtime.dataclass import asdict, dataclass, replace
from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.errors import ChangedError
from coder_ws_runtime.persist.manifest.entry import Declarations, Entry, Kind, Scope, Step
from coder_ws_runtime.persist.manifest.paths import is_below
from coder_ws_runtime.persist.migrations.plan import Decision, Operation, Plan, Seen, plan
from coder_ws_runtime.persist.migrations.record import Record, recorded
from coder_ws_runtime.persist.reconcile.observe import node_at
from coder_ws_runtime.persist.reconcile.refusals import changing_error
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.failures import failure_of
from coder_ws_runtime.persist.store.lease import held_elsewhere
from coder_ws_runtime.persist.store.names import STATE

_ATTEMPTS = 12
_TO_ATTIC = (Operation.TO_ATTIC, Operation.SUPERSEDE)


@dataclass(frozen=True, slots=True)
class Migrated:
    """The result of a step in this run."""

    step: Step
    decision: Decision
    problem: str = ""
    """Why it waits."""
    error: UserError | None = None
    attic: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything was moved, or would be in a dry run."""
        return self.decision not in (Decision.NOTHING, Decision.WAITS, Decision.FAILED)


@dataclass(frozen=True, slots=True)
class Known:
    """A step, and whether it has run."""

    step: Step
    record: Record | None
    error: UserError | None = None
    """Why that is unknown."""


def history(session: Session, found: Declarations) -> list[Known]:
    """All steps that are declared, and their records."""
    known: list[Known] = []
    for step in found.migrations:
        try:
            known.append(Known(step, recorded(step, session.volume.anchor)))
        except UserError as error:
            known.append(Known(step, None, error))
        except OSError as error:
            known.append(Known(step, None, failure_of(step.place, error)))
    return known


def migrate(
    session: Session, found: Declarations, *, dry_run: bool = False, force: bool = False
) -> tuple[Migrated, ...]:
    """Run the steps that have not run yet, in order.

    Never raises for files and file systems: the results report errors. A step that fails or waits is
    tried again by the next run. Later steps do not wait for it.

    Args:
        session: home and volume, opened.
        found: the declarations.
        dry_run: change nothing; report what would be done first.
        force: do not wait for other workspaces that are running.
    """
    return tuple(_migrated(session, found, dry_run=dry_run, force=force))


def _migrated(session: Session, found: Declarations, *, dry_run: bool, force: bool) -> Iterator[Migrated]:
    seen: dict[str, Step] = {}
    for step in found.migrations:
        first = seen.setdefault(step.record, step)
        if first is not step:
            if (first.verb, first.source, first.target) != (step.verb, step.source, step.target):
                yield Migrated(step, Decision.FAILED, error=_twice(step, first))
            continue
        try:
            if recorded(step, session.volume.anchor):
                continue
            if dry_run:
                now, _ = _look_and_plan(step, session, found, force=force)
                yield Migrated(step, now.decision, now.problem)
            else:
                with session.volume.lock(f"{STATE}/{step.record}"):
                    # The process that held the lock before us may have run it.
                    if not recorded(step, session.volume.anchor):
                        yield _run(step, session, found, force=force)
        except UserError as error:
            yield Migrated(step, Decision.FAILED, error=error)
        except OSError as error:
            yield Migrated(step, Decision.FAILED, error=failure_of(step.place, error))


def _twice(step: Step, first: Step) -> RefusedError:
    return RefusedError(
        f"migration {step.id!r} has the ID of another one in {first.place}",
        code="migration.id-taken",
        place=step.place,
        hint="give it an ID of its own",
    )


def run_step(step: Step, session: Session, found: Declarations, *, copied_at: int = 0) -> Migrated:
    """Run a step that has no record, at once; it is about content that exists now.

    Args:
        step: what to do.
        session: home and volume, opened.
        found: the declarations.
        copied_at: when the source was copied from the target, as for `Seen`.

    Raises:
        RefusedError: it keeps changing.
        OSError: from the file systems; what was not moved is where it was.
    """
    return _run(step, session, found, force=True, remember=False, copied_at=copied_at)


def _run(  # noqa: PLR0913 - one description of one run
    step: Step,
    session: Session,
    found: Declarations,
    *,
    force: bool,
    remember: bool = True,
    copied_at: int = 0,
) -> Migrated:
    from coder_ws_runtime.persist.migrations import apply as migrate_apply  # noqa: PLC0415 - ctypes is slow to import

    _save_first(step, session, found)
    decision: Decision | None = None
    lost = False
    for attempt in range(_ATTEMPTS):
        try:
            now, seen = _look_and_plan(step, session, found, force=force, copied_at=copied_at)
            if now.decision is Decision.WAITS:
                return Migrated(step, now.decision, now.problem)
            decision = decision or now.decision
            lost = lost or any(action.operation in _TO_ATTIC for action in now.actions)
            migrate_apply.apply(step, seen, now.actions, session)
            attic = session.attic.batch if lost else ""
            if remember:
                session.volume.write(step.record, _document(step, session, decision, attic))
        except (ChangedError, FileNotFoundError):
            time.sleep(min(0.001 * 2**attempt, 0.2))
        else:
            return Migrated(step, decision, attic=attic)
    raise changing_error(step.path)


def _look_and_plan(
    step: Step, session: Session, found: Declarations, *, force: bool, copied_at: int = 0
) -> tuple[Plan, Seen]:
    from coder_ws_runtime.persist.migrations import apply as migrate_apply  # noqa: PLC0415 - as above

    declared = _is_declared(step, found)
    others = held_elsewhere(session.volume.path, session.id)
    seen = migrate_apply.look(step, session, declared=declared, used_by=tuple(others))
    seen = replace(seen, copied_at=copied_at)
    return plan(step, seen, force=force), seen


def _is_declared(step: Step, found: Declarations) -> bool:
    return any(entry.path == step.path or is_below(step.path, entry.path) for entry in found.entries)


def _save_first(step: Step, session: Session, found: Declarations) -> None:
    """Move to the volume what a program saved in place of the managed link, and no daemon has seen yet.

    Nothing declares the path any longer, so it would be lost with the container.

    Raises:
        UserError: it was not saved; then the step has to wait for it.
    """
    ledger, path = session.ledger, step.path
    # Of a file that had no link yet, only the declaration of its new name shows whose copy it is.
    first = ledger.is_awaited(path) and any(entry.on_volume == step.target for entry in found.entries)
    linked = ledger.has(path, f"{session.volume.path}/{step.source}")
    if _is_declared(step, found) or not (linked or first):
        return
    saved = node_at(session.home, path)
    if saved is None or saved.kind not in (Kind.FILE, Kind.DIRECTORY):
        return
    scope = Scope.WORKSPACE if step.workspace else Scope.OWNER
    outcome = settle(session, Entry(path, saved.kind, scope, "", step.place, step.source))
    if outcome.error:
        raise outcome.error


def _document(step: Step, session: Session, decision: Decision, attic: str) -> bytes:
    label = session.attic.workspace
    record = Record(time.time(), label, decision.name.lower(), step.verb, step.source, step.target, attic)
    return json.dumps(asdict(record), indent=2).encode()
