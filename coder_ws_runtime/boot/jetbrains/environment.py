"""Toolbox's ``environment.json``: what Toolbox may do on this machine, and where IDEs are installed.

JetBrains documents it on the page "Add remotely installed IDE to the Toolbox App".
"""

from __future__ import annotations

import copy
import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class BrokenError(ValueError):
    """Toolbox would not accept the file."""


def merged(text: bytes | None, *, dist: str, allow_updates: bool) -> bytes:
    """The file with our settings added; every other key is kept.

    Args:
        text: its present content; None if there is no file.
        dist: the directory of the IDEs.
        allow_updates: whether Toolbox may update IDEs.

    Returns:
        `text` itself if it already has these settings, whatever its formatting.

    Raises:
        BrokenError: it is not JSON, or not an object with an object `tools`.
    """
    document = _parsed(text) if text is not None and text.strip() else {}
    wanted = copy.deepcopy(document)
    tools = wanted.get("tools")
    if tools is None:  # also null, which Toolbox reads as not set
        tools = wanted["tools"] = {}
    if not isinstance(tools, dict):
        raise BrokenError("$.tools is not an object")
    tools["allowUpdate"] = allow_updates
    others = [place for place in _locations(tools) if not _is(place, dist)]
    tools["location"] = [{"path": dist, "levels": 1}, *others]
    if text is not None and wanted == document:
        return text
    return json.dumps(wanted, indent=2, ensure_ascii=False).encode() + b"\n"


def _parsed(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BrokenError(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise BrokenError("$ is not an object")
    return document


def _locations(tools: dict[str, Any]) -> list[Any]:
    """Other directories in which the user has IDEs. Toolbox reads null as none."""
    locations = tools.get("location")
    if locations is None:
        return []
    if not isinstance(locations, list):
        raise BrokenError("$.tools.location is not a list")
    return locations


def _is(place: object, dist: str) -> bool:
    return isinstance(place, dict) and str(place.get("path", "")).rstrip("/") == dist
