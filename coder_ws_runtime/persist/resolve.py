"""Make every declared path a link, one after another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.fs.parents import Parents
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import DETOURS, Declarations, Entry, Kind
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.migrations.record import all_recorded
from coder_ws_runtime.persist.monitor import Monitor
from coder_ws_runtime.persist.reconcile.actions import RECORD, Decision, Plan
from coder_ws_runtime.persist.reconcile.observation import Observation
from coder_ws_runtime.persist.reconcile.observe import glance, node_at
from coder_ws_runtime.persist.reconcile.plan import plan
from coder_ws_runtime.persist.reconcile.settle import Outcome, settle
from coder_ws_runtime.persist.scope_changes import ScopeChange, find_scope_changes, follow_scope_change
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.failures import failure_of
from coder_ws_runtime.persist.store.names import STATE, copies_root
from coder_ws_runtime.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coder_ws_runtime.persist.children import ChildOutcome
    from coder_ws_runtime.persist.migrations.run import Migrated


_New = tuple[Entry, Observation, Plan]


@dataclass(frozen=True, slots=True)
class Report:
    """What a resolve did for each path, and what it refused."""

    outcomes: tuple[Outcome, ...]
    refused: tuple[UserError, ...]
    """Manifests and declarations that are invalid."""
    migrated: tuple[Migrated, ...] = ()
    """The migrations that had not run yet."""
    scope_changes: tuple[ScopeChange, ...] = ()
    """Paths whose content followed a change of their scope."""
    children: tuple[ChildOutcome, ...] = ()
    """Directories inside shared ones that are each workspace's own, or not kept."""
    warnings: tuple[UserError, ...] = ()
    """Declarations that have no effect here, e.g. keys that this version does not know, and paths that
    another workspace removed."""

    @property
    def errors(self) -> list[UserError]:
        """Everything that is not as declared."""
        migrations = [item.error for item in self.migrated if item.error]
        children = [child.error for child in self.children if child.error]
        outcomes = [outcome.error for outcome in self.outcomes if outcome.error]
        changes = [change.error for change in self.scope_changes if change.error]
        return [*self.refused, *migrations, *changes, *outcomes, *children]

    @property
    def changed(self) -> bool:
        """Whether anything was done, or would be in a dry run."""
        lists = (self.migrated, self.outcomes, self.children)
        return bool(self.scope_changes) or any(item.changed for items in lists for item in items)


def resolve(
    layout: Layout,
    settings: Settings,
    *,
    dry_run: bool = False,
    monitor: Monitor | None = None,
) -> Report:
    """Make all declared paths links.

    Args:
        layout: the workspace's.
        settings: the workspace, and what its template declares.
        dry_run: change nothing; the report says what would be done.
        monitor: gets the progress of long work, and each path that is done.

    Raises:
        NoVolumeError: there is no usable volume.
        RefusedError: there is no home.
    """
    with Session(layout, settings, monitor) as session:
        problems: tuple[UserError, ...] = ()
        if not dry_run:
            session.note_seen()
            problems = _bring_back(session)
            session.clear_left()
        found = load_declarations(layout, settings)
        places = _take_over(session, found) if found.children and not dry_run else {}
        renamed: dict[str, Outcome] = {}
        if not dry_run and _are_declared_otherwise(session, found.entries):
            renamed = _follow_renames(session, found.entries)
        migrated: tuple[Migrated, ...] = ()
        if not all_recorded(found.migrations, session.volume.anchor):
            from coder_ws_runtime.persist.migrations.run import migrate  # noqa: PLC0415 - most starts have none to run

            migrated = migrate(session, found, dry_run=dry_run)
        changes = tuple(find_scope_changes(session, found))
        if not dry_run:
            changes = tuple(follow_scope_change(session, change, found) for change in changes)
        session.monitor.paths = len(found.entries)
        if dry_run:
            simple = _follow_renames(session, found.entries, dry_run=True)
        else:
            rest = [entry for entry in found.entries if entry.path not in renamed]
            simple = renamed | _settle_simple(session, rest)
        session.monitor.settled = len(simple)
        outcomes: list[Outcome] = []
        for entry in found.entries:
            outcome = simple.get(entry.path)
            if outcome is None:
                outcome = settle(session, entry, dry_run=dry_run)
                session.monitor.settled += 1
            outcomes.append(outcome)
        children: tuple[ChildOutcome, ...] = ()
        if found.children:
            from coder_ws_runtime.persist.children import settle_child  # noqa: PLC0415 - not every image has any

            if places:
                _follow_parents(session, found, places)
            children = tuple(settle_child(session, child, dry_run=dry_run) for child in found.children)
        refused = (*found.refused, *problems)
        warnings = (*found.warnings, *_removed_elsewhere(session, found, dry_run=dry_run))
        return Report(tuple(outcomes), refused, migrated, changes, children, warnings)


def _are_declared_otherwise(session: Session, entries: Iterable[Entry]) -> bool:
    """Whether this container has made links that are no longer declared as they were."""
    now = {entry.path: f"{session.volume.path}/{entry.on_volume}" for entry in entries}
    links = session.ledger.links().items()
    return any(now.get(path) != text for path, text in links if not path.startswith(f"{DETOURS}/"))


