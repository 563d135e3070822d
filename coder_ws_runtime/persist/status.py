"""The state and size of each declared path, and what else is on the volume."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from coder_ws_runtime.dataclass import dataclass, replace
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.fs.anchored import Anchor, open_below, open_directory
from coder_ws_runtime.fs.errors import BlockedPathError
from coder_ws_runtime.fs.usage import Usage, measure
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.children import ChildState, look_at_child
from coder_ws_runtime.persist.manifest.entry import Child, Declarations, Entry, Kind, Scope
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.manifest.paths import is_below, is_own
from coder_ws_runtime.persist.path_state import State, state_of
from coder_ws_runtime.persist.reconcile.observe import glance
from coder_ws_runtime.persist.removed_elsewhere import find_removed
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic import in_attic
from coder_ws_runtime.persist.store.lease import is_held
from coder_ws_runtime.settings import Settings

BUDGET = 1.0
"""How many seconds all measurements of sizes may take together, unless all is to be measured."""


@dataclass(frozen=True, slots=True)
class PathStatus:
    """One path. If it is not declared, it has no source and no place."""

    entry: Entry
    state: State
    usage: Usage | None
    """The size of its content, on the volume or else in the home; None if it has none."""
    error: OSError | None = None
    """Why it cannot be read."""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of the workspace."""

    paths: tuple[PathStatus, ...]
    refused: tuple[UserError, ...]
    free: int
    """Bytes that the user may still write to the volume."""
    size: int
    """The size of the volume's file system in bytes."""
    fault: UserError | None = None
    """Why nothing can be written to the volume."""
    watched: bool = True
    """Whether the daemon that keeps the links in place runs."""


def status(layout: Layout, settings: Settings, *, exact: bool = False) -> Status:
    """The state of this workspace. Changes nothing.

    Args:
        layout: the workspace's.
        settings: the workspace's.
        exact: measure all sizes completely, however long that takes.

    Raises:
        UserError: there is no volume, or no home.
    """
    with Session(layout, settings, writing=False) as session:
        found = load_declarations(layout, settings)
        plain = [_look(session, entry) for entry in found.entries]
        plain += [_look_at_child(session, child) for child in found.children]
        plain += [PathStatus(entry, State.OFF, None) for entry in found.excepted]
        plain += [PathStatus(entry, State.REMOVED, None) for entry in find_removed(session, found)]
        plain += [
            PathStatus(entry, _left_over_state(entry, found), None)
            for entry in _undeclared(session.volume.anchor, found, settings.workspace.id)
        ]
        paths = tuple(_sized(session, plain, exact=exact))
        room = os.statvfs(layout.volume)
        free, size = room.f_bavail * room.f_frsize, room.f_blocks * room.f_frsize
        fault = session.volume.fault()
        watched = is_held(layout.volume, settings.workspace.id)
    return Status(paths, found.refused, free, size, fault, watched)


def _look(session: Session, entry: Entry) -> PathStatus:
    try:
        seen = glance(session, entry)
    except BlockedPathError as error:
        return PathStatus(entry, State.BLOCKED, None, error)
    except OSError as error:
        return PathStatus(entry, State.UNREADABLE, None, error)
    state = state_of(entry, seen)
    if state is State.UNWRITTEN and in_attic(
        session.volume.anchor, entry.on_volume, session.settings.workspace.name
    ):
        state = State.DELETED
    return PathStatus(entry, state, None)


def _look_at_child(session: Session, child: Child) -> PathStatus:
    try:
        state = look_at_child(session, child).state
    except UserError:
        return PathStatus(child.entry, State.BLOCKED, None)
    except OSError as error:
        return PathStatus(child.entry, State.UNREADABLE, None, error)
    if state is not ChildState.SEPARATE:
        return PathStatus(child.entry, State.SHARED, None)
    if not child.kept:
        return PathStatus(child.entry, State.UNKEPT, None)
    return replace(_look(session, child.detour), entry=child.entry)


def _left_over_state(entry: Entry, found: Declarations) -> State:
    """Whether something on the volume belongs to a path that is declared with another scope."""
    other = any(entry.path == known.path or is_below(entry.path, known.path) for known in found.entries)
    return State.OTHER_SCOPE if other else State.NOT_DECLARED


def _undeclared(volume: Anchor, found: Declarations, workspace_id: str) -> Iterator[Entry]:
    """What the volume has in addition to what is declared: of the owner, and of this workspace."""
    children = [child.entry for child in found.children if child.kept]
    places = {entry.on_volume for entry in (*found.entries, *found.excepted, *children)}
    # A copy with another scope gets its own row, so that each row can be removed by itself.
    split = {
        f"{root}{entry.path}" for entry in found.entries for root in ("", f".workspaces/{workspace_id}/")
    }
    above = {place[:index] for place in places | split for index, char in enumerate(place) if char == "/"}
    roots = [("", Scope.OWNER)]
    if workspace_id:
        roots.append((f".workspaces/{workspace_id}", Scope.WORKSPACE))
    for root, scope in roots:
        for on_volume, directory in _besides(volume, root, places, above):
            path = on_volume.removeprefix(root).lstrip("/")
            kind = Kind.DIRECTORY if directory else Kind.FILE
            yield Entry(path, kind, scope, "", "", on_volume)


def _besides(volume: Anchor, directory: str, places: set[str], above: set[str]) -> Iterator[tuple[str, bool]]:
    """The topmost paths below `directory` that are not in `places`, and whether each is a directory."""
    try:
        with open_below(volume.fd, directory) as fd:
            opened = open_directory(".", fd, mounted=True)
        try:
            with os.scandir(opened) as listing:
                found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in listing)
        finally:
            os.close(opened)
    except OSError:
        return
    for name, is_directory in found:
        path = f"{directory}/{name}" if directory else name
        if path in places or (not directory and is_own(name)):
            continue
        if path in above and is_directory:
            yield from _besides(volume, path, places, above)
        else:
            yield path, is_directory


def _sized(session: Session, plain: list[PathStatus], *, exact: bool) -> Iterator[PathStatus]:
    """The same paths with sizes; one that is not declared and has no files is left out."""
    end = time.monotonic() + BUDGET
    for index, item in enumerate(plain):
        now = time.monotonic()
        until = None if exact else now + max(0.0, end - now) / (len(plain) - index)
        usage = _usage(session, item, until)
        if item.state in _LEFT_OVER and (usage is None or (usage.complete and not usage.files)):
            continue
        yield PathStatus(item.entry, item.state, usage, item.error)


_LEFT_OVER = frozenset({State.NOT_DECLARED, State.OTHER_SCOPE})
_IN_HOME = frozenset({State.REPLACED, State.ONLY_IN_HOME})


def _usage(session: Session, item: PathStatus, until: float | None) -> Usage | None:
    anchor, path = session.volume.anchor, item.entry.on_volume
    if not path:
        return None
    if item.state in _IN_HOME:
        anchor, path = session.home, item.entry.path
    with suppress(OSError), anchor.parent(path) as (fd, name):
        return measure(fd, name, until=until)
    return None
