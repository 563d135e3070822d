"""The JSON documents of the commands: what programs may rely on.

Each document is an object that names itself (``document``) and its version. A change that a reader of the old
version would trip over raises the version, and is in the changelog. Words mean the same everywhere: `code` is
stable and for programs, `message` is for people and may change, `remedy` says how to fix it, `place` where
it is. Sizes are in bytes and end in ``_bytes``; times are seconds since the epoch.

Only ``schema`` commands and tests import this module: pydantic is slow to load.

Over 500 lines in one module, because it is one contract: the documents share models and are read together.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_Scope = Literal["owner", "workspace"]
_Kind = Literal["directory", "file"]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, populate_by_name=True)


class Error(_Model):
    """Why something was refused or failed."""

    code: str = Field(description="Stable, e.g. path.no-space.", pattern=r"^[a-z][a-z0-9.-]+$")
    message: str
    place: str | None = Field(description="A path, a file with a JSON path, or null.")
    remedy: str | None


class ErrorDocument(_Model):
    """What any command prints with --json when an error ends it."""

    document: Literal["error"]
    version: Literal[2]
    error: Error


class PathOutcome(_Model):
    """What `resolve` did with one path."""

    path: str = Field(description="Relative to the home.")
    kind: _Kind
    scope: _Scope
    source: str = Field(description="The manifest's source, template or user.")
    target: str = Field(description="Where it is, relative to the volume.")
    outcome: str = Field(description="The stable code of what was decided, or of the error.")
    changed: bool = Field(description="Whether anything was done; in a dry run: would be.")
    message: str | None = Field(description="What a person should know.")
    remedy: str | None
    attic: str | None = Field(description="The attic's batch with the replaced version.")
    error: Error | None


class _MigrationStep(_Model):
    id: str
    verb: Literal["remove", "rename", "rescope"]
    source: str = Field(alias="from", description="Relative to the volume.")
    target: str | None = Field(alias="to")
    workspace: str | None = Field(description="Of whose own copy; null: the owner's.")
    declared_in: str


class MigrationOutcome(_MigrationStep):
    """What became of one migration."""

    outcome: str
    changed: bool
    message: str | None
    attic: str | None
    error: Error | None


class MigrationRun(_Model):
    """When a migration was run."""

    time: float
    workspace: str
    outcome: str
    attic: str | None


class KnownMigration(_MigrationStep):
    """A migration that is declared, and whether it was run."""

    ran: MigrationRun | None
    error: Error | None


class ScopeChange(_Model):
    """A path whose scope changed without a migration, and whose content followed."""

    path: str
    outcome: str
    was: _Scope = Field(alias="from")
    to: _Scope
    attic: str | None = Field(description="The attic's batch with what lost in a merge.")
    error: Error | None


class Child(_Model):
    """A directory below a shared one that is each workspace's own, or not kept."""

    path: str
    source: str
    target: str | None = Field(description="Where this workspace's copy is; null: it is not kept.")
    outcome: str = Field(description="The stable code of how it is, or of the error.")
    changed: bool
    message: str | None
    remedy: str | None
    attic: str | None = Field(description="The attic's batch with what was at its place.")
    error: Error | None


class Resolve(_Model):
    """`home-persist resolve --json`."""

    document: Literal["home-persist resolve"]
    version: Literal[2]
    dry_run: bool
    changed: bool
    migrations: list[MigrationOutcome]
    paths: list[PathOutcome]
    scope_changes: list[ScopeChange]
    children: list[Child]
    refused: list[Error] = Field(description="Manifests and declarations that do not apply.")
    warnings: list[Error] = Field(description="What has no effect, e.g. keys of a newer version.")


class PathState(_Model):
    """One path of `status`."""

    path: str
    kind: _Kind
    source: str | None
    declared_in: str | None
    scope: _Scope
    why: str | None = Field(description="Why it is kept, as the manifest says it.")
    target: str
    state: str = Field(description="A stable code.")
    ok: bool = Field(description="Whether it is as declared.")
    message: str
    size_bytes: int | None
    size_complete: bool | None = Field(description="false: it is at least that much.")
    files: int | None
    error: Error | None


class VolumeState(_Model):
    """The volume."""

    free_bytes: int
    size_bytes: int
    error: Error | None


class Status(_Model):
    """`home-persist status --json`."""

    document: Literal["home-persist status"]
    version: Literal[2]
    paths: list[PathState]
    refused: list[Error]
    daemon_running: bool
    volume: VolumeState