def _follow_renames(
    session: Session, entries: Iterable[Entry], *, dry_run: bool = False
) -> dict[str, Outcome]:
    """Follow the links that programs renamed while no daemon ran; returns the outcomes by path."""
    from coder_ws_runtime.persist.renames import follow_renames  # noqa: PLC0415 - as it is rare

    return follow_renames(session, entries, dry_run=dry_run)


def _take_over(session: Session, found: Declarations) -> dict[str, str]:
    """Make children's content in the home this workspace's own; returns where their parents' links are."""
    if all(_is_link(session, child.parent.path) for child in found.children):
        return {}
    from coder_ws_runtime.persist.child_content import take_over  # noqa: PLC0415 - it is rare

    return take_over(session, found.children)


def _follow_parents(session: Session, found: Declarations, places: dict[str, str]) -> None:
    from coder_ws_runtime.persist.child_content import follow_parent  # noqa: PLC0415 - it is rare

    for child in found.children:
        follow_parent(session, child, places)


def _is_link(session: Session, path: str) -> bool:
    with suppress(OSError):
        found = node_at(session.home, path)
        return found is not None and found.kind is Kind.LINK
    return True


def _settle_simple(session: Session, entries: Sequence[Entry]) -> dict[str, Outcome]:
    """Settle what a glance is enough for: most paths of a run are in place, and of a first start, new.

    Each costs few system calls: directories stay open from path to path, and what is new is locked and
    recorded together. Everything else, and everything that fails, is left to `settle`.

    Returns the outcomes by path.
    """
    parents = Parents(session.home), Parents(session.volume.anchor)
    done: dict[str, Outcome] = {}
    new: list[_New] = []
    try:
        for entry in entries:
            try:
                seen = glance(session, entry, parents=parents)
                now = plan(entry, seen)
            except Exception:  # noqa: BLE001, S112 - `settle` meets it too, and says what it means
                continue
            if now.only_creates and not now.problem:
                new.append((entry, seen, now))
            elif now == Plan(Decision.LINKED):
                done[entry.path] = Outcome(entry, now.decision)
        links = session.ledger.links()
        if any(entry.path in links and entry.path not in done for entry in entries):
            renamed = _follow_renames(session, entries)
            if renamed:
                rest = [entry for entry in entries if entry.path not in renamed]
                return renamed | _settle_simple(session, rest)
        if new:
            done.update(_create(session, new, parents))
    finally:
        for one in parents:
            one.close()
    return done


def _create(session: Session, new: list[_New], parents: tuple[Parents, Parents]) -> dict[str, Outcome]:
    """Create directories and links by steps that fail if something is there now."""
    from coder_ws_runtime.persist.reconcile.apply import apply  # noqa: PLC0415 - most runs create nothing
    from coder_ws_runtime.persist.reconcile.path_work import Context  # noqa: PLC0415 - as above

    context = Context(session.home, session.volume, session.ledger, session.attic, parents=parents)
    done: dict[str, Outcome] = {}
    # Another process works on a path, or the ledger cannot be written.
    with suppress(OSError), session.ledger.lock_all():
        if session.ledger.refresh():  # another process has worked since the glance
            return {}
        links = {entry.path: seen.link for entry, seen, now in new if RECORD in now.actions}
        session.ledger.record_all(links)
        for entry, seen, now in new:
            with suppress(Exception):  # as above
                apply(entry, seen, now.actions, context)
                done[entry.path] = Outcome(entry, now.decision, changed=True)
        session.ledger.note_marks(context.marks)
    return done


def _removed_elsewhere(session: Session, found: Declarations, *, dry_run: bool) -> Iterator[UserError]:
    """Report what another workspace removed, and remove the links to it."""
    undeclared = session.ledger.links().keys() - {entry.path for entry in found.entries}
    if all(path.startswith(f"{DETOURS}/") for path in undeclared):
        return
    from coder_ws_runtime.persist import removed_elsewhere as elsewhere  # noqa: PLC0415 - it is rare

    removed = list(elsewhere.find_removed(session, found))
    filled = [] if dry_run else list(elsewhere.fill_renamed_links(session, found))
    yield from filled
    told = {error.place for error in filled}
    for entry in (entry for entry in removed if f"~/{entry.path}" not in told):
        if not dry_run:
            elsewhere.drop_removed_link(session, entry)
        yield elsewhere.removed_elsewhere(session, entry)


def _bring_back(session: Session) -> tuple[UserError, ...]:
    """Return to this workspace what `gc` took while it seemed to be deleted; returns what failed."""
    own = copies_root(session.id)
    try:
        if not session.id or session.volume.anchor.status(own) is not None:
            return ()
        from coder_ws_runtime.persist.store.attic import batches  # noqa: PLC0415 - as most starts find it

        if not any(batch.scope == "workspace" for batch in batches(session.volume.anchor)):
            return ()
        from coder_ws_runtime.persist import collect  # noqa: PLC0415 - it is rare

        collect.bring_back(session.attic, session.id)
    except OSError as error:
        within = ((session.volume.anchor, STATE, session.volume.owner),)
        return (failure_of(str(session.volume.path / own), error, within=within),)
    return ()
