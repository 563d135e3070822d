"""What each JSON document of a command has: its name, and the version of the contract."""

from collections.abc import Mapping
from typing import Any

VERSION = 2
"""Of all documents; :mod:`coder_ws_runtime.cli.contract` has what they hold."""


def publish(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """A document of the contract.

    Args:
        name: one of :data:`coder_ws_runtime.cli.contract.DOCUMENTS`.
        content: what it has beside its name and version.
    """
    return {"document": name, "version": VERSION, **content}
