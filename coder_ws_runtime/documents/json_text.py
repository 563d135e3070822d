"""Parse JSON without pydantic, and say where it is broken."""

from __future__ import annotations

import json

from coder_ws_runtime.dataclass import dataclass

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True, slots=True)
class NotJson(Exception):  # noqa: N818 - it is one
    """The text is not JSON."""

    message: str
    line: int = 0
    """The line where the parser stopped; 0 if unknown."""
    hint: str = ""


def parse(document: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """The value of a JSON document in UTF-8.

    Raises:
        NotJson: it is not valid.
    """
    try:
        return json.loads(document.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise NotJson(f"not UTF-8 (byte {error.start})", hint="save it as UTF-8") from error
    except json.JSONDecodeError as error:
        if not document.strip():
            raise NotJson("it is empty") from error
        what = f"{error.msg[:1].lower()}{error.msg[1:]}".removesuffix(" at")
        hint = next((hint for begin, hint in _REMEDIES.items() if what.startswith(begin)), "")
        raise NotJson(f"not JSON: {what} (column {error.colno})", error.lineno, hint) from error
    except (ValueError, RecursionError) as error:  # e.g. a number of 5,000 digits, or 10,000 open brackets
        raise NotJson(f"JSON that cannot be read: {error}") from error


_REMEDIES = {
    "expecting property name": 'write the key in double quotes: "paths"; no comma before a closing bracket',
    "illegal trailing comma": "remove the comma before the closing bracket",
    "expecting ',' delimiter": "a comma or a closing bracket is missing before it",
    "expecting value": "JSON has no comments, no single quotes, and true, false and null in lower case",
    "invalid control character": "a string has to end on its line; write a line break in it as \\n",
    "unterminated string": "its closing double quote is missing",
}
"""How to fix what Python's parser reports, by the beginning of its message."""
