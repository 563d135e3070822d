"""The paths that the image's manifests, the template and the user declare.

A manifest is a JSON file::

  {"source": "claude-code", "scope": "owner", "paths": [".claude/", ".claude.json"]}

Sources are read in this order: the image's manifests by file name, the template's paths, the user's own.
`except` in a manifest cancels earlier declarations of a path:
``{"source": "user", "paths": [], "except": [".claude/"]}``. A directory in it that is below a kept one is
not kept. `enable` names optional manifests, each of which is read just before the manifest that enables
it.

An invalid manifest of the image is refused as a whole: people wrote it, and should notice. What programs
wrote, the template's paths and the user's manifests, is refused item by item. Everything else still applies.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime.documents.json_text import NotJson, parse
from coder_ws_runtime.documents.records import Faults
from coder_ws_runtime.errors import RefusedError, UserError, locate_errors
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.combine import combine
from coder_ws_runtime.persist.manifest.compiled import load_compiled
from coder_ws_runtime.persist.manifest.entry import (
    NO_WORKSPACE_ID,
    Declarations,
    Entry,
    Kind,
    Scope,
    Step,
    on_volume,
)
from coder_ws_runtime.persist.manifest.files import (
    available_file,
    check_manifest_directory,
    children_file,
    manifest_files,
    read,
    read_document,
    user_files,
)
from coder_ws_runtime.persist.manifest.paths import is_below, normalise_path
from coder_ws_runtime.persist.manifest.steps import steps_of, steps_of_migration
from coder_ws_runtime.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def load_declarations(layout: Layout, settings: Settings) -> Declarations:
    """Everything that is declared for this workspace, and what was refused, with the reason."""
    collected = Collected(layout, settings.workspace.id)
    collected.warnings += settings.warnings
    try:
        check_manifest_directory(layout)
    except RefusedError as error:
        collected.refused.append(error)
    for file in manifest_files(layout):
        collected.manifest(file)
    collected.template(settings)
    for file in user_files(layout, settings.workspace.id):
        if file.exists():
            collected.written(file)
    collected.recorded()
    return collected.result()


def entries_of(layout: Layout, manifest: dict[str, Any], place: str, workspace_id: str) -> list[Entry]:
    """The entries of one manifest.

    If the workspace's ID is unknown, a directory that would be its own inside a shared one has no place on
    the volume: it is not kept, and the rest of the manifest applies.

    Raises:
        RefusedError: one of its paths is not allowed, or needs a workspace ID that is not known.
    """
    found: list[Entry] = []
    for index, value in enumerate(manifest["paths"]):
        where = f"{place}:$.paths[{index}]"
        try:
            found.append(entry_of(layout, value, manifest["source"], where, workspace_id))
        except RefusedError as error:
            if error.code != NO_WORKSPACE_ID or not value["path"].endswith("/"):
                raise
            entry = except_of(layout, value["path"], manifest["source"], where)
            if not any(is_below(entry.path, other) for other in _shared(layout, manifest)):
                raise
            found.append(entry)
    return found


def _shared(layout: Layout, manifest: dict[str, Any]) -> list[str]:
    """A manifest's directories with the scope owner."""
    shared = []
    for value in manifest["paths"]:
        if value["scope"] == Scope.OWNER.value and value["path"].endswith("/"):
            with suppress(RefusedError):  # it is reported when it is processed
                shared.append(normalise_path(value["path"], str(layout.home)))
    return shared


def entry_of(layout: Layout, value: dict[str, Any], source: str, place: str, workspace_id: str) -> Entry:
    """One path as an entry. Raises RefusedError with its place."""
    written: str = value["path"]
    scope = Scope(value["scope"])
    with locate_errors(place):
        path = normalise_path(written, str(layout.home))
        return Entry(
            path=path,
            kind=Kind.DIRECTORY if written.endswith(("/", "/.")) else Kind.FILE,
            scope=scope,
            source=source,
            place=place,
            on_volume=on_volume(path, scope, workspace_id),
            mode=value["mode"],
            why=value["why"],
        )


