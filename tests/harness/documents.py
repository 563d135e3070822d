"""The commands' JSON documents, held against their published schemas."""

import json
from functools import cache
from typing import Any

import jsonschema

from coder_ws_runtime.cli import contract


@cache
def _strict(document: str) -> dict[str, Any]:
    """The schema of a document that allows no key beside those that it names."""
    schema = contract.schema(document)
    for part in (schema, *schema.get("$defs", {}).values()):
        if part.get("type") == "object":
            part["additionalProperties"] = False
    return schema


def check_document(text: str) -> dict[str, Any]:
    """What a command printed with --json, after it was held against the schema of its document.

    Raises:
        AssertionError: it is no object, or names no document of the contract.
        ValidationError: it is not as the schema says.
    """
    document = json.loads(text)
    assert isinstance(document, dict), "a document is an object, never a bare list"
    assert document.get("document") in contract.DOCUMENTS, f"{document.get('document')!r} is in no contract"
    jsonschema.validate(document, _strict(document["document"]))
    return document
