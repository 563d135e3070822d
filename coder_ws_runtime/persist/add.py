"""Declare paths of the user's choice, and link them at once."""

import os
from collections.abc import Iterable
from typing import Any

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.fs.errors import BlockedPathError
from coder_ws_runtime.persist.catch_up import catch_up
from coder_ws_runtime.persist.children import settle_child
from coder_ws_runtime.persist.manifest.entry import USER, Declarations, Entry, Kind, Scope
from coder_ws_runtime.persist.manifest.load import entry_of, load_declarations
from coder_ws_runtime.persist.manifest.paths import in_shell, is_below
from coder_ws_runtime.persist.manifest.user import UserFiles, editing
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.observation import kind_of
from coder_ws_runtime.persist.reconcile.plan import mounted, other_type, points_into
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.failures import AGAIN, failure_of
from coder_ws_runtime.persist.wish import Added, Wish


def add(session: Session, wishes: Iterable[Wish]) -> list[Added]:
    """Declare each path durably, unless it is already declared, and then link it if it is not linked.

    A request that is refused does not affect the others.

    Raises:
        RefusedError: the user's own manifests are not valid; nothing was done.
        OSError: they could not be written.
    """
    catch_up(session)
    with editing(session.layout, session.volume, session.id) as files:
        adding = _Adding(session, files)
        granted = [adding.try_to(wish) for wish in wishes]
    session.clear_left()  # not to be kept with a directory that has it
    now = load_declarations(session.layout, session.settings)
    return [_settled(session, one, now) for one in granted]


def _settled(session: Session, one: Added, now: Declarations) -> Added:
    """Link a new path, unless another one of the same run covers it, and a known one that lost its link."""
    if one.entry is None:
        return one
    if not one.new:
        outcome = settle(session, one.entry) if one.entry in now.entries else None
        return replace(one, outcome=outcome, error=outcome.error) if outcome and outcome.changed else one
    for entry in now.entries:
        if entry.path == one.entry.path:
            outcome = settle(session, entry)
            note = outcome.problem if outcome.decision is Decision.DIVERTED else one.note
            return replace(one, outcome=outcome, error=outcome.error, note=note)
    for child in now.children:
        if child.entry.path == one.entry.path:
            made = settle_child(session, child)
            return replace(one, note=made.problem, error=made.error)
    return one


