"""Values on the wire, and what a plan makes of them. No provider's own rules are in here."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgpack
from tf.gen import tfplugin_pb2 as pb
from tf.types import Unknown

Json = dict[str, Any]


def read(value: pb.DynamicValue) -> Any:  # noqa: ANN401 - any value of the template
    """A value as Terraform sends it. What is known of an unknown value (its refinements) is left out."""
    if not value.msgpack:
        return None
    return msgpack.unpackb(value.msgpack, ext_hook=lambda _code, _data: Unknown)


def write(value: object) -> pb.DynamicValue:
    return pb.DynamicValue(msgpack=msgpack.packb(value, default=lambda _: msgpack.ExtType(0, b"\0")))


def filled(
    block: Json,
    value: Json,
    defaults: Mapping[str, Any],
    computed: object,
    place: str = "",
    *,
    in_set: bool = False,
) -> Json:
    """A configuration with its defaults, and with `computed` where the provider computes.

    The defaults of a provider are not in its schema; they come as dotted paths: `ports.protocol`. In a set of
    blocks the old SDK plans an empty text for one that is not given.
    """
    done = dict(value)
    for name, attribute in block.get("attributes", {}).items():
        if done.get(name) is None:
            if f"{place}{name}" in defaults:
                done[name] = defaults[f"{place}{name}"]
            elif attribute.get("computed"):
                done[name] = computed
            elif in_set and attribute["type"] == "string":
                done[name] = ""
    for name, inner in block.get("block_types", {}).items():
        fill = partial(
            filled,
            inner["block"],
            defaults=defaults,
            computed=computed,
            place=f"{place}{name}.",
            in_set=in_set or inner["nesting_mode"] == "set",
        )
        done[name] = _each(done.get(name), fill)
    return done


def at(value: object, path: Sequence[str]) -> list[object]:
    """All values at a dotted path; each block of a list has its own."""
    if isinstance(value, list):
        return [inner for one in value for inner in at(one, path)]
    if not path:
        return [value]
    return at(value.get(path[0]), path[1:]) if isinstance(value, dict) else []


def _each(value: object, change: Callable[[Json], Json]) -> object:
    if isinstance(value, list):
        return [change(item) if isinstance(item, dict) else item for item in value]
    return change(value) if isinstance(value, dict) else value


def known(value: object, instead: object = None) -> Any:  # noqa: ANN401 - any value of the template
    """The same with `instead` for what is still unknown."""
    if value is Unknown:
        return instead
    if isinstance(value, list):
        return [known(item, instead) for item in value]
    if isinstance(value, dict):
        return {key: known(item, instead) for key, item in value.items()}
    return value
