"""What all JSON documents of commands have: a name, and the version of the contract."""

from __future__ import annotations

from collections.abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


VERSION = 2
"""Of all documents; :mod:`coder_ws_runtime.cli.contract` describes their content."""


def publish(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """A document of the contract.

    Args:
        name: one of :data:`coder_ws_runtime.cli.contract.DOCUMENTS`.
        content: its fields apart from name and version.
    """
    return {"document": name, "version": VERSION, **content}