class Collected:
    """Entries in their order, and what is refused.

    Args:
        layout: the workspace's.
        workspace_id: for paths with the scope ``workspace``; empty: unknown.
    """

    def __init__(self, layout: Layout, workspace_id: str) -> None:
        self.layout = layout
        self.workspace_id = workspace_id
        self.compiled = load_compiled(layout)
        self.found: list[Entry] = []
        self.below: list[Entry] = []
        self.excepted: list[Entry] = []
        self.steps: list[Step] = []
        self.refused: list[UserError] = []
        self.warnings: list[UserError] = []
        self.enabled: dict[str, Path] = {}

    def manifest(self, file: Path) -> None:
        """Add one manifest of the image and those that it enables, or refuse it as a whole."""

        def add() -> None:
            value = read(self.layout, file, self.compiled)
            place = str(file)
            entries = entries_of(self.layout, value, place, self.workspace_id)
            steps = list(steps_of(self.layout, value, place, self.workspace_id))
            excepted = excepted_of(self.layout, value, place)
            for name in value["enable"]:
                self._enable(name)
            for one in excepted:
                self._except(one)
            self.found += entries
            self.steps += steps

        self._or_refuse(add)

    def written(self, file: Path) -> None:
        """Add a manifest that a program wrote, item by item, and those that it enables."""
        from coder_ws_runtime.persist.manifest.tolerant import read_tolerantly  # noqa: PLC0415 - only for these

        place = str(file)
        try:
            value = read_tolerantly(read_document(file), place)
        except UserError as error:
            self.refused.append(error)
            return
        self.refused += value.refused
        self.warnings += value.warnings
        for name in value.enable:
            self._enable(name)
        for where, written in value.excepted:
            self._or_refuse(self._except_written, written, value.source, where)
        for where, path in value.paths:
            self._or_refuse(self._add, path, value.source, where)
        for where, migration in value.migrations:
            self._or_refuse(self._add_steps, migration, where)

    def template(self, settings: Settings) -> None:
        """Add the template's paths, item by item."""
        if not settings.home_persist_paths:
            return
        from coder_ws_runtime.persist.manifest.tolerant import AREA, read_path  # noqa: PLC0415 - only for these

        place = str(self.layout.settings_file)
        faults = Faults(place, AREA)
        for index, item in enumerate(settings.home_persist_paths):
            path = f"$.home_persist_paths[{index}]"
            value = read_path(item, faults, path)
            if value is not None:
                self._or_refuse(self._add, value, "template", f"{place}:{path}")
        for fault in faults.refused:
            fault.hint = fault.hint or "correct it in the workspace's parameters in Coder"
        self.refused += faults.refused
        self.warnings += faults.warnings

    def recorded(self) -> None:
        """Add the children that the volume already has, even if another image declared them.

        All of the owner's workspaces see their links, so the links must lead somewhere in this one too.
        """
        try:
            value = parse(children_file(self.layout).read_bytes())
        except (OSError, NotJson):
            return
        paths = value.get("paths") if isinstance(value, dict) else None
        for written in paths if isinstance(paths, list) else ():
            with suppress(RefusedError, AttributeError):  # another version may allow what we do not
                path = normalise_path(written, str(self.layout.home))
                place = on_volume(path, Scope.WORKSPACE, self.workspace_id) if self.workspace_id else ""
                source = str(children_file(self.layout))
                self.below.append(Entry(path, Kind.DIRECTORY, Scope.WORKSPACE, "volume", source, place))

    def _enable(self, name: str) -> None:
        """Add an optional manifest, once. It is not an error if this image of the owner does not have it."""
        file = available_file(self.layout, name)
        if name not in self.enabled and file.exists():
            self.enabled[name] = file
            self.manifest(file)

    def _add(self, value: dict[str, Any], source: str, place: str) -> None:
        self.found.append(entry_of(self.layout, value, source, place, self.workspace_id))

    def _add_steps(self, value: dict[str, Any], place: str) -> None:
        self.steps += list(steps_of_migration(self.layout, value, place, self.workspace_id))

    def _except_written(self, written: str, source: str, place: str) -> None:
        self._except(except_of(self.layout, written, source, place))

    def _except(self, entry: Entry) -> None:
        """Cancel a path that was declared so far; a directory is then not kept inside another either."""
        self.excepted += [known for known in self.found if known.path == entry.path]
        self.found = [known for known in self.found if known.path != entry.path]
        if entry.kind is Kind.DIRECTORY:
            self.below.append(entry)

    def _or_refuse(self, add: Callable[..., None], *arguments: Any) -> None:  # noqa: ANN401 - what `add` takes
        try:
            add(*arguments)
        except UserError as error:
            self.refused.append(error)

    def result(self) -> Declarations:
        """What applies of everything that was added."""
        found = combine(self.found, self.below)
        paths = {entry.path for entry in found.entries}
        return Declarations(
            tuple(found.entries),
            tuple(self.steps),
            (*self.refused, *found.refused),
            tuple(entry for entry in self.excepted if entry.path not in paths),
            dict(self.enabled),
            tuple(found.children),
            tuple(self.warnings),
        )


def excepted_of(layout: Layout, manifest: dict[str, Any], place: str) -> list[Entry]:
    """What a manifest cancels. Raises RefusedError with its place."""
    return [
        except_of(layout, written, manifest["source"], f"{place}:$.except[{index}]")
        for index, written in enumerate(manifest["except"])
    ]


def except_of(layout: Layout, written: str, source: str, place: str) -> Entry:
    """One path that is not to be kept. Raises RefusedError with its place."""
    with locate_errors(place):
        path = normalise_path(written, str(layout.home))
    kind = Kind.DIRECTORY if written.endswith("/") else Kind.FILE
    return Entry(path, kind, Scope.WORKSPACE, source, place, "")
