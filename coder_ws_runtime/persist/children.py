"""Directories inside a shared one of which each workspace has its own, or which are not kept.

The owner's directory is linked as a whole, and several workspaces use it at once. So the child is a link on
the volume, which is the same for all of them: ``.claude/ide ->
/home/coder/.home-persist/detours/.claude/ide``. At that place, each home has a link to this workspace's own
copy, or a directory that is not kept.

The home's side is made first, so the link on the volume never dangles here. Existing content of the child
moves to this workspace's copy, unless another workspace of the owner is running that has not prepared its own
side yet: then it waits. What a program puts in the place of the link later is a save, if it is known to be
this workspace's (`child_content`); otherwise it goes to the attic. The volume remembers its children in
``.home-persist/children/known.json``, because images whose manifests do not declare them find the links too.
"""

import os
import stat
from contextlib import suppress
from enum import Enum

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.anchored import Owner, sync_directory
from coder_ws_runtime.fs.errors import BlockedPathError
from coder_ws_runtime.fs.writing import write_link
from coder_ws_runtime.persist.child_notes import linked, note_linked, note_prepared, noted
from coder_ws_runtime.persist.child_owner import is_own
from coder_ws_runtime.persist.manifest.entry import DETOURS, Child, Scope
from coder_ws_runtime.persist.manifest.paths import in_shell
from coder_ws_runtime.persist.reconcile.event import Fate
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.failures import failure_of
from coder_ws_runtime.persist.store.lease import held_elsewhere
from coder_ws_runtime.persist.store.names import aside_name
from coder_ws_runtime.text import visible


class ChildState(Enum):
    """The state of a child; the value is its code."""

    SEPARATE = "child.separate"
    """Each workspace has its own."""
    SHARED = "child.shared"
    """It is not separate yet; a resolve separates it."""
    WAITS = "child.waits"
    """A running workspace has not prepared its side yet; until it has, all share the directory."""
    OTHER_HOME = "child.other-home"
    """Its link leads into a home with another path than this one."""
    DIVERTED = "child.diverted"
    """The user has put a link or a file there."""
    NO_PARENT = "child.no-parent"
    """The directory above it is not linked."""
    FAILED = "child.failed"


@dataclass(frozen=True, slots=True)
class ChildOutcome:
    """The result for a child."""

    child: Child
    state: ChildState
    changed: bool = False
    problem: str = ""
    """Why it is not separate, if that is not an error."""
    hint: str = ""
    error: UserError | None = None
    attic: str = ""
    """The attic's batch with its former content."""


def settle_child(session: Session, child: Child, *, dry_run: bool = False) -> ChildOutcome:
    """Separate a child. Never raises for files and file systems: the outcome reports errors.

    Args:
        session: home and volume, opened.
        child: what is declared; its parent was already settled.
        dry_run: change nothing.
    """
    before = session.displaced
    try:
        found = look_at_child(session, child)
        if found.state is ChildState.NO_PARENT and not dry_run:
            from coder_ws_runtime.persist import child_content  # noqa: PLC0415 - it is rare

            child_content.save_taken_over(session, child)
        if found.state not in (ChildState.SEPARATE, ChildState.SHARED):
            return found
        waiting = _find_unprepared(session, child) if found.state is ChildState.SHARED else []
        unknown = False
        if dry_run:
            changed = found.state is ChildState.SHARED and not waiting
        else:
            changed = _prepare(session, child)
            if not waiting and (found.state is ChildState.SHARED or _has_aside(session, child)):
                unknown = not _link(session, child)
                changed = True
            if not waiting:
                note_linked(session, child)
    except UserError as error:
        return ChildOutcome(child, ChildState.FAILED, error=error)
    except OSError as error:
        return ChildOutcome(child, ChildState.FAILED, error=failure_of(f"~/{child.entry.path}", error))
    if waiting:
        return _waits(child, waiting, changed=changed)
    attic = session.displaced_since(before)
    if unknown:
        return _of_unknown(child, attic)
    return ChildOutcome(child, ChildState.SEPARATE, changed, attic=attic)


def _of_unknown(child: Child, attic: str) -> ChildOutcome:
    return ChildOutcome(
        child,
        ChildState.SEPARATE,
        changed=True,
        problem="a program replaced the link that all workspaces follow, perhaps in another workspace;"
        " the attic has the content",
        hint=f"if it is this workspace's: home-persist attic restore --force {in_shell(child.entry.path)}",
        attic=attic,
    )


def _waits(child: Child, waiting: list[str], *, changed: bool) -> ChildOutcome:
    return ChildOutcome(
        child,
        ChildState.WAITS,
        changed,
        f"stays shared while {', '.join(waiting)} is running, which started before it was to be separate",
        "restart that workspace, then: home-persist resolve",
    )


def look_at_child(session: Session, child: Child) -> ChildOutcome:
    """The state of a child. Changes nothing.

    Raises:
        OSError: from the file systems.
    """
    if not _is_linked(session, child):
        problem = f"~/{child.parent.path}, which contains it, is not linked to the volume"
        return ChildOutcome(child, ChildState.NO_PARENT, problem=problem, hint="home-persist status")
    target = _target(session, child)
    if target == _detour(session, child):
        return ChildOutcome(child, ChildState.SEPARATE)
    if target is None or _is_copy(session, child, target):
        return ChildOutcome(child, ChildState.SHARED)
    if target.endswith(f"/{DETOURS}/{child.entry.path}"):
        problem = f"its link on the volume leads to {visible(target)}, which is not in this home"
        hint = "give the home the same path in all workspaces of an owner"
        return ChildOutcome(child, ChildState.OTHER_HOME, problem=problem, hint=hint)
    problem = f"something else is in its place: {visible(target) or 'a file'}"
    return ChildOutcome(child, ChildState.DIVERTED, problem=problem, hint="remove that to separate it")


