"""The documents of `home-persist attic` and `gc`: what else is on the volume."""

from typing import Literal

from pydantic import Field

from coder_ws_runtime.cli.contract.shared import Error, Model, Scope


class ReplacedBy(Model):
    """The copy that replaced an item in the attic."""

    side: str = Field(description="home or volume.")
    size_bytes: int | None
    modified: float | None


class AtticItem(Model):
    """One version of a file in the attic."""

    batch: str
    time: float = Field(description="When it was added.")
    path: str
    size_bytes: int
    scope: Scope | None = Field(description="null: from a version that did not record it.")
    workspace: str | None = Field(description="The ID of the workspace that added it.")
    workspace_name: str
    reason: str = Field(description="Why it is here: a stable code.")
    replaced_by: ReplacedBy | None


class AtticList(Model):
    """`home-persist attic list --json`."""

    document: Literal["home-persist attic list"]
    version: Literal[2]
    items: list[AtticItem]
    errors: list[Error]


class AtticRestore(Model):
    """`home-persist attic restore --json`."""

    document: Literal["home-persist attic restore"]
    version: Literal[2]
    path: str
    batch: str
    declared: bool = Field(description="false: it is only in the home, and is lost with the container.")
    attic: str | None = Field(description="The batch with what was there before.")
    outcome: str | None = Field(description="What was done in the home, a stable code; null: not declared.")
    error: Error | None = Field(description="Why the home does not show it.")


class ExpiredItem(AtticItem):
    """A version that is beyond the attic's limits."""

    cause: str = Field(description="Which limit: age, versions, share or room.")


class AtticPrune(Model):
    """`home-persist attic prune --json`."""

    document: Literal["home-persist attic prune"]
    version: Literal[2]
    done: bool
    items: list[ExpiredItem]
    errors: list[Error]


class EngineState(Model):
    """What the Docker engine knows about workspaces."""

    answers: bool
    knows_all: bool = Field(description="Whether the settings say that it knows all of the owner's.")
    message: str | None


class WorkspaceCopies(Model):
    """The copies that the volume has of one workspace."""

    id: str
    name: str | None
    last_seen: float | None
    size_bytes: int
    files: int
    verdict: str = Field(description="A stable code.")
    removed: bool
    attic: str | None


class AtticExcess(Model):
    """What is beyond the attic's limits."""

    files: int
    size_bytes: int


class Gc(Model):
    """`home-persist gc --json`."""

    document: Literal["home-persist gc"]
    version: Literal[2]
    done: bool
    engine: EngineState
    workspaces: list[WorkspaceCopies]
    staging_bytes: int
    attic: AtticExcess
    errors: list[Error]
