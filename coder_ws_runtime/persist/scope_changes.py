"""Paths whose scope was changed without a migration: their content must not seem to vanish.

From 'workspace' to 'owner': this workspace's copy is merged into the owner's by renames, like in a migration.
The owner's wins, unless this workspace's began as a copy of it and the owner's has not changed since. The
other goes to the attic. From 'owner' to 'workspace': a workspace without a copy gets a copy of the owner's,
once; the owner's stays for the other workspaces.

The volume records which copies were given and when, so that a file which the user deletes later does not come
back.
"""

import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.fs.anchored import Anchor, open_below, sync_directory
from coder_ws_runtime.fs.errors import ChangedError
from coder_ws_runtime.persist.manifest.entry import Declarations, Entry, Kind, Scope, Step, on_volume
from coder_ws_runtime.persist.manifest.paths import is_below
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.failures import failure_of

CODE = "path.scope-changed"


@dataclass(frozen=True, slots=True)
class ScopeChange:
    """A path that has content with its former scope."""

    entry: Entry
    former: str
    """The content's path, relative to the volume."""
    attic: str = ""
    """The attic's batch with what was replaced in a merge."""
    error: UserError | None = None

    @property
    def was(self) -> Scope:
        """The scope that the content has."""
        return Scope.WORKSPACE if self.entry.scope is Scope.OWNER else Scope.OWNER


def find_scope_changes(session: Session, found: Declarations) -> Iterator[ScopeChange]:
    """The paths whose content has another scope than is declared, and is to follow. Changes nothing."""
    if not session.id:
        return
    anchor = session.volume.anchor
    # For most paths, two listings show that there is nothing; the rest are checked one by one.
    names = {
        Scope.OWNER: _names(anchor, f".workspaces/{session.id}"),
        Scope.WORKSPACE: _names(anchor, ""),
    }
    for entry in found.entries:
        if entry.path.partition("/")[0] not in names[entry.scope]:
            continue
        former = find_former(entry, session.id)
        if entry.scope is Scope.WORKSPACE and not _is_empty(anchor, entry.on_volume):
            continue
        if not _has_content(anchor, entry, former) or _was_given(session, entry):
            continue
        if not _holds_declared(former, found):
            yield ScopeChange(entry, former)


def follow_scope_change(session: Session, change: ScopeChange, found: Declarations) -> ScopeChange:
    """Move content to where it is declared now. Never raises for files and file systems.

    Args:
        session: home and volume, opened.
        change: from :func:`find_scope_changes`.
        found: the declarations.
    """
    try:
        if change.entry.scope is Scope.OWNER:
            return _merge(session, change, found)
        _copy(session, change)
    except UserError as error:
        return ScopeChange(change.entry, change.former, error=error)
    except (OSError, ChangedError) as error:
        failure = error if isinstance(error, OSError) else OSError(0, "it keeps changing")
        return ScopeChange(change.entry, change.former, error=failure_of(f"~/{change.entry.path}", failure))
    return change


def _holds_declared(former: str, found: Declarations) -> bool:
    """Whether a directory exists because something in it is declared; then it is not a former copy."""
    children = [child.entry for child in found.children]
    places = (entry.on_volume for entry in (*found.entries, *found.excepted, *children))
    return any(place == former or is_below(place, former) for place in places)


def find_former(entry: Entry, workspace_id: str) -> str:
    """The path of the content with its other scope, relative to the volume."""
    other = Scope.WORKSPACE if entry.scope is Scope.OWNER else Scope.OWNER
    return on_volume(entry.path, other, workspace_id)


def _names(anchor: Anchor, directory: str) -> frozenset[str]:
    with suppress(OSError), open_below(anchor.fd, directory) as fd:
        opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
        try:
            return frozenset(os.listdir(opened))
        finally:
            os.close(opened)
    return frozenset()


