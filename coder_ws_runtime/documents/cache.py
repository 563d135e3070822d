"""Validate a JSON document once.

Importing pydantic takes longer than a whole `home-persist resolve`, and the documents hardly ever
change. So the result of a validation is stored in the container's own layer, together with the document's
bytes and an identification of the model. The same bytes need no second validation; if a byte or the model
changes, they do. Why a document was refused is stored too. The key is not a digest: loading OpenSSL for one
takes longer than comparing the bytes.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from coder_ws_runtime.errors import UserError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_NAME = 200
"""How many characters of a document's path name its cache file; two with one name replace each other."""


def load_validated(
    document: bytes,
    *,
    place: str,
    model_file: str,
    validate: Callable[[bytes], Any],
    cache_dir: Path,
) -> Any:  # noqa: ANN401 - any JSON value, as the model normalises it
    """The result of `validate` for `document`, from the cache if possible.

    Args:
        document: the bytes of the document.
        place: its file; the error for a refused document names it.
        model_file: the source file of the model; if it changes, cached results no longer count.
        validate: takes the bytes, returns a JSON value, raises UserError.
        cache_dir: where to store results; if it is not writable, nothing is stored.

    Raises:
        UserError: what `validate` raised, now or earlier.
    """
    source = os.stat(model_file)
    version = f"{model_file}:{source.st_size}:{source.st_mtime_ns}:{place}\n".encode()
    of = (version + document).decode("latin-1")
    kept = cache_dir / f"{place.replace('/', '+')[-_NAME:]}.json"
    result: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(kept.read_bytes())
        result = found if isinstance(found, dict) else {}
    if result.get("of") != of:
        result = {"of": of, **_result(document, validate)}
        _keep(kept, json.dumps(result).encode())
    if "refused" in result:
        raise UserError.from_dict(result["refused"], result["status"])
    return result["value"]


def _result(document: bytes, validate: Callable[[bytes], Any]) -> dict[str, Any]:
    try:
        return {"value": validate(document)}
    except UserError as error:
        return {"refused": error.as_dict(), "status": error.exit_status}


def _keep(file: Path, content: bytes) -> None:
    """Write the whole file or nothing. A cache that cannot be written is not an error.

    root may read a user's cache but writes nothing there: the user could have planted a link at a predictable
    name. This does not use fs.writing: documents are below fs.
    """
    temporary = file.with_suffix(f".{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        if os.geteuid() == 0 and _owner(file.parent) != 0:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(temporary, flags, 0o644), "wb") as writing:
            writing.write(content)
        temporary.replace(file)


def _owner(directory: Path) -> int:
    """The owner of a directory, or of the nearest existing one above it; for a link, of the link itself."""
    while not os.path.lexists(directory):
        directory = directory.parent
    return directory.lstat().st_uid