class _Adding:
    """Requests are handled one after another, each on top of those before."""

    def __init__(self, session: Session, files: UserFiles) -> None:
        found = load_declarations(session.layout, session.settings)
        self.session = session
        self.files = files
        self.entries = list(found.entries)
        self.children = {child.entry.path: child.entry for child in found.children}
        self.off = {entry.path: entry for entry in found.excepted}

    def try_to(self, wish: Wish) -> Added:
        try:
            one = self.grant(wish)
        except UserError as error:
            return Added(wish, error=error)
        except OSError as error:
            return Added(wish, error=failure_of(f"~/{wish.path}", error, again=AGAIN))
        if not one.new or not one.entry:
            return one
        within = [other for other in self.entries if is_below(other.path, one.entry.path)]
        self.entries = [other for other in self.entries if other not in within]
        self.entries.append(one.entry)
        return replace(one, within=tuple(other.path for other in within))

    def grant(self, wish: Wish) -> Added:
        if wish.path in self.off and self.files.drop(wish.path, "except"):
            return Added(wish, _covering([self.off[wish.path]], wish), new=True)
        if wish.scope is not Scope.OWNER and wish.path in self.children:
            return Added(wish, self.children[wish.path])
        if wish.scope is Scope.WORKSPACE and _is_in_shared(self.entries, wish):
            return self._grant_child(wish)
        covering = _covering(self.entries, wish)
        if covering is not None:
            self._refuse_directory(wish, covering)
        if covering is not None and not _new_mode(wish, covering, self.files):
            return Added(wish, covering)
        kind = _kind(self.session, wish)
        scope = wish.scope or (covering.scope if covering else Scope.OWNER)
        document = self.files.document(scope)
        value = _value(wish, self._declared_kind(wish, kind), scope, document)
        entry = self._entry(value, wish, scope)
        self._refuse_split(entry)
        self._refuse_other_type(entry)
        if covering:
            self.files.drop(wish.path)
        document.setdefault("paths", []).append(value)
        return Added(wish, entry, new=True, note=_note(wish, kind))

    def _grant_child(self, wish: Wish) -> Added:
        """Declare a directory of this workspace's own below one that workspaces share."""
        place = self.session.home.path / wish.path
        if not (place.is_dir() or (wish.slash and not place.exists())):
            named = f"name the directory: home-persist add --scope workspace {in_shell(wish.path, '/')}"
            raise RefusedError(
                "is below a directory that workspaces share; there only a directory can be a workspace's own",
                code="path.conflict",
                place=f"~/{wish.path}",
                hint="leave it shared: it is a file" if place.exists() else named,
            )
        document = self.files.document(Scope.WORKSPACE)
        value = _value(wish, Kind.DIRECTORY, Scope.WORKSPACE, document)
        entry = self._entry(value, wish, Scope.WORKSPACE)
        self.files.drop(wish.path)
        document.setdefault("paths", []).append(value)
        return Added(wish, entry, new=True)

    def _declared_kind(self, wish: Wish, kind: Kind | None) -> Kind:
        if kind is not Kind.LINK:
            return kind or _unseen(wish)
        return Kind.DIRECTORY if (self.session.home.path / wish.path).is_dir() else Kind.FILE

    def _refuse_directory(self, wish: Wish, covering: Entry) -> None:
        """Refuse a directory if it is declared as a file that no program has written yet."""
        if not wish.slash or covering.path != wish.path or covering.kind is not Kind.FILE:
            return
        if _kind(self.session, wish) is None:
            raise RefusedError(
                f"is kept as a file, by {covering.source} ({covering.place}), and is not written yet",
                code="path.conflict",
                place=f"~/{wish.path}",
                hint=_anew(wish.path) if covering.source == USER else "declare it as a directory there",
            )

    def _refuse_other_type(self, entry: Entry) -> None:
        """Refuse a path that would conflict at once with something of another type on the volume."""
        found = self.session.volume.anchor.status(entry.on_volume)
        kind = kind_of(found.st_mode) if found else entry.kind
        if other_type(entry.kind, kind):
            raise RefusedError(
                f"it is a {entry.kind.value}, but the volume still has a {kind.value} with that name",
                code="path.conflict",
                place=f"~/{entry.path}",
                hint=f"home-persist remove {in_shell(entry.path)} puts that into the attic; {AGAIN}",
            )

    def _entry(self, value: str | dict[str, Any], wish: Wish, scope: Scope) -> Entry:
        path = value if isinstance(value, str) else value["path"]
        whole = {"path": path, "scope": scope.value, "mode": wish.mode, "why": ""}
        return entry_of(self.session.layout, whole, USER, str(self.files.files[scope]), self.session.id)

    def _refuse_split(self, entry: Entry) -> None:
        """Refuse a directory if something in it is declared with another scope."""
        for other in self.entries:
            if is_below(other.path, entry.path) and other.scope is not entry.scope:
                by = f"by {other.source} ({other.place})"
                raise RefusedError(
                    f"~/{other.path} in it has the scope '{other.scope.value}', {by}",
                    code="path.conflict",
                    place=f"~/{entry.path}",
                    hint=f"add it with --scope {other.scope.value}, or add its other contents one by one",
                )


def _is_in_shared(entries: list[Entry], wish: Wish) -> bool:
    """Whether a path is below a directory that the owner's workspaces share."""
    shared = (entry for entry in entries if entry.scope is Scope.OWNER and entry.kind is Kind.DIRECTORY)
    return any(is_below(wish.path, entry.path) for entry in shared)


