"""Read declarations by programs tolerantly: the owner's manifests on the volume, the template's paths.

Another version of home-persist or of the template may have written them. An unknown key is a warning, an
invalid item is refused by itself, and everything else counts. Without pydantic: every first start reads them.
"""

from coder_ws_runtime.dataclass import dataclass, field
from coder_ws_runtime.documents.json_text import NotJson, parse
from coder_ws_runtime.documents.records import Faults, name_kind, read_record
from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.persist.manifest.entry import USER, Scope

AREA = "manifest"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"


@dataclass(frozen=True, slots=True)
class _PathObject:
    """Like :class:`coder_ws_runtime.persist.manifest.model.PathObject`."""

    path: str = ""
    mode: str = field(default="", metadata={"pattern": r"^0?[0-7]{3}$", "description": "for example '0700'"})
    scope: Scope = Scope.OWNER
    why: str = ""


@dataclass(frozen=True, slots=True)
class _Document:
    """Like :class:`coder_ws_runtime.persist.manifest.model.ManifestDocument`."""

    schema_: str = field(default="", metadata={"alias": "$schema"})
    source: str = field(default=USER, metadata={"pattern": _NAME})
    description: str = ""
    scope: Scope = Scope.OWNER
    paths: tuple[object, ...] = ()
    except_: tuple[object, ...] = field(default=(), metadata={"alias": "except"})
    enable: tuple[str, ...] = field(default=(), metadata={"pattern": _NAME})
    migrations: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Tolerated:
    """The content of a manifest, item by item, normalised like the strict model's."""

    source: str
    description: str
    paths: tuple[tuple[str, dict[str, object]], ...]
    """Each with its place: the file and the JSON path."""
    excepted: tuple[tuple[str, str], ...]
    enable: tuple[str, ...]
    migrations: tuple[tuple[str, dict[str, object]], ...]
    refused: tuple[UserError, ...]
    warnings: tuple[UserError, ...]


def parse_object(document: bytes, place: str) -> dict[str, object]:
    """The JSON object of a manifest.

    Raises:
        RefusedError: it is not JSON, or not an object.
    """
    try:
        value = parse(document)
    except NotJson as error:
        where = f"{place}:{error.line}" if error.line else place
        raise RefusedError(
            error.message, code=f"{AREA}.not-json", place=where, hint=error.hint or _HINT
        ) from error
    if not isinstance(value, dict):
        what = f"expected an object, found {name_kind(value)}"
        raise RefusedError(what, code=f"{AREA}.invalid", place=f"{place}:$", hint=_HINT)
    return value


_HINT = "correct it by hand, or move it away"


def read_tolerantly(document: bytes, place: str) -> Tolerated:
    """The content of a manifest that a program wrote.

    Args:
        document: the JSON text.
        place: its file, for messages.

    Raises:
        RefusedError: it is not a JSON object.
    """
    faults = Faults(place, AREA)
    found = read_record(_Document, parse_object(document, place), faults)
    paths: list[tuple[str, dict[str, object]]] = []
    for index, item in enumerate(found.paths):
        value = read_path(item, faults, f"$.paths[{index}]", found.scope.value)
        if value is not None:
            paths.append((f"{place}:$.paths[{index}]", value))
    excepted: list[tuple[str, str]] = []
    for index, item in enumerate(found.except_):
        if isinstance(item, str):
            excepted.append((f"{place}:$.except[{index}]", item))
        else:
            faults.refuse(f"$.except[{index}]", f"expected a string, found {name_kind(item)}")
    migrations = _read_migrations(found.migrations, place, faults)
    for fault in faults.refused:
        fault.hint = fault.hint or _HINT
    return Tolerated(
        found.source,
        found.description,
        tuple(paths),
        tuple(excepted),
        found.enable,
        tuple(migrations),
        tuple(faults.refused),
        tuple(faults.warnings),
    )


def read_path(item: object, faults: Faults, path: str, scope: str = "owner") -> dict[str, object] | None:
    """One declared path as an object; None if it is refused.

    Args:
        item: a string, or an object as in a manifest.
        faults: collects what is wrong.
        path: its JSON path.
        scope: its scope if it does not give another.
    """
    if isinstance(item, str):
        return {"path": item, "scope": scope, "mode": None, "why": ""}
    if not isinstance(item, dict):
        what = f"expected a path, found {name_kind(item)}"
        faults.refuse(path, what, "write a string, or an object with the key 'path'")
        return None
    before = len(faults.refused)
    found = read_record(_PathObject, {**item, "scope": item.get("scope") or scope}, faults, path)
    if len(faults.refused) == before and not found.path:
        faults.refuse(path, "the key 'path' is missing", 'for example {"path": ".config/gh/"}')
    if len(faults.refused) > before:  # do not guess an invalid mode or scope
        return None
    mode = int(found.mode, 8) if found.mode else None
    return {"path": found.path, "scope": found.scope.value, "mode": mode, "why": found.why}


def _read_migrations(
    items: tuple[object, ...], place: str, faults: Faults
) -> list[tuple[str, dict[str, object]]]:
    """Migrations are validated strictly: half of one must not run. Programs write none, so it is free."""
    found: list[tuple[str, dict[str, object]]] = []
    for index, item in enumerate(items):
        from coder_ws_runtime.persist.manifest import model as manifest_model  # noqa: PLC0415 - pydantic is slow to import

        where = f"{place}:$.migrations[{index}]"
        try:
            found.append((where, manifest_model.validate_migration(item, where)))
        except UserError as error:
            faults.refused.append(error)
    return found
