"""Validate a JSON document once.

Importing pydantic takes longer than a whole `home-persist resolve`, and the documents hardly ever
change. So what a model made of some bytes is kept in the container's own layer together with those
bytes and with which model it was: the same bytes need no second validation, and any other byte, or
another model, does. Why a document was refused is kept likewise. Not under a digest: to load OpenSSL for
one takes longer than to compare.
"""

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coder_ws_runtime.errors import UserError

_NAME = 200
"""Characters of a document's place that name what is kept; two of one name take turns."""


def load_validated(
    document: bytes,
    *,
    place: str,
    model_file: str,
    validate: Callable[[bytes], Any],
    cache_dir: Path,
) -> Any:  # noqa: ANN401 - any JSON value, as the model normalises it
    """What `validate` makes of `document`, from the cache if it was made before.

    Args:
        document: the bytes of the document.
        place: its file; the reason of a refusal names it.
        model_file: the source file of the model; when it changes, what was kept no longer counts.
        validate: takes the bytes, returns a JSON value, raises UserError.
        cache_dir: where to keep results; if it cannot be written, they are made each time.

    Raises:
        UserError: what `validate` raised, now or then.
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
    """Write the whole file or nothing. A cache that cannot be written is no reason to stop.

    root may look at what is a user's, and writes nothing there: the user could have planted a link at a
    name that can be foreseen. Not with fs.writing: documents are below fs.
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
    """Who owns a directory, or the nearest one above it that is there; a link belongs to who made it."""
    while not os.path.lexists(directory):
        directory = directory.parent
    return directory.lstat().st_uid
