"""From pydantic's errors to one line: what is wrong, where, and the nearest right answer."""

import difflib
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of a document. `place` is a JSON path that begins with ``:``, e.g. ``:$.paths[2]``."""

    message: str
    place: str
    hint: str


def json_path(location: tuple[int | str, ...]) -> str:
    """``("paths", 2, "path")`` as ``$.paths[2].path``."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def nearest(word: str, known: list[str]) -> str:
    """A hint that names the nearest of `known`, or all of them if none is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"


def first_fault(error: ValidationError, model: type[BaseModel]) -> Fault:
    """The first fault that pydantic found, for a person.

    Args:
        error: what validation raised.
        model: the outermost model, whose keys a hint can name.
    """
    detail = error.errors(include_url=False)[0]
    location = detail["loc"]
    where = f":{json_path(location)}"
    match detail["type"]:
        case "json_invalid":
            return Fault(f"not JSON: {detail['ctx']['error']}", "", "")
        case "extra_forbidden":
            key = str(location[-1])
            known = list(model.model_fields) if len(location) == 1 else []
            return Fault(f"unknown key {key!r}", where, nearest(key, known) if known else "remove the key")
        case "missing":
            return Fault(f"the key {location[-1]!r} is missing", where, "")
        case _:
            return Fault(detail["msg"][:1].lower() + detail["msg"][1:], where, "")
