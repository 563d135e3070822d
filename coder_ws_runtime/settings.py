"""The settings of a workspace: one JSON document that the template uploads.

An example::

  {
    "version": 1,
    "workspace": {"id": "0b7c…", "name": "dev", "owner": "ada", "access_url": "https://coder.example"},
    "engine": "own",
    "docker": {"mtu": 1400, "address_pools": ["192.168.128.0/17"]},
    "home_persist_paths": ["~/.config/foo/", {"path": ".bar/", "scope": "workspace"}],
    "engine_knows_all_workspaces": true,
    "projects": "/home/coder/projects",
    "jetbrains": {"allow_updates": false},
    "hooks": {"time_limit": 120},
    "web_shell": {"directory": "/home/coder/projects", "title": "dev"}
  }

The dataclasses are the model: :mod:`coder_ws_runtime.documents.records` reads them at run time, tolerantly,
because the template may be newer or older than the image; :func:`schema` is their JSON Schema, for authors of
templates.
"""

import re
from collections.abc import Mapping
from enum import Enum

from coder_ws_runtime.dataclass import dataclass, field, fields, replace
from coder_ws_runtime.documents.json_text import NotJson, parse
from coder_ws_runtime.documents.records import Faults, name_kind, read_record
from coder_ws_runtime.errors import UsageError, UserError
from coder_ws_runtime.layout import WORKSPACE_ID, Layout

VERSION = 1

_LINE = {"pattern": r"^[^\x00-\x1f\x7f]*$", "description": "one line of text"}
_DIRECTORY = {"pattern": r"^(?:/[^\x00-\x1f\x7f]*)?$", "description": "an absolute path, or empty"}


@dataclass(frozen=True, slots=True)
class Workspace:
    """The workspace, as Coder knows it. Empty strings: unknown."""

    id: str = field(
        default="",
        metadata={
            "pattern": rf"(?:{WORKSPACE_ID}|^$)",
            "description": "the ID that Coder gave the workspace: letters, digits, '.', '_', '-'",
        },
    )
    name: str = field(default="", metadata=_LINE)
    owner: str = field(default="", metadata=_LINE)
    access_url: str = field(default="", metadata=_LINE)
    """Coder's URL, as reachable from the container."""


class Engine(Enum):
    """The workspace's Docker engine."""

    HOST_SOCKET = "host-socket"
    """The host's, through its mounted socket."""
    OWN = "own"
    """The workspace's own, which the unit ws-docker-engine starts."""
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Docker:
    """Options of the workspace's own Docker engine."""

    mtu: int = field(default=0, metadata={"ge": 0, "le": 65535, "description": "bytes; 0: the network's"})
    """The MTU of its networks, in bytes; 0: that of the workspace's own network."""
    address_pools: tuple[str, ...] = field(
        default=(), metadata={"description": "networks, e.g. 192.168.128.0/17"}
    )
    """The address ranges for its networks; empty: its defaults. dockerd checks them."""


@dataclass(frozen=True, slots=True)
class JetBrains:
    """Options of the JetBrains boot step."""

    allow_updates: bool = False


@dataclass(frozen=True, slots=True)
class Hooks:
    """Options of the post-create hooks."""

    time_limit: float = field(
        default=120.0, metadata={"gt": 0, "le": 86400, "description": "seconds, at most a day"}
    )
    """The time limit of each hook, in seconds."""


@dataclass(frozen=True, slots=True)
class WebShell:
    """Options of the web-shell unit."""

    directory: str = field(default="", metadata=_DIRECTORY)
    title: str = field(default="", metadata=_LINE)


@dataclass(frozen=True, slots=True)
class SettingsDocument:
    """The settings of one workspace."""

    version: int = field(default=VERSION, metadata={"ge": VERSION, "le": VERSION})
    workspace: Workspace = field(default_factory=Workspace)
    engine: Engine = Engine.HOST_SOCKET
    docker: Docker = field(default_factory=Docker)
    home_persist_paths: tuple[object, ...] = field(
        default=(),
        metadata={"description": "further paths to persist: strings or objects, as in a manifest's `paths`"},
    )
    """Not checked yet: each item is refused by itself when declarations are loaded."""
    engine_knows_all_workspaces: bool = field(
        default=False,
        metadata={
            "description": "whether every workspace that may use the home volume runs on the Docker engine"
            " whose socket is mounted; only then does 'home-persist gc' take its word"
        },
    )
    """Whether a workspace that the mounted Docker engine does not know does not exist."""
    projects: str = field(default="", metadata=_DIRECTORY)
    """Absolute path of the projects directory; empty: unknown."""
    jetbrains: JetBrains = field(default_factory=JetBrains)
    hooks: Hooks = field(default_factory=Hooks)
    web_shell: WebShell = field(default_factory=WebShell)


