"""Manifests validated when the image is built, in one file.

To import pydantic takes longer than a whole `home-persist resolve`, and a new container has no cache of ours.
So `home-persist compile` validates the image's manifests, the optional ones too, and writes what they say
next to their text. At a start, a manifest whose text is the same needs no second validation; one that was
changed or added since is validated by itself.

The text is compared, not size and time: it is read in 20 µs, image builds that set all times to one value are
common, and an image that replaces a manifest must never get the old one's paths.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from coder_ws_runtime import __version__
from coder_ws_runtime.fs.writing import replace_file
from coder_ws_runtime.layout import Layout

Compiled = Mapping[str, Mapping[str, Any]]
"""By the manifest's path: its `text`, and its `value` as the model normalises it."""

_MODEL_FILE = __file__.replace("compiled.py", "model.py")


def load_compiled(layout: Layout) -> Compiled:
    """What was compiled; empty if there is nothing, or another version of the runtime wrote it."""
    with suppress(OSError, ValueError):
        found = json.loads(layout.compiled_manifests.read_bytes())
        if isinstance(found, dict) and found.get("by") == _writer():
            files: Compiled = found["files"]
            return files
    return {}


def look_up(compiled: Compiled, file: Path, document: bytes) -> dict[str, Any] | None:
    """What a manifest says, if its text is what was compiled.

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
    """Write what was compiled, the whole file or nothing.

    Raises:
        OSError: what the file system says.
    """
    document = json.dumps({"by": _writer(), "files": found}, ensure_ascii=False)
    replace_file(layout.compiled_manifests, document.encode(), durable=False, mode=0o644)


def _writer() -> str:
    """Which model made it. In whole seconds: an image's layers keep no parts of them."""
    source = os.stat(_MODEL_FILE)
    return f"{__version__}:{source.st_size}:{int(source.st_mtime)}"
