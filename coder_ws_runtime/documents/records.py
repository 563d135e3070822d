"""Read documents written by machines into dataclasses, tolerantly.

The settings document and the owner's manifests may be written by another version than the one that reads
them. So each key is judged by itself: an unknown key is a warning; an invalid value is refused, and its
default is used; everything else counts. pydantic validates strictly what people write.

A field's metadata has its rules, under the names that pydantic's `Field` uses (`pattern`, `gt`, `ge`, `le`,
`description`), so the JSON Schema is generated from the same dataclasses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum

from coder_ws_runtime.dataclass import MISSING, Field, dataclass, field, fields, is_dataclass
from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.text import find_nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    from _typeshed import DataclassInstance

    T = TypeVar("T", bound=DataclassInstance)


@dataclass(slots=True)
class Faults:
    """Collects what is wrong with a document.

    Args:
        place: its file.
        area: the prefix of the codes, e.g. ``settings``: ``settings.invalid``, ``settings.unknown-key``.
    """

    place: str
    area: str
    refused: list[UserError] = field(default_factory=list)
    """Values that were refused."""
    warnings: list[UserError] = field(default_factory=list)
    """Keys that this version does not know."""

    def refuse(self, path: str, message: str, hint: str = "") -> None:
        """Record an invalid value. `path` is a JSON path, e.g. ``$.hooks.time_limit``."""
        where = f"{self.place}:{path}"
        self.refused.append(RefusedError(message, code=f"{self.area}.invalid", place=where, hint=hint))

    def warn(self, path: str, key: str, known: Iterable[str]) -> None:
        """Record an unknown key."""
        near = find_nearest(key, list(known))
        hint = f"did you mean {near!r}?" if near else "a newer version may know it; here it has no effect"
        code = f"{self.area}.unknown-key"
        where = f"{self.place}:{path}.{key}"
        self.warnings.append(RefusedError(f"unknown key {key!r}", code=code, place=where, hint=hint))


def read_record(kind: type[T], value: object, faults: Faults, path: str = "$") -> T:
    """Make a dataclass from a JSON object.

    Args:
        kind: the dataclass; every field has a default. Its fields are strings, numbers, booleans, enums,
            tuples of these, or other such dataclasses.
        value: the JSON value. null, here and in each field, means the default.
        faults: collects what is wrong.
        path: the JSON path of the value.
    """
    if value is None:
        return kind()
    if not isinstance(value, dict):
        faults.refuse(path, f"expected an object, found {name_kind(value)}")
        return kind()
    known = {_key(one): one for one in fields(kind)}
    read: dict[str, Any] = {}
    for key, inner in value.items():
        one = known.get(key)
        if one is None:
            faults.warn(path, key, known)
        elif inner is not None:
            read[one.name] = _read_field(one, inner, faults, f"{path}.{key}")
    return kind(**{key: inner for key, inner in read.items() if inner is not MISSING})


def _key(one: Field[Any]) -> str:
    alias: str = one.metadata.get("alias", one.name)
    return alias


def _read_field(one: Field[Any], value: object, faults: Faults, path: str) -> Any:  # noqa: ANN401 - of any field
    """The value of a field; MISSING if it is refused."""
    kind = one.type
    if is_dataclass(kind) and isinstance(kind, type):
        return read_record(kind, value, faults, path)
    if getattr(kind, "__origin__", None) is tuple:
        return _read_list(one, value, faults, path)
    return _read_scalar(kind, one, value, faults, path)


def _read_list(one: Field[Any], value: object, faults: Faults, path: str) -> Any:  # noqa: ANN401 - as above
    """A list without its refused items."""
    if not isinstance(value, list):
        faults.refuse(path, f"expected a list, found {name_kind(value)}")
        return MISSING
    listed: Any = one.type  # tuple[…, ...]
    kind = listed.__args__[0]
    if kind is object:
        return tuple(value)
    items = [_read_scalar(kind, one, item, faults, f"{path}[{index}]") for index, item in enumerate(value)]
    return tuple(item for item in items if item is not MISSING)


def _read_scalar(kind: Any, one: Field[Any], value: object, faults: Faults, path: str) -> Any:  # noqa: ANN401 - as above
    fault = _fault(kind, one.metadata, value)
    if fault:
        faults.refuse(path, fault, one.metadata.get("description", "").removesuffix("."))
        return MISSING
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    return float(value) if kind is float and isinstance(value, int) else value


def _fault(kind: Any, rules: Any, value: object) -> str:  # noqa: ANN401 - a type, and a mapping
    """What is wrong with a value that is neither a list nor an object; empty if nothing is."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        known = any(value == one.value and type(value) is type(one.value) for one in kind)
        return "" if known else f"{value!r} is not a known value"
    wanted, accepted = _SCALARS[kind]
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        return f"expected {wanted}, found {name_kind(value)}"
    if "pattern" in rules and not re.fullmatch(rules["pattern"], str(value)):
        return f"{value!r} does not have the right form"
    return _out_of_bounds(rules, value)


def _out_of_bounds(rules: Any, value: Any) -> str:  # noqa: ANN401 - a mapping, and a number
    if "gt" in rules and not value > rules["gt"]:
        return f"should be greater than {rules['gt']}"
    if "ge" in rules and not value >= rules["ge"]:
        return f"should be at least {rules['ge']}"
    if "le" in rules and not value <= rules["le"]:
        return f"should be at most {rules['le']}"
    return ""


_SCALARS: dict[Any, tuple[str, tuple[type, ...]]] = {
    str: ("a string", (str,)),
    bool: ("true or false", (bool,)),
    int: ("a whole number", (int,)),
    float: ("a number", (int, float)),
}
"""The name of a type in messages, and the Python types that JSON gives for it."""


def name_kind(value: object) -> str:
    """The kind of a JSON value, for messages: ``a list``, ``null``, ``true or false``."""
    if value is None:
        return "null"
    names: dict[type, str] = {bool: "true or false", str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")
