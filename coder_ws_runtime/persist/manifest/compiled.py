"""Manifests validated when the image is built, in one file.

Importing pydantic takes longer than a whole `home-persist resolve`, and a new container has no cache of ours.
So `home-persist compile` validates the image's manifests, including the optional ones, and writes the result
next to their text. At a start, a manifest with the same text needs no second validation; one that was changed
or added since is validated by itself.

The text is compared, not size and time: reading it takes 20 µs, many image builds set all times to one value,
and an image that replaces a manifest must never get the paths of the old one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime import __version__
from coder_ws_runtime.fs.writing import replace_file
from coder_ws_runtime.layout import Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Compiled = Mapping[str, Mapping[str, Any]]
    """By the manifest's path: its `text`, and its `value` as normalised by the model."""

_MODEL_FILE = __file__.replace("compiled.py", "model.py")


def load_compiled(layout: Layout) -> Compiled:
    """The compiled manifests; empty if there are none, or if another version of the runtime wrote them."""
    with suppress(OSError, ValueError):
        found = json.loads(layout.compiled_manifests.read_bytes())
        if isinstance(found, dict) and found.get("by") == _writer():
            files: Compiled = found["files"]
            return files
    return {}


def look_up(compiled: Compiled, file: Path, document: bytes) -> dict[str, Any] | None:
    """The content of a manifest, if its text is the one that was compiled.

    Args:
        compiled: from :func:`load_compiled`.
        file: the manifest.
        document: its text in UTF-8.
    """
    known = compiled.get(str(file))
    if known is None or known["text"] != document.decode():
        return None
    value: dict[str, Any] = known["value"]
    return value


def write_compiled(layout: Layout, found: Compiled) -> None:
    """Write the compiled manifests: the whole file or nothing.

    Raises:
        OSError: from the file system.
    """
    document = json.dumps({"by": _writer(), "files": found}, ensure_ascii=False)
    replace_file(layout.compiled_manifests, document.encode(), durable=False, mode=0o644)


def _writer() -> str:
    """Identifies the model that validated it. In whole seconds: image layers store no fractions."""
    source = os.stat(_MODEL_FILE)
    return f"{__version__}:{source.st_size}:{int(source.st_mtime)}"
