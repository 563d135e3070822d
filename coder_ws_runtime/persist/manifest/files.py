"""The manifests' files, and their text."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from coder_ws_runtime.documents.cache import load_validated
from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.compiled import look_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from coder_ws_runtime.persist.manifest.compiled import Compiled


_MODEL_FILE = __file__.replace("files.py", "model.py")
# People write manifests by hand; a file as large as this is something else.
_SIZE_LIMIT = 16 << 20
SCHEMA = "schema.json"
"""The JSON Schema of manifests, which is next to them."""


def manifest_files(layout: Layout) -> list[Path]:
    """The image's manifests, in order; none if their directory cannot be read."""
    return _manifests_in(layout.manifest_dir)


def check_manifest_directory(layout: Layout) -> None:
    """Check that the image's manifests can be listed. An image need not have any.

    Raises:
        RefusedError: their directory exists but cannot be read, so its declarations are unknown.
    """
    directory = layout.manifest_dir
    try:
        os.listdir(directory)
        # A directory may be listed by someone who may not open the files in it.
        os.stat(directory / SCHEMA)
    except FileNotFoundError:
        return
    except OSError as error:
        import shlex  # noqa: PLC0415 - only messages need it

        denied = error.errno == errno.EACCES
        raise RefusedError(
            f"the manifests cannot be listed: {error.strerror}",
            code="manifest.directory-unreadable",
            place=str(directory),
            hint=f"make it readable for all: sudo chmod a+rx {shlex.quote(str(directory))}" if denied else "",
        ) from error


def available_file(layout: Layout, name: str) -> Path:
    """The path of the optional manifest with a name, if the image has it."""
    return layout.available / f"{name}.json"


def available_files(layout: Layout) -> list[Path]:
    """The optional manifests that the image has, by name."""
    return _manifests_in(layout.available)


def _manifests_in(directory: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    return [
        directory / name for name in names if name.endswith(".json") and name[0] != "." and name != SCHEMA
    ]


def user_files(layout: Layout, workspace_id: str) -> list[Path]:
    """The user's own manifests on the volume: for all workspaces, and for this one."""
    files = [layout.state / "manifests/user.json"]
    if workspace_id:
        files.append(layout.state / f"manifests/workspace-{workspace_id}.json")
    return files


def children_file(layout: Layout) -> Path:
    """The directories on the volume that are each workspace's own although they are inside a shared one."""
    return layout.state / "children/known.json"


def read(layout: Layout, file: Path, compiled: Compiled | None = None) -> dict[str, Any]:
    """One manifest, validated and normalised by the model.

    Args:
        layout: says where validated manifests are cached.
        file: the manifest.
        compiled: manifests that were validated when the image was built.

    Raises:
        RefusedError: it cannot be read, or is not a manifest.
    """
    document = read_document(file)
    known = look_up(compiled, file, document) if compiled else None
    if known is not None:
        return known

    def validate(raw: bytes) -> Any:  # noqa: ANN401 - a JSON value
        from coder_ws_runtime.persist.manifest import model as manifest_model  # noqa: PLC0415 - pydantic is slow to import

        return manifest_model.validate(raw, place=str(file))

    cache = layout.ledger_dir / "validated"
    value: dict[str, Any] = load_validated(
        document, place=str(file), model_file=_MODEL_FILE, validate=validate, cache_dir=cache
    )
    return value


def read_document(file: Path) -> bytes:
    """The text of a manifest, in UTF-8.

    Raises:
        RefusedError: it cannot be read, or is not text.
    """
    place = str(file)
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as opened:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise RefusedError("is not a regular file", code="manifest.unreadable", place=place)
            document = opened.read(_SIZE_LIMIT + 1)
    except OSError as error:
        import shlex  # noqa: PLC0415 - only messages need it

        denied = error.errno == errno.EACCES
        raise RefusedError(
            f"cannot be read: {error.strerror}",
            code="manifest.unreadable",
            place=place,
            hint=f"make it readable for all: sudo chmod a+r {shlex.quote(place)}" if denied else "",
        ) from error
    if len(document) > _SIZE_LIMIT:
        raise RefusedError(f"is larger than {_SIZE_LIMIT >> 20} MiB", code="manifest.unreadable", place=place)
    try:
        document.decode()
    except UnicodeDecodeError as error:
        raise RefusedError(
            f"is not UTF-8 (byte {error.start})",
            code="manifest.unreadable",
            place=place,
            hint="save it as UTF-8",
        ) from error
    return document
