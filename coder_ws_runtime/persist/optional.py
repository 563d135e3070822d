"""Optional manifests: the image has them, and they apply where the user enables them.

The volume remembers the name, not the paths: another image's manifest with that name may know better what its
version of the tool keeps where.
"""

from collections.abc import Iterable
from functools import partial

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.catch_up import catch_up
from coder_ws_runtime.persist.manifest.entry import Entry, Kind, Scope
from coder_ws_runtime.persist.manifest.files import available_file, available_files, manifest_files, read
from coder_ws_runtime.persist.manifest.load import entries_of, load_declarations
from coder_ws_runtime.persist.manifest.paths import is_below
from coder_ws_runtime.persist.manifest.user import UserFiles, editing
from coder_ws_runtime.persist.reconcile.observe import glance
from coder_ws_runtime.persist.reconcile.settle import Outcome, settle
from coder_ws_runtime.persist.remove import Removal, Removed
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.text import suggest


@dataclass(frozen=True, slots=True)
class Optional:
    """One optional manifest of the image."""

    name: str
    description: str
    entries: tuple[Entry, ...]
    enabled: bool
    fault: UserError | None = None
    """Why it cannot be enabled."""


@dataclass(frozen=True, slots=True)
class Switched:
    """The result for one name."""

    name: str
    changed: bool = False
    """Whether anything changed on the volume's list of names."""
    outcomes: tuple[Outcome, ...] = ()
    """If enabled: what was done for its paths."""
    removed: tuple[Removed, ...] = ()
    """If disabled: the results for its paths."""
    error: UserError | None = None

    @property
    def errors(self) -> list[UserError]:
        """All that went wrong."""
        found = (self.error, *(o.error for o in self.outcomes), *(r.error for r in self.removed))
        return [error for error in found if error]


def available(layout: Layout, settings: Settings) -> list[Optional]:
    """The optional manifests that the image has, by name."""
    enabled = load_declarations(layout, settings).enabled
    found: list[Optional] = []
    for file in available_files(layout):
        try:
            manifest = read(layout, file)
            entries = entries_of(layout, manifest, str(file), settings.workspace.id)
        except UserError as error:
            found.append(Optional(file.stem, "", (), file.stem in enabled, error))
        else:
            what = manifest["description"]
            found.append(Optional(file.stem, what, tuple(entries), file.stem in enabled))
    return found


def enable(session: Session, names: Iterable[str], scope: Scope) -> list[Switched]:
    """Enable optional manifests, durably, and link their paths.

    Args:
        session: home and volume.
        names: of the manifests.
        scope: where they apply: in all workspaces of the owner, or in this one.
    """
    layout, settings = session.layout, session.settings
    catch_up(session)
    before = {entry.path for entry in load_declarations(layout, settings).entries}
    done = [_enable_one(session, name, scope) for name in names]
    fresh = [entry for entry in load_declarations(layout, settings).entries if entry.path not in before]
    outcomes = [settle(session, entry) for entry in fresh]
    return [
        Switched(
            one.name,
            one.changed,
            tuple(outcome for outcome in outcomes if _is_of(outcome.entry, layout, one.name)),
            error=one.error,
        )
        for one in done
    ]


def _enable_one(session: Session, name: str, scope: Scope) -> Switched:
    layout, settings = session.layout, session.settings
    try:
        _known(layout, name)
        if name in load_declarations(layout, settings).enabled and not _widens(layout, settings, name, scope):
            return Switched(name)
        # One that is invalid, or that needs the workspace's ID while it is unknown, reports it here.
        file = available_file(layout, name)
        entries_of(layout, read(layout, file), str(file), settings.workspace.id)
        with editing(layout, session.volume, settings.workspace.id) as files:
            files.document(scope).setdefault("enable", []).append(name)
            if scope is Scope.OWNER:  # that includes this workspace
                for document in files.documents.values():
                    if document is not files.document(scope) and name in document.get("enable", ()):
                        document["enable"].remove(name)
    except UserError as error:
        return Switched(name, error=error)
    return Switched(name, changed=True)


def _widens(layout: Layout, settings: Settings, name: str, scope: Scope) -> bool:
    """Whether a manifest that is on in this workspace only is to be on in all of the owner's."""
    files = UserFiles(layout, settings.workspace.id)
    return scope is Scope.OWNER and name not in files.document(Scope.OWNER).get("enable", ())


def disable(removal: Removal, names: Iterable[str]) -> list[Switched]:
    """Disable optional manifests; the content that only they keep comes back to the home.

    Args:
        removal: gives content back.
        names: of the manifests.
    """
    catch_up(removal.session)
    return [_disable_one(removal, name) for name in names]


def _disable_one(removal: Removal, name: str) -> Switched:
    layout, settings = removal.session.layout, removal.session.settings
    try:
        files = UserFiles(layout, settings.workspace.id)
        was = any(name in document.get("enable", ()) for document in files.documents.values())
        entries = _entries(removal, name)
        linked = [entry for entry in entries if _is_linked(removal.session, entry)]
        if not was and not linked:
            _known(layout, name)
            raise RefusedError(
                f"{name!r} is not enabled",
                code="optional.not-enabled",
                hint="home-persist available shows what is",
            )
    except UserError as error:
        return Switched(name, error=error)

    def give_back(entry: Entry) -> Removed:
        return removal.stop_keeping(entry, lambda: _drop(removal, name))

    others = [
        entry for entry in load_declarations(layout, settings).entries if not _is_of(entry, layout, name)
    ]
    alone = [entry for entry in entries if not any(_covers(other, entry) for other in others)]
    removed = [removal.attempt(entry.path, partial(give_back, entry)) for entry in alone]
    _drop(removal, name)
    return Switched(name, changed=was, removed=tuple(removed))


def _drop(removal: Removal, name: str) -> None:
    """Remove a name from the user's manifests."""
    workspace_id = removal.session.id
    with editing(removal.session.layout, removal.session.volume, workspace_id) as files:
        for document in files.documents.values():
            if name in document.get("enable", ()):
                document["enable"] = [other for other in document["enable"] if other != name]


def _entries(removal: Removal, name: str) -> list[Entry]:
    """The paths of an optional manifest; none if this image does not have it."""
    file = available_file(removal.session.layout, name)
    if not file.exists():
        return []
    workspace_id = removal.session.id
    return entries_of(removal.session.layout, read(removal.session.layout, file), str(file), workspace_id)


def _is_linked(session: Session, entry: Entry) -> bool:
    seen = glance(session, entry)
    return seen.home is not None and seen.home.kind is Kind.LINK and seen.home.target == seen.link


def _covers(other: Entry, entry: Entry) -> bool:
    return other.path == entry.path or is_below(entry.path, other.path)


def _is_of(entry: Entry, layout: Layout, name: str) -> bool:
    return entry.place.startswith(f"{available_file(layout, name)}:")


def _known(layout: Layout, name: str) -> None:
    """Refuse a name for which there is no optional manifest."""
    if name in {file.stem for file in manifest_files(layout)}:
        raise RefusedError(
            f"{name!r} is not an optional manifest: the image enables it for everybody",
            code="optional.always",
            hint="home-persist status shows its paths",
        )
    names = [file.stem for file in available_files(layout)]
    if name not in names:
        raise RefusedError(
            f"no optional manifest {name!r}",
            code="optional.unknown",
            hint=suggest(name, names) if names else "this image has none",
        )
