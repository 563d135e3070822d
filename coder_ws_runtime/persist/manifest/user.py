"""The user's own declarations: manifests on the volume, ``.home-persist/manifests/``.

``user.json`` applies in all workspaces of the owner, ``workspace-<id>.json`` in one. They are changed under
one lock, and each is written as a whole, so two changes at the same time lose nothing.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coder_ws_runtime.documents.records import name_kind
from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import NO_WORKSPACE_ID, USER, WORKSPACE_ID_HINT, Scope
from coder_ws_runtime.persist.manifest.files import read_document, user_files
from coder_ws_runtime.persist.manifest.paths import normalise_path
from coder_ws_runtime.persist.manifest.tolerant import parse_object
from coder_ws_runtime.persist.store.names import STATE
from coder_ws_runtime.persist.store.volume import Volume

# No declared path has this name, so nothing else uses its lock.
_LOCK = f"{STATE}/manifests"


class UserFiles:
    """The user's manifests, as JSON objects to change in place. Use :func:`editing`.

    Args:
        layout: says where they are.
        workspace_id: this workspace; empty: unknown.
    """

    def __init__(self, layout: Layout, workspace_id: str) -> None:
        self.home = str(layout.home)
        self.scopes = list(Scope) if workspace_id else [Scope.OWNER]
        self.files = dict(zip(self.scopes, user_files(layout, workspace_id), strict=True))
        self.documents = {scope: _read(file, scope) for scope, file in self.files.items()}
        self.before = {scope: json.dumps(document) for scope, document in self.documents.items()}

    def document(self, scope: Scope) -> dict[str, Any]:
        """The manifest of a scope.

        Raises:
            RefusedError: it is this workspace's, but the workspace's ID is not known.
        """
        if scope not in self.documents:
            raise RefusedError(
                "the workspace's ID is not known", code=NO_WORKSPACE_ID, hint=WORKSPACE_ID_HINT
            )
        return self.documents[scope]

    def drop(self, path: str, key: str = "paths") -> bool:
        """Remove a path from `paths` or `except` in all of them; returns whether it was there."""
        found = False
        for document in self.documents.values():
            kept = [value for value in document.get(key, ()) if self._path(value) != path]
            if len(kept) != len(document.get(key, ())):
                found = True
                document[key] = kept
        return found

    def has(self, path: str) -> bool:
        """Whether a path is in `paths` of one of them."""
        return any(
            self._path(value) == path
            for document in self.documents.values()
            for value in document.get("paths", ())
        )

    def _path(self, value: object) -> str:
        """The normalised path of an item; empty if the item is refused, which then stays as it is."""
        written = value.get("path") if isinstance(value, dict) else value
        try:
            return normalise_path(written, self.home) if isinstance(written, str) else ""
        except RefusedError:
            return ""


@contextmanager
def editing(layout: Layout, volume: Volume, workspace_id: str) -> Iterator[UserFiles]:
    """Change the user's manifests; changes are written at the end, unless an error is raised.

    Keys and items that this version does not know stay as they are: another version wrote them.

    Raises:
        RefusedError: one of them cannot be changed; nothing is written.
        OSError: from the file system; each file is whole, either old or new.
    """
    with volume.lock(_LOCK):
        files = UserFiles(layout, workspace_id)
        yield files
        changed = {
            scope: _as_text(document)
            for scope, document in files.documents.items()
            if json.dumps(document) != files.before[scope]
        }
        for scope, text in changed.items():
            volume.write(f"manifests/{files.files[scope].name}", text)


def _as_text(document: dict[str, Any]) -> bytes:
    """JSON in UTF-8. A character that UTF-8 does not have is escaped, as it was in the document."""
    return f"{json.dumps(document, indent=2, ensure_ascii=False)}\n".encode(errors="backslashreplace")


def _read(file: Path, scope: Scope) -> dict[str, Any]:
    try:
        text = read_document(file)
    except RefusedError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return {"source": USER, "scope": scope.value, "paths": []}
        raise
    document = parse_object(text, str(file))
    for key in ("paths", "except", "enable"):
        value = document.get(key)
        if value is None:
            document.pop(key, None)
        elif not isinstance(value, list):
            raise RefusedError(
                f"expected a list, found {name_kind(value)}",
                code="manifest.invalid",
                place=f"{file}:$.{key}",
                hint="correct it by hand, or move it away",
            )
    return document
