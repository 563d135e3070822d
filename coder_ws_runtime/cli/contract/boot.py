"""The documents of `ws-boot`."""

from typing import Literal

from pydantic import Field

from coder_ws_runtime.cli.contract.shared import Error, Model


class HookResult(Model):
    """How a hook ended."""

    id: str
    ending: str = Field(description="A stable code: done, failed, timed out, not run.")
    status: int | None
    seconds: float
    message: str | None
    remedy: str | None
    log: str | None


class Hooks(Model):
    """`ws-boot hooks --json` and `ws-boot hooks run --json`."""

    document: Literal["ws-boot hooks"]
    version: Literal[2]
    hooks: list[HookResult]


class Hook(Model):
    """One hook of the image."""

    id: str
    path: str
    trouble: str | None
    last: HookResult | None


class HooksList(Model):
    """`ws-boot hooks list --json`."""

    document: Literal["ws-boot hooks list"]
    version: Literal[2]
    hooks: list[Hook]


class Program(Model):
    """A running program."""

    pid: int
    name: str


class DockerGroup(Model):
    """`ws-boot docker-group --json`."""

    document: Literal["ws-boot docker-group"]
    version: Literal[2]
    case: str = Field(description="A stable code that says how the socket can be opened.")
    message: str
    gid: int | None
    done: list[str]
    to_do: list[str]
    error: Error | None
    without_the_group: list[Program] = Field(description="Programs that need a new login.")


class Note(Model):
    """What a user should know about a boot step."""

    code: str
    message: str
    remedy: str | None
    warning: bool


class JetBrains(Model):
    """`ws-boot jetbrains --json`."""

    document: Literal["ws-boot jetbrains"]
    version: Literal[2]
    ides: list[str]
    planned: list[str]
    done: list[str]
    notes: list[Note]
    errors: list[Error]


class Backend(Model):
    """One IDE backend on the volume."""

    path: str
    product: str
    name: str
    version: str
    build: list[int]
    used: bool
    size_bytes: int | None
    size_complete: bool | None


class JetBrainsList(Model):
    """`ws-boot jetbrains list --json`."""

    document: Literal["ws-boot jetbrains list"]
    version: Literal[2]
    backends: list[Backend]


class PrunedBackend(Model):
    """One IDE backend, and whether it is kept."""

    path: str
    product: str
    version: str
    keep: bool
    message: str


class JetBrainsPrune(Model):
    """`ws-boot jetbrains prune --json`."""

    document: Literal["ws-boot jetbrains prune"]
    version: Literal[2]
    dry_run: bool
    freed_bytes: int
    backends: list[PrunedBackend]
