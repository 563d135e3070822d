"""Which paths are declared: by the image's manifests, by the template, by the user.

A manifest is a JSON file::

  {"source": "claude-code", "scope": "owner", "paths": [".claude/", ".claude.json"]}

Sources count in this order: the image's manifests by file name, the template's paths, the user's
own. A path in the `except` of a manifest counts no more than if no source before it had declared it:
``{"source": "user", "paths": [], "except": [".claude/"]}``. A name in its `enable` is that of an
optional manifest, which counts just before the one that enables it.

A bad manifest is refused whole, a bad path of the template or of the user by itself; the others
still apply.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from coder_ws_runtime.documents.cache import load_validated
from coder_ws_runtime.errors import RefusedError, UserError, locate_errors
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.combine import combined
from coder_ws_runtime.persist.manifest.entry import Declarations, Entry, Kind, Scope, Step, on_volume
from coder_ws_runtime.persist.manifest.paths import normalise_path
from coder_ws_runtime.persist.migrations.steps import steps_of
from coder_ws_runtime.settings import Settings

_MODEL_FILE = __file__.replace("load.py", "model.py")
# A manifest is written by hand; something this large is another kind of file.
_SIZE_LIMIT = 16 << 20
SCHEMA = "schema.json"
"""The JSON Schema of manifests, which lies beside them."""


def load_declarations(layout: Layout, settings: Settings) -> Declarations:
    """All that is declared for this workspace, and what was refused with its reason."""
    collected = _Collected(layout, settings.workspace.id)
    for file in manifest_files(layout):
        collected.manifest(file)
    _collect_template(collected, layout, settings)
    for file in user_files(layout, settings.workspace.id):
        if file.exists():
            collected.manifest(file)
    return collected.result()


def _collect_template(collected: "_Collected", layout: Layout, settings: Settings) -> None:
    for index, value in enumerate(settings.home_persist_paths):
        collected.path(value, "template", f"{layout.settings_file}:$.home_persist_paths[{index}]")


def template_entries(layout: Layout, settings: Settings) -> list[Entry]:
    """What the template declares, without what is refused of it."""
    collected = _Collected(layout, settings.workspace.id)
    _collect_template(collected, layout, settings)
    return collected.found


def manifest_files(layout: Layout) -> list[Path]:
    """The image's manifests, in their order."""
    return _manifests_in(layout.manifest_dir)


def available_file(layout: Layout, name: str) -> Path:
    """Where the optional manifest of a name lies, if the image has it."""
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
    """Where the user's own paths are kept on the volume: for all workspaces, and for this one."""
    files = [layout.state / "manifests/user.json"]
    if workspace_id:
        files.append(layout.state / f"manifests/workspace-{workspace_id}.json")
    return files


def read(layout: Layout, file: Path) -> dict[str, Any]:
    """One manifest, checked and normalised as the model says.

    Raises:
        RefusedError: it cannot be read, or is no manifest.
    """
    place = str(file)
    try:
        fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as opened:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise RefusedError("is not a regular file", code="manifest.unreadable", place=place)
            document = opened.read(_SIZE_LIMIT + 1)
    except OSError as error:
        raise RefusedError(
            f"cannot be read: {error.strerror}", code="manifest.unreadable", place=place
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
            hint="save it in that encoding",
        ) from error

    def validate(raw: bytes) -> Any:  # noqa: ANN401 - a JSON value
        from coder_ws_runtime.persist.manifest import model as manifest_model  # noqa: PLC0415 - pydantic is slow to import

        return manifest_model.validate(raw, place=place)

    cache = layout.ledger_dir / "validated"
    value: dict[str, Any] = load_validated(
        document, place=place, model_file=_MODEL_FILE, validate=validate, cache_dir=cache
    )
    return value


def entries_of(layout: Layout, manifest: dict[str, Any], place: str, workspace_id: str) -> list[Entry]:
    """The entries of one manifest.

    Raises:
        RefusedError: one of its paths is not allowed, or needs a workspace id that is not known.
    """
    return [
        entry_of(layout, value, manifest["source"], f"{place}:$.paths[{index}]", workspace_id)
        for index, value in enumerate(manifest["paths"])
    ]


def entry_of(layout: Layout, value: dict[str, Any], source: str, place: str, workspace_id: str) -> Entry:
    """One path as an entry. Raises RefusedError, with its place."""
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


class _Collected:
    """Entries in their order, and what is refused."""

    def __init__(self, layout: Layout, workspace_id: str) -> None:
        self.layout = layout
        self.workspace_id = workspace_id
        self.found: list[Entry] = []
        self.excepted: list[Entry] = []
        self.steps: list[Step] = []
        self.refused: list[UserError] = []
        self.enabled: dict[str, Path] = {}

    def manifest(self, file: Path) -> None:
        """Add one manifest with those that it enables, or refuse it whole."""

        def add() -> None:
            value = read(self.layout, file)
            entries = entries_of(self.layout, value, str(file), self.workspace_id)
            steps = list(steps_of(self.layout, value, str(file), self.workspace_id))
            excepted = excepted_of(self.layout, value, str(file))
            for name in value["enable"]:
                self._enable(name)
            self.excepted += [entry for entry in self.found if entry.path in excepted]
            self.found = [entry for entry in self.found if entry.path not in excepted] + entries
            self.steps += steps

        self._or_refuse(add)

    def _enable(self, name: str) -> None:
        """Add an optional manifest, once. Another image of the same owner may not have it: no fault."""
        file = available_file(self.layout, name)
        if name not in self.enabled and file.exists():
            self.enabled[name] = file
            self.manifest(file)

    def path(self, value: object, source: str, place: str) -> None:
        """Add one path, or refuse it."""

        def add() -> None:
            from coder_ws_runtime.persist.manifest import model as manifest_model  # noqa: PLC0415 - as above

            checked = manifest_model.validate_path(value, place=place)
            self.found.append(entry_of(self.layout, checked, source, place, self.workspace_id))

        if isinstance(value, str):  # nothing to validate: the rules of paths tell

            def add_string() -> None:
                plain = {"path": value, "scope": "owner", "mode": None, "why": ""}
                self.found.append(entry_of(self.layout, plain, source, place, self.workspace_id))

            self._or_refuse(add_string)
        else:
            self._or_refuse(add)

    def _or_refuse(self, add: Callable[[], None]) -> None:
        try:
            add()
        except UserError as error:
            self.refused.append(error)

    def result(self) -> Declarations:
        entries, conflicts = combined(self.found)
        paths = {entry.path for entry in entries}
        excepted = tuple(entry for entry in self.excepted if entry.path not in paths)
        refused = (*self.refused, *conflicts)
        return Declarations(tuple(entries), tuple(self.steps), refused, excepted, dict(self.enabled))


def excepted_of(layout: Layout, manifest: dict[str, Any], place: str) -> set[str]:
    """The paths that a manifest takes out. Raises RefusedError, with its place."""
    paths: set[str] = set()
    for index, written in enumerate(manifest["except"]):
        with locate_errors(f"{place}:$.except[{index}]"):
            paths.add(normalise_path(written, str(layout.home)))
    return paths