def _is_linked(session: Session, child: Child) -> bool:
    with suppress(OSError), session.home.parent(child.parent.path) as (fd, name):
        return os.readlink(name, dir_fd=fd) == f"{session.volume.path}/{child.parent.on_volume}"
    return False


def _detour(session: Session, child: Child) -> str:
    return f"{session.home.path}/{child.detour.path}"


def _is_copy(session: Session, child: Child, target: str) -> bool:
    """Whether a link leads to a workspace's copy: the child was linked by itself before its parent was."""
    root = f"{session.volume.path}/.workspaces/"
    return target.startswith(root) and target.endswith(f"/{child.entry.path}")


def _target(session: Session, child: Child) -> str | None:
    """The text of the link on the volume; None if there is a directory or nothing, empty for all else."""
    try:
        with session.volume.anchor.parent(child.shared) as (fd, name):
            found = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                return os.readlink(name, dir_fd=fd)
            return None if stat.S_ISDIR(found.st_mode) else ""
    except BlockedPathError as error:
        raise RefusedError(
            str(error), code="child.blocked", place=f"~/{child.entry.path}", hint="remove what is in the way"
        ) from error
    except FileNotFoundError:
        return None


def _find_unprepared(session: Session, child: Child) -> list[str]:
    """The owner's other workspaces that are running, and for which the link would lead nowhere."""
    if child.parent.scope is Scope.WORKSPACE:
        return []
    known = noted(session)
    return [
        other
        for other in held_elsewhere(session.layout.volume, session.id)
        if child.entry.path not in known.get(other, ())
    ]


# Changes -------------------------------------------------------------------------------------------


def _prepare(session: Session, child: Child) -> bool:
    """Make the home's side, and record it; returns whether anything changed.

    Raises:
        UserError, OSError: it cannot be made.
    """
    if child.kept:
        if session.ledger.left(child.detour.path) == Fate.MOVED.value:
            from coder_ws_runtime.persist.child_content import follow_left  # noqa: PLC0415 - it is rare

            follow_left(session, child)
        outcome = settle(session, child.detour)
        if outcome.error:
            raise outcome.error
        changed = outcome.changed
    else:
        changed = _make_unkept(session, child)
    if child.parent.scope is Scope.OWNER:
        note_prepared(session, child)
    return changed


def _make_unkept(session: Session, child: Child) -> bool:
    """A directory in the home, which is lost with the container."""
    path = child.detour.path
    found = session.home.status(path)
    if found is not None and stat.S_ISLNK(found.st_mode):  # it was kept until now
        with session.home.parent(path) as (fd, name):
            os.unlink(name, dir_fd=fd)
        session.ledger.forget(path)
        found = None
    session.home.make_directories(path, owner=Owner.of(session.home.fd), durable=False)
    return found is None


def _link(session: Session, child: Child) -> bool:
    """Create the link on the volume; returns whether it is known whose the content in its place was."""
    from coder_ws_runtime.fs import kernel  # noqa: PLC0415 - loads ctypes, and most runs change nothing
    from coder_ws_runtime.persist import child_content  # noqa: PLC0415 - as above

    anchor, owner = session.volume.anchor, session.volume.owner
    anchor.make_directories(child.shared.rpartition("/")[0], owner=owner, like=session.home)
    with session.volume.lock(child.shared), anchor.parent(child.shared) as (fd, name):
        aside = aside_name(name)
        known = _clear_aside(session, child, fd, aside)
        target = _target(session, child)
        if target == _detour(session, child):
            return known
        renamed = child.kept and child_content.copy_to_renamed(session, child, fd, name)
        write_link(_detour(session, child), aside, fd)
        owner.chown(aside, fd)
        if _exists(fd, name):
            kernel.swap(fd, aside, fd, name)
        else:
            kernel.rename_new(fd, aside, fd, name)
        sync_directory(fd)
        return _clear_aside(session, child, fd, aside, renamed=renamed) and known


def _has_aside(session: Session, child: Child) -> bool:
    """Whether an interrupted run left something next to the link."""
    directory, _, name = child.shared.rpartition("/")
    return session.volume.anchor.status(f"{directory}/{aside_name(name)}") is not None


def _exists(fd: int, name: str) -> bool:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=fd, follow_symlinks=False)
        return True
    return False


def _clear_aside(session: Session, child: Child, fd: int, aside: str, *, renamed: bool = False) -> bool:
    """Move what was in the link's place to this workspace's copy, or to the attic; returns as `_link`."""
    from coder_ws_runtime.fs import kernel  # noqa: PLC0415 - as above
    from coder_ws_runtime.persist import child_content  # noqa: PLC0415 - as above

    if not _exists(fd, aside):
        return True
    if stat.S_ISLNK(os.stat(aside, dir_fd=fd, follow_symlinks=False).st_mode):
        os.unlink(aside, dir_fd=fd)
        return True
    with suppress(OSError):  # it is empty
        os.rmdir(aside, dir_fd=fd)
        return True
    again = child.entry.path in linked(session)
    own = child.kept and is_own(session, fd, aside)
    if child.kept and (own or not again) and child_content.drop_empty(session, child):
        with session.volume.anchor.parent(child.entry.on_volume) as (mine, last):
            kernel.rename_new(fd, aside, mine, last)
            sync_directory(mine)
    elif own:
        source = f"{child.shared.rpartition('/')[0]}/{aside}"
        child_content.merge(session, child, source, whole=renamed)
    else:
        child_content.put_away(session, child, fd, aside)
        return not (child.kept and again)
    sync_directory(fd)
    return True