class AddedPath(_Model):
    """One path of `add`."""

    path: str
    added: bool = Field(description="Whether this run declared it.")
    covered_by: str | None = Field(description="The declared path that keeps it: itself or one above it.")
    kind: _Kind | None
    scope: _Scope | None
    source: str | None
    declared_in: str | None
    outcome: str | None
    attic: str | None
    message: str | None
    contains: list[str] = Field(description="Paths in it that were declared by themselves before.")
    error: Error | None


class Add(_Model):
    """`home-persist add --json`."""

    document: Literal["home-persist add"]
    version: Literal[2]
    paths: list[AddedPath]
    refused: list[Error]


class RemovedPath(_Model):
    """One path of `remove`."""

    path: str
    removed: bool
    returned: bool = Field(description="Whether its content came back to the home.")
    attic: str | None
    other_workspaces: list[str] = Field(description="For which the volume's copy stays.")
    shared: bool
    contains: list[str] = Field(description="Paths in it that are still declared.")
    still_declared_in: str | None
    error: Error | None


class Remove(_Model):
    """`home-persist remove --json`."""

    document: Literal["home-persist remove"]
    version: Literal[2]
    paths: list[RemovedPath]
    refused: list[Error]


class OfferedPath(_Model):
    """One path of an optional manifest."""

    path: str
    scope: _Scope
    why: str | None


class OfferedManifest(_Model):
    """One optional manifest."""

    name: str
    description: str | None
    enabled: bool
    paths: list[OfferedPath]
    error: Error | None


class Available(_Model):
    """`home-persist available --json`, and `enable --json` without a name."""

    document: Literal["home-persist available"]
    version: Literal[2]
    manifests: list[OfferedManifest]


class SwitchedManifest(_Model):
    """One manifest of `enable` or `disable`."""

    name: str
    changed: bool
    paths: list[str]
    errors: list[Error]


class Enable(_Model):
    """`home-persist enable NAME --json`."""

    document: Literal["home-persist enable"]
    version: Literal[2]
    manifests: list[SwitchedManifest]


class Disable(_Model):
    """`home-persist disable --json`."""

    document: Literal["home-persist disable"]
    version: Literal[2]
    manifests: list[SwitchedManifest]


class Trap(_Model):
    """What works and has a better way."""

    code: str
    message: str
    place: str
    remedy: str


class Source(_Model):
    """One source of declarations."""

    place: str
    valid: bool
    paths: int
    errors: list[Error]
    warnings: list[Trap]


class Validate(_Model):
    """`home-persist validate --json`."""

    document: Literal["home-persist validate"]
    version: Literal[2]
    sources: list[Source]
    settings: list[Error]


class Migrate(_Model):
    """`home-persist migrate --json`."""

    document: Literal["home-persist migrate"]
    version: Literal[2]
    dry_run: bool
    migrations: list[MigrationOutcome]
    refused: list[Error]


class MigrateList(_Model):
    """`home-persist migrate --list --json`."""

    document: Literal["home-persist migrate --list"]
    version: Literal[2]
    migrations: list[KnownMigration]


class ReplacedBy(_Model):
    """The copy that an attic's item lost against."""

    side: str = Field(description="home or volume.")
    size_bytes: int | None
    modified: float | None


class AtticItem(_Model):
    """One version of a file in the attic."""

    batch: str
    time: float = Field(description="When it was put in.")
    path: str
    size_bytes: int
    scope: _Scope | None = Field(description="null: from a version that did not record it.")
    workspace: str | None = Field(description="The id of the workspace that put it in.")
    workspace_name: str
    reason: str = Field(description="Why it is here: a stable code.")
    replaced_by: ReplacedBy | None


class AtticList(_Model):
    """`home-persist attic list --json`."""

    document: Literal["home-persist attic list"]
    version: Literal[2]
    items: list[AtticItem]
    errors: list[Error]


class AtticRestore(_Model):
    """`home-persist attic restore --json`."""

    document: Literal["home-persist attic restore"]
    version: Literal[2]
    path: str
    batch: str
    declared: bool = Field(description="false: it is only in the home, and lasts as long as the container.")
    attic: str | None = Field(description="The batch with what was in its place.")


class ExpiredItem(AtticItem):
    """A version that is beyond the attic's bounds."""

    cause: str = Field(description="Which bound: age, versions, share or room.")