@dataclass(frozen=True, slots=True)
class Settings(SettingsDocument):
    """The settings that apply, and those that do not."""

    refused: tuple[UserError, ...] = ()
    """Values that are not valid; their defaults apply."""
    warnings: tuple[UserError, ...] = ()
    """Keys that this version does not know."""


def load(layout: Layout, env: Mapping[str, str] | None = None) -> Settings:
    """The settings of this workspace.

    Args:
        layout: says where the document is. Without a document, every setting has its default.
        env: ``CODER_WORKSPACE_ID`` overrides the workspace's ID.

    Raises:
        UsageError: the document cannot be read or is not JSON, its version is unknown, or that ID is not
            valid. A single invalid value is in `refused`, and the others apply.
    """
    file = layout.settings_file
    try:
        settings = read(file.read_bytes(), str(file))
    except FileNotFoundError:
        settings = Settings()
    except OSError as error:
        raise UsageError(
            f"the settings cannot be read: {error.strerror}", code="settings.unreadable", place=str(file)
        ) from error
    return _with_environment(settings, env or {})


_UPLOADED = "the template writes this file: correct it there, then restart the workspace"


def read(document: bytes, place: str) -> Settings:
    """The settings of a document.

    Args:
        document: the JSON text.
        place: its file, for messages.

    Raises:
        UsageError: it is not a JSON object, or its version is unknown.
    """
    try:
        value = parse(document)
    except NotJson as error:
        where = f"{place}:{error.line}" if error.line else place
        hint = error.hint or _UPLOADED
        raise UsageError(error.message, code="settings.not-json", place=where, hint=hint) from error
    if not isinstance(value, dict):
        what = f"expected an object, found {name_kind(value)}"
        raise UsageError(what, code="settings.invalid", place=f"{place}:$", hint=_UPLOADED)
    if value.get("version", VERSION) not in (VERSION, None) or isinstance(value.get("version"), bool):
        raise UsageError(
            f"it has version {value['version']!r}, but this image reads version {VERSION}",
            code="settings.version",
            place=f"{place}:$.version",
            hint="use an image and a template of the same release",
        )
    faults = Faults(place, "settings")
    found = read_record(SettingsDocument, value, faults)
    for fault in faults.refused:
        fault.hint = f"{fault.hint}; {_UPLOADED}" if fault.hint else _UPLOADED
    return Settings(
        **{one.name: getattr(found, one.name) for one in fields(found)},
        refused=tuple(faults.refused),
        warnings=tuple(faults.warnings),
    )


def schema() -> dict[str, object]:
    """The JSON Schema of the settings document, for authors of templates."""
    from coder_ws_runtime.documents.record_schema import schema_of  # noqa: PLC0415 - only this needs pydantic

    made = schema_of(SettingsDocument)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Settings of a workspace"}
    return {**head, **{key: value for key, value in made.items() if key != "title"}}


def identifier(env: Mapping[str, str]) -> str:
    """The workspace's ID from the environment; empty if it is not set.

    Raises:
        UsageError: it is not a valid ID.
    """
    named = env.get("CODER_WORKSPACE_ID", "")
    if named and not re.fullmatch(WORKSPACE_ID, named):
        raise UsageError(
            f"CODER_WORKSPACE_ID is {named!r}, which is not a valid workspace ID",
            code="settings.invalid",
            hint="unset it, and the ID in the settings document applies",
        )
    return named


def _with_environment(settings: Settings, env: Mapping[str, str]) -> Settings:
    named = identifier(env)
    if not named:
        return settings
    return replace(settings, workspace=replace(settings.workspace, id=named))
