"""Declarations as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from coder_ws_runtime.dataclass import dataclass, field, replace
from coder_ws_runtime.errors import RefusedError, UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

NO_WORKSPACE_ID = "manifest.no-workspace-id"
WORKSPACE_ID_HINT = "set CODER_WORKSPACE_ID, or workspace.id in the settings document"
USER = "user"
"""The source of what the user has added."""


class Kind(Enum):
    """The declared or actual kind of a path."""

    DIRECTORY = "directory"
    FILE = "file"
    LINK = "link"
    SPECIAL = "special"
    """A socket, a FIFO or a device."""


class Scope(Enum):
    """Who shares a copy."""

    OWNER = "owner"
    WORKSPACE = "workspace"


@dataclass(frozen=True, slots=True)
class Entry:
    """A declared path."""

    path: str
    """Relative to the home, normalised."""
    kind: Kind
    scope: Scope
    source: str
    """The manifest's `source`, ``template`` or ``user``."""
    place: str
    """Where it is declared: a file and a JSON path."""
    on_volume: str
    """Relative to the volume."""
    mode: int | None = None
    """The mode to give the target; None: leave it as it is."""
    why: str = ""
    """Why it is kept and with which scope, from the manifest."""

    @property
    def slash(self) -> str:
        """The end of the path in writing: ``/`` for a directory."""
        return "/" if self.kind is Kind.DIRECTORY else ""


DETOURS = ".home-persist/detours"
"""The targets of links on the volume behind which each workspace has its own content; relative to the home.
No declared path may begin like this."""


@dataclass(frozen=True, slots=True)
class Child:
    """A directory inside a shared one, of which each workspace has its own.

    On the volume it is a link, the same for all workspaces, to a place in the home (`detour`). There, each
    workspace has a link to its own copy, or a directory that is not kept.
    """

    entry: Entry
    """The declaration, with the workspace's own copy as `on_volume`; empty if it is not kept."""
    parent: Entry
    """The directory that contains it, which is linked as a whole."""

    @property
    def kept(self) -> bool:
        """Whether the volume has this workspace's own copy."""
        return bool(self.entry.on_volume)

    @property
    def detour(self) -> Entry:
        """The link in the home to this workspace's own copy, as an ordinary entry."""
        return replace(self.entry, path=f"{DETOURS}/{self.entry.path}")

    @property
    def shared(self) -> str:
        """The path of the link that all workspaces see, relative to the volume."""
        below = self.entry.path[len(self.parent.path) :]
        return f"{self.parent.on_volume}{below}"


def on_volume(path: str, scope: Scope, workspace_id: str) -> str:
    """The path on the volume, relative to it.

    Raises:
        RefusedError: the scope is ``workspace``, but the ID is not known.
    """
    if scope is Scope.OWNER:
        return path
    if not workspace_id:
        raise RefusedError(
            f"path {path!r} has the scope 'workspace', but the workspace's ID is not known",
            code=NO_WORKSPACE_ID,
            hint=WORKSPACE_ID_HINT,
        )
    return f".workspaces/{workspace_id}/{path}"


@dataclass(frozen=True, slots=True)
class Step:
    """A migration: `remove`, `rename` or `rescope`, as in the model of a manifest."""

    id: str
    verb: str
    source: str
    """A path relative to the volume."""
    target: str
    """Likewise; empty for ``remove``."""
    place: str
    workspace: str = ""
    """The ID of the workspace whose own copy it moves; empty if it moves the owner's."""

    @property
    def path(self) -> str:
        """The path that it is about, relative to the home."""
        return self.in_home(self.source)

    def in_home(self, on_volume: str) -> str:
        """A path of the volume, relative to the home."""
        parts = on_volume.split("/")
        return "/".join(parts[2:]) if parts[0] == ".workspaces" else on_volume

    @property
    def record(self) -> str:
        """Where its record is, relative to the state directory on the volume."""
        directory = f"migrations/{self.workspace}" if self.workspace else "migrations"
        return f"{directory}/{self.id}.json"


@dataclass(frozen=True, slots=True)
class Declarations:
    """Everything that is declared for this workspace."""

    entries: tuple[Entry, ...]
    migrations: tuple[Step, ...]
    refused: tuple[UserError, ...]
    excepted: tuple[Entry, ...] = ()
    """Paths that a later manifest excludes."""
    enabled: Mapping[str, Path] = field(default_factory=dict)
    """The optional manifests that are enabled, by name."""
    children: tuple[Child, ...] = ()
    """Directories inside shared ones that are each workspace's own, or not kept."""
    warnings: tuple[UserError, ...] = ()
    """What has no effect here, e.g. keys that this version does not know."""
