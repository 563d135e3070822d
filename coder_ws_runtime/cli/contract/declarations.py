"""The documents of the commands that declare paths, or check what is declared."""

from typing import Literal

from pydantic import Field

from coder_ws_runtime.cli.contract.shared import Error, Kind, Model, Scope


class AddedPath(Model):
    """One path of `add`."""

    path: str
    added: bool = Field(description="Whether this run declared it.")
    covered_by: str | None = Field(description="The declared path that keeps it: itself or one above it.")
    kind: Kind | None
    scope: Scope | None
    source: str | None
    declared_in: str | None
    outcome: str | None
    attic: str | None
    message: str | None
    contains: list[str] = Field(description="Paths in it that were declared by themselves before.")
    error: Error | None


class Add(Model):
    """`home-persist add --json`."""

    document: Literal["home-persist add"]
    version: Literal[2]
    paths: list[AddedPath]
    refused: list[Error]


class RemovedPath(Model):
    """One path of `remove`."""

    path: str
    removed: bool
    returned: bool = Field(description="Whether its content came back to the home.")
    attic: str | None
    other_workspaces: list[str] = Field(description="The workspaces for which the volume's copy stays.")
    shared: bool
    contains: list[str] = Field(description="Paths in it that are still declared.")
    still_declared_in: str | None
    error: Error | None


class Remove(Model):
    """`home-persist remove --json`."""

    document: Literal["home-persist remove"]
    version: Literal[2]
    paths: list[RemovedPath]
    refused: list[Error]


class OfferedPath(Model):
    """One path of an optional manifest."""

    path: str
    scope: Scope
    why: str | None


class OfferedManifest(Model):
    """One optional manifest."""

    name: str
    description: str | None
    enabled: bool
    paths: list[OfferedPath]
    error: Error | None


class Available(Model):
    """`home-persist available --json`, and `enable --json` without a name."""

    document: Literal["home-persist available"]
    version: Literal[2]
    manifests: list[OfferedManifest]


class SwitchedManifest(Model):
    """One manifest of `enable` or `disable`."""

    name: str
    changed: bool
    paths: list[str]
    errors: list[Error]


class Enable(Model):
    """`home-persist enable NAME --json`."""

    document: Literal["home-persist enable"]
    version: Literal[2]
    manifests: list[SwitchedManifest]


class Disable(Model):
    """`home-persist disable --json`."""

    document: Literal["home-persist disable"]
    version: Literal[2]
    manifests: list[SwitchedManifest]


class Trap(Model):
    """Something that works, but for which there is a better way."""

    code: str
    message: str
    place: str
    remedy: str


class Source(Model):
    """One source of declarations."""

    place: str
    valid: bool
    paths: int
    errors: list[Error]
    warnings: list[Trap]


class Validate(Model):
    """`home-persist validate --json`."""

    document: Literal["home-persist validate"]
    version: Literal[2]
    sources: list[Source]
    settings: list[Error]