def _is_empty(anchor: Anchor, path: str) -> bool:
    """Whether there is nothing, or an empty directory, as resolve may have created it."""
    try:
        found = anchor.status(path)
    except OSError:
        return False  # something else is there: the check of the path itself reports it
    return found is None or (stat.S_ISDIR(found.st_mode) and not _names(anchor, path))


def _has_content(anchor: Anchor, entry: Entry, former: str) -> bool:
    """Whether there is something of the declared type; an empty directory does not count."""
    try:
        found = anchor.status(former)
    except OSError:
        return False
    if found is None or stat.S_ISDIR(found.st_mode) is not (entry.kind is Kind.DIRECTORY):
        return False
    return bool(_names(anchor, former)) if stat.S_ISDIR(found.st_mode) else stat.S_ISREG(found.st_mode)


# What was given -------------------------------------------------------------------------------------


def _note_name(workspace_id: str) -> str:
    return f"migrations/{workspace_id}/scope-changes.note"


def _given(session: Session) -> dict[str, int]:
    """The paths of which this workspace was given a copy, and when.

    The time is in nanoseconds by the clock of the volume's file times; 0 if it was not recorded.
    """
    file = session.layout.state / _note_name(session.id)
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        document = json.loads(file.read_bytes())
        times = document.get("times", {})
        return {path: int(times.get(path, 0)) for path in document["paths"]}
    return {}


def _was_given(session: Session, entry: Entry) -> bool:
    return entry.scope is Scope.WORKSPACE and entry.path in _given(session)


# Changes --------------------------------------------------------------------------------------------


def _merge(session: Session, change: ScopeChange, found: Declarations) -> ScopeChange:
    """Merge this workspace's copy into the owner's."""
    from coder_ws_runtime.persist.migrations.run import run_step  # noqa: PLC0415 - as at most starts nothing is to do

    entry = change.entry
    step = Step("scope-changed", "rescope", change.former, entry.on_volume, entry.place, session.id)
    given = _given(session)
    done = run_step(step, session, found, copied_at=given.get(entry.path, 0))
    if given.pop(entry.path, None) is not None:  # it gets another copy if the scope changes again
        _note(session, given)
    return ScopeChange(entry, change.former, attic=done.attic)


def _copy(session: Session, change: ScopeChange) -> None:
    """Copy the owner's for this workspace."""
    from coder_ws_runtime.fs import kernel  # noqa: PLC0415 - loads ctypes
    from coder_ws_runtime.fs.copying import copy  # noqa: PLC0415 - as above
    from coder_ws_runtime.persist.store.journals import copy_journals  # noqa: PLC0415 - as above

    entry, staging = change.entry, session.volume.staging
    anchor, owner = session.volume.anchor, session.volume.owner
    name = staging.name()
    try:
        with anchor.parent(change.former) as source:
            copy(source, (staging.fd, name), refuse_writers=False, progress=session.monitor.advance)
        base = entry.on_volume.removesuffix(entry.path).rstrip("/")
        anchor.make_directories(entry.on_volume.rpartition("/")[0], owner=owner, like=session.home, base=base)
        with session.volume.lock(entry.on_volume), anchor.parent(entry.on_volume) as (fd, last):
            with suppress(OSError):
                os.rmdir(last, dir_fd=fd)
            with anchor.parent(change.former) as source, suppress(FileExistsError):
                copy_journals(source, (fd, last), (staging.fd, staging.name()))
            kernel.rename_new(staging.fd, name, fd, last)
            sync_directory(fd)
            at = os.stat(last, dir_fd=fd, follow_symlinks=False).st_ctime_ns
    except FileExistsError:  # another command of this workspace was faster
        return
    finally:
        staging.discard(name)
    _note(session, {**_given(session), entry.path: at})


def _note(session: Session, given: Mapping[str, int]) -> None:
    document = {"version": 1, "paths": sorted(given), "times": dict(given)}
    session.volume.write(_note_name(session.id), (json.dumps(document, indent=2) + "\n").encode())
