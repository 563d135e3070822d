"""Turn pydantic's errors into one line each: what is wrong, where, and how to fix it."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.documents.records import name_kind
from coder_ws_runtime.text import find_nearest, suggest

TAG = "("
"""Prefix of the tags of a union in a model: they appear in pydantic's locations, but in no document."""
_AT = re.compile(r"(?P<what>.*) at line (?P<line>\d+) column (?P<column>\d+)$", re.DOTALL)

_EMPTY = "EOF while parsing a value"
"""pydantic's message for a blank document, at column 0; and for many other faults."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in a document. `place` is a JSON path (``:$.paths[2]``), a line (``:3``) or empty."""

    message: str
    place: str
    hint: str
    code: str = "invalid"
    """``unknown-key``, ``missing-key``, ``not-json``, or ``invalid`` for all others."""


def json_path(location: Sequence[int | str]) -> str:
    """``("paths", 2, "path")`` as ``$.paths[2].path``."""
    parts = (part for part in location if not _is_tag(part))
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)


def first_fault(error: ValidationError, model: type[BaseModel]) -> Fault:
    """The first of :func:`faults`."""
    return faults(error, model)[0]


def faults(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """All faults that pydantic found, worded for people; for each object, unknown keys first.

    A missing key is not reported if an unknown key has nearly its name: one mistake, one fault.

    Args:
        error: what validation raised.
        model: the top-level model, whose keys hints can name.
    """
    details: list[dict[str, Any]] = [{**detail} for detail in error.errors(include_url=False)]
    meant = {
        (*detail["loc"][:-1], near)
        for detail in details
        if detail["type"] == "extra_forbidden"
        if (near := find_nearest(str(detail["loc"][-1]), _keys(model, detail["loc"])))
    }
    kept = [detail for detail in details if detail["type"] != "missing" or detail["loc"] not in meant]
    return [_fault(detail, model) for detail in kept]


def _fault(detail: dict[str, Any], model: type[BaseModel]) -> Fault:
    location: tuple[int | str, ...] = detail["loc"]
    if detail["type"] == "json_invalid":
        return _not_json(str(detail["ctx"]["error"]))
    message, hint = _words(detail, model, location)
    return Fault(message, f":{json_path(location)}", hint, _CODES.get(detail["type"], "invalid"))


_CODES = {"extra_forbidden": "unknown-key", "missing": "missing-key"}


def _words(detail: dict[str, Any], model: type[BaseModel], location: Sequence[int | str]) -> tuple[str, str]:
    """Message and hint."""
    example = _example(model, location)
    match detail["type"]:
        case "extra_forbidden":
            key, known = str(location[-1]), _keys(model, location)
            return f"unknown key {key!r}", suggest(key, sorted(known)) if known else "remove the key"
        case "missing":
            if isinstance(location[-1], int):
                return f"item {location[-1] + 1} of the list is missing", example
            return f"the key {location[-1]!r} is missing", example
        case "literal_error":
            known = re.findall(r"'([^']*)'", str(detail["ctx"]["expected"]))
            return f"{detail['input']!r} is not a known value", suggest(str(detail["input"]), sorted(known))
        case "string_pattern_mismatch":
            return f"{detail['input']!r} does not have the right form", example
    if detail["type"] == "value_error":
        message, example = str(detail["ctx"]["error"]), ""
    elif detail["type"] in _WANTED:
        message = f"expected {_WANTED[detail['type']]}, found {name_kind(detail['input'])}"
    else:
        message = f"{detail['msg'][:1].lower()}{detail['msg'][1:]}"
    return message, example


_WANTED = {
    "string_type": "a string",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
    "bool_type": "true or false",
    "float_type": "a number",
}
"""What was expected, by the name of pydantic's error for another type."""


def _not_json(message: str) -> Fault:
    found = _AT.match(message)
    if not found:
        return Fault(f"not JSON: {message}", "", "", _NOT_JSON)
    if found["what"] == _EMPTY and found["column"] == "0":
        return Fault("it is empty", "", "", _NOT_JSON)
    hint = next((hint for what, hint in _MENDED.items() if found["what"].startswith(what)), "")
    return Fault(
        f"not JSON: {found['what']} (column {found['column']})", f":{found['line']}", hint, _NOT_JSON
    )


_NOT_JSON = "not-json"
_MENDED = {
    "trailing comma": "remove the comma before it",
    "key must be a string": 'write the key in double quotes: "paths"',
    "expected `,`": "a comma or a bracket is missing before it",
    "expected value": "JSON has no comments, no single quotes, and true, false and null in lower case",
    "control character": "a string has to end on its line; write a line break in it as \\n",
    "EOF while parsing": "its end is missing, e.g. a closing bracket",
}
"""How to fix what the parser reports, by the beginning of its message."""


def _example(model: type[BaseModel], location: Sequence[int | str]) -> str:
    """A hint from the model's field: an example, otherwise its description.

    None for one item of a list.
    """
    field = _field(model, location)
    named = [part for part in location if not _is_tag(part)]
    if field is None or isinstance(named[-1], int):
        return ""
    if field.examples:
        return f"for example {field.examples[0]!r}"
    return (field.description or "").removesuffix(".")


def _keys(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """The keys of the object that contains a location."""
    inside = _model_at(model, location[:-1])
    return [field.alias or name for name, field in inside.model_fields.items()] if inside else []


def _field(model: type[BaseModel], location: Sequence[int | str]) -> FieldInfo | None:
    words = [part for part in location if isinstance(part, str) and not _is_tag(part)]
    inside = _model_at(model, words[:-1]) if words else None
    return _named(inside, words[-1]) if inside else None


def _model_at(model: type[BaseModel], location: Sequence[int | str]) -> type[BaseModel] | None:
    found: type[BaseModel] | None = model
    for part in location:
        if isinstance(part, int) or _is_tag(part):
            continue
        field = _named(found, part) if found else None
        found = next(_models(field.annotation), None) if field else None
    return found


def _named(model: type[BaseModel], key: str) -> FieldInfo | None:
    fields = model.model_fields.items()
    return next((field for name, field in fields if key == (field.alias or name)), None)


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """The models in a type, e.g. `PathObject` in ``list[str | PathObject]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _is_tag(part: int | str) -> bool:
    return isinstance(part, str) and part.startswith(TAG)
