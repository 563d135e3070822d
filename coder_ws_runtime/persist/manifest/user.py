"""The user's own declarations: manifests on the volume, ``.home-persist/manifests/``.

``user.json`` counts in all workspaces of the owner, ``workspace-<id>.json`` in one. They are changed
under one lock, checked as a whole, and written whole; so two changes at once lose nothing, and what is
on the volume is valid.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import NO_WORKSPACE_ID, WORKSPACE_ID_HINT, Scope
from coder_ws_runtime.persist.manifest.load import user_files
from coder_ws_runtime.persist.manifest.paths import normalise_path
from coder_ws_runtime.persist.store.volume import STATE, Volume

SOURCE = "user"
# No declared path has this name, so its lock is nobody else's.
_LOCK = f"{STATE}/manifests"


class UserFiles:
    """The user's manifests, as JSON objects to be changed in place. Use :func:`editing`.

    Args:
        layout: where they are.
        workspace_id: this workspace; empty: not known.
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
            RefusedError: it is this workspace's, and the workspace's id is not known.
        """
        if scope not in self.documents:
            raise RefusedError(
                "the workspace's id is not known", code=NO_WORKSPACE_ID, hint=WORKSPACE_ID_HINT
            )
        return self.documents[scope]

    def drop(self, path: str, key: str = "paths") -> bool:
        """Take a path out of `paths` or `except` of all of them; whether it was there."""
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

    def _path(self, value: str | dict[str, Any]) -> str:
        return normalise_path(value if isinstance(value, str) else value["path"], self.home)


@contextmanager
def editing(layout: Layout, volume: Volume, workspace_id: str) -> Iterator[UserFiles]:
    """Change the user's manifests; what was changed is written at the end, unless an error is raised.

    Raises:
        RefusedError: one of them is not valid, before or after; nothing is written.
        OSError: what the file system says; each of the files is whole, the old or the new.
    """
    from coder_ws_runtime.persist.manifest import model as manifest_model  # noqa: PLC0415 - pydantic is slow to import

    with volume.lock(_LOCK):
        files = UserFiles(layout, workspace_id)
        yield files
        changed = {
            scope: (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
            for scope, document in files.documents.items()
            if json.dumps(document) != files.before[scope]
        }
        for scope, text in changed.items():
            manifest_model.validate(text, place=str(files.files[scope]))
        for scope, text in changed.items():
            volume.write(f"manifests/{files.files[scope].name}", text)


def _read(file: Path, scope: Scope) -> dict[str, Any]:
    from coder_ws_runtime.persist.manifest import model as manifest_model  # noqa: PLC0415 - as above

    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return {"source": SOURCE, "scope": scope.value, "paths": []}
    try:
        manifest_model.validate(text, place=str(file))
    except UserError as error:
        error.hint = f"{error.hint}; mend it by hand, or move it away".removeprefix("; ")
        raise
    document: dict[str, Any] = json.loads(text)
    return document
