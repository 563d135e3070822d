"""Schemas as `terraform providers schema -json` prints them, for the provider protocol."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tf.gen import tfplugin_pb2 as pb

DATA = Path(__file__).parent.parent / "data"

_NESTING = {"single": 1, "list": 2, "set": 3, "map": 4, "group": 5}

Json = dict[str, Any]


def providers() -> dict[str, Json]:
    """The schemas of all providers, by source address without the host."""
    return {
        source.partition("/")[2]: schema
        for file in ("providers.json", "kubernetes.json")
        for source, schema in json.loads((DATA / file).read_text())["provider_schemas"].items()
    }


def to_protocol(schema: Json) -> pb.Schema:
    return pb.Schema(version=schema.get("version", 0), block=_block(schema.get("block", {})))


def _attribute(name: str, attribute: Json) -> pb.Schema.Attribute:
    flags = {
        key: attribute.get(key, False)
        for key in ("required", "optional", "computed", "sensitive", "deprecated")
    }
    if "type" in attribute:
        return pb.Schema.Attribute(name=name, type=json.dumps(attribute["type"]).encode(), **flags)
    nested = attribute["nested_type"]
    inner = [_attribute(*item) for item in nested.get("attributes", {}).items()]
    nesting = pb.Schema.Object(attributes=inner, nesting=_NESTING[nested["nesting_mode"]])
    return pb.Schema.Attribute(name=name, nested_type=nesting, **flags)


def _block(block: Json) -> pb.Schema.Block:
    nested = [
        pb.Schema.NestedBlock(
            type_name=name,
            block=_block(inner["block"]),
            nesting=_NESTING[inner["nesting_mode"]],
            min_items=inner.get("min_items", 0),
            max_items=inner.get("max_items", 0),
        )
        for name, inner in block.get("block_types", {}).items()
    ]
    return pb.Schema.Block(
        attributes=[_attribute(*item) for item in block.get("attributes", {}).items()],
        block_types=nested,
        deprecated=block.get("deprecated", False),
    )


def deprecated(block: Json, place: str = "") -> Iterator[str]:
    """The deprecated attributes and blocks below a block, as dotted paths."""
    for name, attribute in block.get("attributes", {}).items():
        if attribute.get("deprecated"):
            yield f"{place}{name}"
    for name, inner in block.get("block_types", {}).items():
        if inner["block"].get("deprecated"):
            yield f"{place}{name}"
        yield from deprecated(inner["block"], f"{place}{name}.")