def _covering(entries: list[Entry], wish: Wish) -> Entry | None:
    """The declaration that already keeps a path.

    Raises:
        RefusedError: its declaration conflicts with the request.
    """
    for entry in entries:
        if wish.path != entry.path and not is_below(wish.path, entry.path):
            continue
        by = f"by {entry.source} ({entry.place})"
        what = "it" if wish.path == entry.path else f"~/{entry.path}/, which contains it,"
        if wish.path != entry.path and entry.kind is Kind.FILE:
            raise RefusedError(
                f"~/{entry.path} is declared as a file, {by}",
                code="path.conflict",
                place=f"~/{wish.path}",
                hint="declare the directory in its place",
            )
        if wish.scope and wish.scope is not entry.scope:
            raise RefusedError(
                f"{what} already has the scope '{entry.scope.value}', {by}",
                code="path.other-scope",
                place=f"~/{wish.path}",
                hint=f"to change that: home-persist remove {in_shell(entry.path)}"
                f" && home-persist add --scope {wish.scope.value} {in_shell(entry.path, entry.slash)}"
                if entry.source == USER
                else "add it without --scope, or leave it as it is",
            )
        return entry
    return None


def _new_mode(wish: Wish, covering: Entry, files: UserFiles) -> bool:
    """Whether a path that is already kept is to get another mode.

    Raises:
        RefusedError: the user may not change its mode.
    """
    if wish.mode in (None, covering.mode):
        return False
    if covering.path == wish.path and files.has(wish.path):
        return True
    raise RefusedError(
        f"its mode is declared by {covering.source} ({covering.place})",
        code="path.conflict",
        place=f"~/{wish.path}",
        hint="leave out --mode",
    )


def _value(wish: Wish, kind: Kind, scope: Scope, document: dict[str, Any]) -> str | dict[str, Any]:
    """The path's form in a manifest: a string unless more has to be said."""
    path = f"{wish.path}/" if kind is Kind.DIRECTORY else wish.path
    more: dict[str, Any] = {}
    if wish.mode is not None:
        more["mode"] = f"{wish.mode:04o}"
    if document.get("scope", Scope.OWNER.value) != scope.value:
        more["scope"] = scope.value
    return {"path": path, **more} if more else path


def _unseen(wish: Wish) -> Kind:
    return Kind.DIRECTORY if wish.slash else Kind.FILE


def _anew(path: str) -> str:
    """How to keep as a directory what is kept as a file."""
    return f"home-persist remove {in_shell(path)} && home-persist add {in_shell(path, '/')}"


def _note(wish: Wish, kind: Kind | None) -> str:
    if kind is Kind.FILE and wish.slash:
        return "it is a file, and is kept as a file"
    if kind is None and not wish.slash:
        return f"it does not exist yet, and is kept as a file; for a directory: {_anew(wish.path)}"
    return ""


def _kind(session: Session, wish: Wish) -> Kind | None:
    """The kind of what the path has, in the home or else on the volume; None if it does not exist.

    LINK: it is the user's own link, or behind one.
    """
    try:
        found = session.home.status(wish.path)
    except BlockedPathError as error:
        if error.is_link:
            return Kind.LINK
        raise
    if found is not None:
        kind = kind_of(found.st_mode)
        if kind is Kind.SPECIAL:
            raise RefusedError(
                "is a socket, FIFO or device, which is not kept",
                code="path.special",
                place=f"~/{wish.path}",
                hint="its program creates it again; add what is next to it one by one",
            )
        mount = session.mounted_in(wish.path)
        if mount is not None:
            what, hint = mounted(mount)
            raise RefusedError(what, code="path.mounted", place=f"~/{wish.path}", hint=hint)
        target = _link(session.home, wish.path) if kind is Kind.LINK else ""
        if not points_into(target, str(session.volume.path)):
            return kind
    places = [wish.path] if wish.scope is not Scope.WORKSPACE else []
    if session.id and wish.scope is not Scope.OWNER:
        places.append(f".workspaces/{session.id}/{wish.path}")
    for place in places:
        found = session.volume.anchor.status(place)
        if found is not None:
            return kind_of(found.st_mode)
    return None


def _link(home: Anchor, path: str) -> str:
    with home.parent(path) as (fd, name):
        return os.readlink(name, dir_fd=fd)
