"""The model of a manifest; see :mod:`coder_ws_runtime.persist.manifest.load`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidationError, model_validator

from coder_ws_runtime.documents.explain import TAG, Fault, faults, first_fault
from coder_ws_runtime.errors import RefusedError

Path = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4095,
        description="Relative to the home. With a trailing '/' it is a directory, without one a file.",
        examples=[".config/gh/", ".claude.json", "~/.local/share/fish/"],
    ),
]
Scope = Annotated[
    Literal["owner", "workspace"],
    Field(description="'owner': one copy for all workspaces of the owner; 'workspace': one copy for each."),
]


Name = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="A tool's name; it appears in reports.",
        examples=["claude-code"],
    ),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PathObject(_Model):
    """A path, with its special properties."""

    path: Path
    mode: str | None = Field(
        default=None,
        pattern=r"^0?[0-7]{3}$",
        description="Its mode on the volume, in octal.",
        examples=["0700"],
    )
    scope: Scope | None = Field(default=None, description="Its scope, if it differs from the manifest's.")
    why: str = Field(default="", description="Why it is kept, and why with this scope.")


def _form(value: object) -> str:
    return _OBJECT if isinstance(value, dict | PathObject) else _TEXT


_TEXT, _OBJECT = f"{TAG}path)", f"{TAG}object)"
# A tag tells the forms apart, so that a fault is reported once and not for each form.
AnyPath = Annotated[Annotated[Path, Tag(_TEXT)] | Annotated[PathObject, Tag(_OBJECT)], Discriminator(_form)]


class Rescope(_Model):
    """A path whose scope changed."""

    path: Path
    to: Scope


class Migration(_Model):
    """A step that runs once per volume: exactly one of `remove`, `rename` and `rescope`."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [verb]} for verb in ("remove", "rename", "rescope")]}
    )

    id: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,63}$",
        description="Its record on the volume has this name.",
        examples=["move-cache-2026"],
    )
    remove: Path | None = Field(default=None, description="It goes to the attic.")
    rename: tuple[Path, Path] | None = Field(default=None, description="From, to.", strict=False)
    rescope: Rescope | None = None

    @model_validator(mode="after")
    def _one_step(self) -> "Migration":
        if sum(step is not None for step in (self.remove, self.rename, self.rescope)) != 1:
            raise ValueError("needs exactly one of 'remove', 'rename' and 'rescope'")
        return self


class ManifestDocument(_Model):
    """What one tool wants persisted."""

    schema_: str = Field(
        default="",
        alias="$schema",
        description="The location of this schema, for editors.",
        examples=["./schema.json"],
    )
    source: Name
    description: str = Field(default="", description="What the tool is and what is kept of it, in one line.")
    scope: Scope = "owner"
    paths: list[AnyPath] = Field(
        default_factory=list, max_length=100_000, description="What is kept on the volume."
    )
    except_: list[Path] = Field(
        default_factory=list,
        alias="except",
        max_length=100_000,
        description="Paths that earlier manifests declare, and that are not to be kept.",
    )
    enable: list[Name] = Field(
        default_factory=list,
        max_length=1000,
        description="Optional manifests of the image to apply too, by file name.",
        examples=[["docker"]],
    )
    migrations: list[Migration] = Field(
        default_factory=list, description="Steps that run once per volume, before paths are linked."
    )


def validate(document: bytes, *, place: str) -> dict[str, Any]:
    """A manifest as a JSON object in which every path is an object.

    Args:
        document: the JSON text.
        place: its file, for messages.

    Raises:
        RefusedError: it is not JSON, or not a manifest; the message names the first fault.
    """
    try:
        manifest = ManifestDocument.model_validate_json(document)
    except ValidationError as error:
        raise _refused(error, ManifestDocument, place) from error
    return {
        "source": manifest.source,
        "description": manifest.description,
        "paths": [_path(path, manifest.scope) for path in manifest.paths],
        "except": manifest.except_,
        "enable": manifest.enable,
        "migrations": [migration.model_dump(exclude_none=True) for migration in manifest.migrations],
    }


def validate_migration(value: object, place: str) -> dict[str, Any]:
    """One migration as an object without empty fields. Messages call it `place`.

    Raises:
        RefusedError: it is not a migration.
    """
    try:
        return Migration.model_validate(value).model_dump(exclude_none=True)
    except ValidationError as error:
        fault = first_fault(error, Migration)
        where = f"{place}{fault.place.removeprefix(':$')}"
        raise RefusedError(
            fault.message, code=f"manifest.{fault.code}", place=where, hint=fault.hint
        ) from error


def _path(path: str | PathObject, scope: str) -> dict[str, Any]:
    if isinstance(path, str):
        return {"path": path, "scope": scope, "mode": None, "why": ""}
    mode = None if path.mode is None else int(path.mode, 8)
    return {"path": path.path, "scope": path.scope or scope, "mode": mode, "why": path.why}


def all_faults(document: bytes, *, place: str) -> list[RefusedError]:
    """All faults of a manifest; the arguments are those of :func:`validate`, which stops at the first."""
    try:
        ManifestDocument.model_validate_json(document)
    except ValidationError as error:
        return [_as_error(fault, place) for fault in faults(error, ManifestDocument)]
    return []


def _refused(error: ValidationError, model: type[BaseModel], place: str) -> RefusedError:
    return _as_error(first_fault(error, model), place)


def _as_error(fault: Fault, place: str) -> RefusedError:
    return RefusedError(
        fault.message, code=f"manifest.{fault.code}", place=f"{place}{fault.place}", hint=fault.hint
    )


def schema() -> dict[str, Any]:
    """The JSON Schema of manifests, for editors and for programs that generate manifests."""
    made = ManifestDocument.model_json_schema(by_alias=True)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Manifest of home-persist"}
    return {**head, **{key: value for key, value in made.items() if key != "title"}}
