"""The JSON Schema of a document that is read into dataclasses (`records`)."""

import dataclasses
from typing import Any

from pydantic import TypeAdapter

from coder_ws_runtime.dataclass import MISSING, fields, is_dataclass


def schema_of(kind: type) -> dict[str, Any]:
    """The JSON Schema of a class, and of the classes of its fields. Rules in a field's metadata are in it."""
    return TypeAdapter(_standard(kind)).json_schema()


def _standard(kind: type) -> type:
    """A class as one of the standard library's dataclasses, which pydantic reads."""
    made = []
    for one in fields(kind):
        inner = _standard(one.type) if isinstance(one.type, type) and is_dataclass(one.type) else one.type
        given: dict[str, Any] = {"metadata": one.metadata}
        if one.default is not MISSING:
            given["default"] = one.default
        elif inner is not one.type:
            given["default_factory"] = inner
        elif one.default_factory is not MISSING:
            given["default_factory"] = one.default_factory
        made.append((one.name, inner, dataclasses.field(**given)))
    return dataclasses.make_dataclass(kind.__name__, made, namespace={"__doc__": kind.__doc__})
