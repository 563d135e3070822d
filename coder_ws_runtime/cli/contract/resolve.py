"""The documents of `home-persist resolve`, `status` and `migrate`: results for declared paths."""

from typing import Literal

from pydantic import Field

from coder_ws_runtime.cli.contract.shared import Error, Kind, Model, Scope


class PathOutcome(Model):
    """What `resolve` did with one path."""

    path: str = Field(description="Relative to the home.")
    kind: Kind
    scope: Scope
    source: str = Field(description="The manifest's source, template or user.")
    target: str = Field(description="Where it is, relative to the volume.")
    outcome: str = Field(description="The stable code of what was decided, or of the error.")
    changed: bool = Field(description="Whether anything was done; in a dry run: would be.")
    message: str | None = Field(description="What a user should know.")
    remedy: str | None
    attic: str | None = Field(description="The attic's batch with the replaced version.")
    error: Error | None


class _MigrationStep(Model):
    id: str
    verb: Literal["remove", "rename", "rescope"]
    source: str = Field(alias="from", description="Relative to the volume.")
    target: str | None = Field(alias="to")
    workspace: str | None = Field(description="The workspace whose own copy it is about; null: the owner's.")
    declared_in: str


class MigrationOutcome(_MigrationStep):
    """The result of one migration."""

    outcome: str
    changed: bool
    message: str | None
    attic: str | None
    error: Error | None


class MigrationRun(Model):
    """When a migration ran."""

    time: float
    workspace: str
    outcome: str
    attic: str | None


class KnownMigration(_MigrationStep):
    """A migration that is declared, and whether it has run."""

    ran: MigrationRun | None
    error: Error | None


class ScopeChange(Model):
    """A path whose scope changed without a migration, and whose content followed."""

    path: str
    outcome: str
    was: Scope = Field(alias="from")
    to: Scope
    attic: str | None = Field(description="The attic's batch with what a merge replaced.")
    error: Error | None


class Child(Model):
    """A directory inside a shared one that is each workspace's own, or not kept."""

    path: str
    source: str
    target: str | None = Field(description="Where this workspace's copy is; null: it is not kept.")
    outcome: str = Field(description="The stable code of its state, or of the error.")
    changed: bool
    message: str | None
    remedy: str | None
    attic: str | None = Field(description="The attic's batch with its former content.")
    error: Error | None


class Resolve(Model):
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


class PathState(Model):
    """One path of `status`."""

    path: str
    kind: Kind
    source: str | None
    declared_in: str | None
    scope: Scope
    why: str | None = Field(description="Why it is kept, from the manifest.")
    target: str
    state: str = Field(description="A stable code.")
    ok: bool = Field(description="Whether it is as declared.")
    message: str
    size_bytes: int | None
    size_complete: bool | None = Field(description="false: it is at least that much.")
    files: int | None
    error: Error | None


class VolumeState(Model):
    """The volume."""

    free_bytes: int
    size_bytes: int
    error: Error | None


class Status(Model):
    """`home-persist status --json`."""

    document: Literal["home-persist status"]
    version: Literal[2]
    paths: list[PathState]
    refused: list[Error]
    daemon_running: bool
    volume: VolumeState


class Migrate(Model):
    """`home-persist migrate --json`."""

    document: Literal["home-persist migrate"]
    version: Literal[2]
    dry_run: bool
    migrations: list[MigrationOutcome]
    refused: list[Error]


class MigrateList(Model):
    """`home-persist migrate --list --json`."""

    document: Literal["home-persist migrate --list"]
    version: Literal[2]
    migrations: list[KnownMigration]