class AtticPrune(_Model):
    """`home-persist attic prune --json`."""

    document: Literal["home-persist attic prune"]
    version: Literal[2]
    done: bool
    items: list[ExpiredItem]
    errors: list[Error]


class EngineState(_Model):
    """What the Docker engine knows of workspaces."""

    answers: bool
    knows_all: bool = Field(description="Whether the settings say that it knows all of the owner's.")
    message: str | None


class WorkspaceCopies(_Model):
    """What the volume has of one workspace."""

    id: str
    name: str | None
    last_seen: float | None
    size_bytes: int
    files: int
    verdict: str = Field(description="A stable code.")
    removed: bool
    attic: str | None


class AtticExcess(_Model):
    """What is beyond the attic's bounds."""

    files: int
    size_bytes: int


class Gc(_Model):
    """`home-persist gc --json`."""

    document: Literal["home-persist gc"]
    version: Literal[2]
    done: bool
    engine: EngineState
    workspaces: list[WorkspaceCopies]
    staging_bytes: int
    attic: AtticExcess
    errors: list[Error]


class HookResult(_Model):
    """How a hook ended."""

    id: str
    ending: str = Field(description="A stable code: done, failed, timed out, not run.")
    status: int | None
    seconds: float
    message: str | None
    remedy: str | None
    log: str | None


class Hooks(_Model):
    """`ws-boot hooks --json` and `ws-boot hooks run --json`."""

    document: Literal["ws-boot hooks"]
    version: Literal[2]
    hooks: list[HookResult]


class Hook(_Model):
    """One hook of the image."""

    id: str
    path: str
    trouble: str | None
    last: HookResult | None


class HooksList(_Model):
    """`ws-boot hooks list --json`."""

    document: Literal["ws-boot hooks list"]
    version: Literal[2]
    hooks: list[Hook]


class Program(_Model):
    """A running program."""

    pid: int
    name: str


class DockerGroup(_Model):
    """`ws-boot docker-group --json`."""

    document: Literal["ws-boot docker-group"]
    version: Literal[2]
    case: str = Field(description="A stable code of how the socket can be opened.")
    message: str
    gid: int | None
    done: list[str]
    to_do: list[str]
    error: Error | None
    without_the_group: list[Program] = Field(description="Programs that need a new login.")


class Note(_Model):
    """What a person should know of a boot step."""

    code: str
    message: str
    remedy: str | None
    warning: bool


class JetBrains(_Model):
    """`ws-boot jetbrains --json`."""

    document: Literal["ws-boot jetbrains"]
    version: Literal[2]
    ides: list[str]
    planned: list[str]
    done: list[str]
    notes: list[Note]
    errors: list[Error]


class Backend(_Model):
    """One IDE backend on the volume."""

    path: str
    product: str
    name: str
    version: str
    build: list[int]
    used: bool
    size_bytes: int | None
    size_complete: bool | None


class JetBrainsList(_Model):
    """`ws-boot jetbrains list --json`."""

    document: Literal["ws-boot jetbrains list"]
    version: Literal[2]
    backends: list[Backend]


class PrunedBackend(_Model):
    """One IDE backend, and whether it is kept."""

    path: str
    product: str
    version: str
    keep: bool
    message: str


class JetBrainsPrune(_Model):
    """`ws-boot jetbrains prune --json`."""

    document: Literal["ws-boot jetbrains prune"]
    version: Literal[2]
    dry_run: bool
    freed_bytes: int
    backends: list[PrunedBackend]


DOCUMENTS: dict[str, type[BaseModel]] = {
    model.model_fields["document"].annotation.__args__[0]: model  # type: ignore[union-attr]
    for model in (
        ErrorDocument,
        Resolve,
        Status,
        Add,
        Remove,
        Available,
        Enable,
        Disable,
        Validate,
        Migrate,
        MigrateList,
        AtticList,
        AtticRestore,
        AtticPrune,
        Gc,
        Hooks,
        HooksList,
        DockerGroup,
        JetBrains,
        JetBrainsList,
        JetBrainsPrune,
    )
}
"""The model of each document, by the name that it has in itself."""


def schema(document: str) -> dict[str, Any]:
    """The JSON Schema of one document.

    Args:
        document: a key of DOCUMENTS.
    """
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {**dialect, **DOCUMENTS[document].model_json_schema(by_alias=True)}
