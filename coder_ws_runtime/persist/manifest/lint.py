"""Check declarations before they apply: all faults of each, and known problems."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.combine import combine
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.manifest.files import (
    available_files,
    manifest_files,
    read,
    read_document,
    user_files,
)
from coder_ws_runtime.persist.manifest.load import (
    Collected,
    entry_of,
    excepted_of,
    load_declarations,
)
from coder_ws_runtime.persist.manifest.paths import normalise_path
from coder_ws_runtime.persist.manifest.steps import steps_of
from coder_ws_runtime.persist.manifest.tolerant import read_tolerantly
from coder_ws_runtime.persist.manifest.traps import Trap, trap
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.text import find_nearest

# Stands for this workspace if a manifest is checked outside of one.
_SOME_WORKSPACE = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Checked:
    """One source and its faults."""

    place: str
    """The file."""
    paths: int
    """How many paths it declares; 0 if it is refused."""
    faults: tuple[UserError, ...]
    traps: tuple[Trap, ...]


def check_files(layout: Layout, files: Iterable[Path], workspace_id: str) -> list[Checked]:
    """Check manifests in any directory, each alone and then against one another.

    Args:
        layout: the home to which their paths are relative.
        files: the manifests.
        workspace_id: for paths with the scope ``workspace``; empty: any.
    """
    entries: dict[str, list[Entry]] = {}
    faults: dict[str, list[UserError]] = {}
    for file in files:
        entries[str(file)], faults[str(file)] = _check(layout, file, workspace_id or _SOME_WORKSPACE)
    conflicts = combine([entry for found in entries.values() for entry in found]).refused
    for place, own in faults.items():
        own += [error for error in conflicts if _is_of(error.place, place)]
    return [Checked(place, len(own), tuple(faults[place]), _traps(own)) for place, own in entries.items()]


def check_workspace(layout: Layout, settings: Settings) -> list[Checked]:
    """Check all sources of this workspace as they apply together, in their order."""
    workspace_id = settings.workspace.id
    found = load_declarations(layout, settings)
    checked: list[Checked] = []

    def add(file: Path, entries: list[Entry], faults: list[UserError], more: Iterable[Trap] = ()) -> None:
        known = {(fault.place, fault.message) for fault in faults}
        others = [error for error in found.refused if _is_of(error.place, str(file))]
        faults += [error for error in others if (error.place, error.message) not in known]
        checked.append(Checked(str(file), len(entries), tuple(faults), (*_traps(entries), *more)))

    for file in manifest_files(layout):
        add(file, *_check(layout, file, workspace_id))
    template = Collected(layout, workspace_id)
    template.template(settings)
    unknown = _as_traps([*settings.warnings, *template.warnings])
    if settings.home_persist_paths or unknown:
        add(layout.settings_file, template.found, [], unknown)
    for file in user_files(layout, workspace_id):
        if file.exists():
            add(file, *_check_written(layout, file, workspace_id))
    for file in found.enabled.values():
        add(file, *_check(layout, file, workspace_id))
    return checked


def _check_written(
    layout: Layout, file: Path, workspace_id: str
) -> tuple[list[Entry], list[UserError], list[Trap]]:
    """Like `_check`, for a manifest that a program wrote; and what has no effect here."""
    alone = Collected(layout, workspace_id)
    alone.written(file)
    entries = [entry for entry in alone.found if _is_of(entry.place, str(file))]
    faults = [error for error in alone.refused if _is_of(error.place, str(file))]
    return entries, faults, [*_as_traps(alone.warnings), *_not_available(layout, file)]


def _as_traps(warnings: Iterable[UserError]) -> list[Trap]:
    return [Trap(error.code, error.message, error.place, error.hint) for error in warnings]


def _not_available(layout: Layout, file: Path) -> Iterator[Trap]:
    """The names that a manifest enables, but for which this image has no optional manifest."""
    try:
        names = read_tolerantly(read_document(file), str(file)).enable
    except UserError:  # reported elsewhere
        return
    known = [available.stem for available in available_files(layout)]
    for index, name in enumerate(names):
        if name not in known:
            near = find_nearest(name, known)
            yield Trap(
                "trap.not-available",
                f"this image has no optional manifest {name!r}",
                f"{file}:$.enable[{index}]",
                f"did you mean {near!r}?" if near else "another image may have it",
            )


def _is_of(place: str, file: str) -> bool:
    return place == file or place.startswith(f"{file}:")


def _check(layout: Layout, file: Path, workspace_id: str) -> tuple[list[Entry], list[UserError]]:
    """The entries of one manifest, and all of its faults."""
    place = str(file)
    try:
        manifest = read(layout, file)
    except UserError as error:
        return [], _all(layout, file, error)
    entries: list[Entry] = []
    faults: list[UserError] = []
    for index, value in enumerate(manifest["paths"]):
        try:
            where = f"{place}:$.paths[{index}]"
            entries.append(entry_of(layout, value, manifest["source"], where, workspace_id))
        except UserError as error:
            faults.append(error)
    try:
        excepted_of(layout, manifest, place)
        list(steps_of(layout, manifest, place, workspace_id))
    except UserError as error:
        faults.append(error)
    return entries, faults


def _all(layout: Layout, file: Path, first: UserError) -> list[UserError]:
    """All faults of a file whose first fault is known, including paths that are not allowed."""
    if first.code in _WHOLE:
        return [first]
    from coder_ws_runtime.persist.manifest import model as manifest_model  # noqa: PLC0415 - pydantic is slow to import

    document = file.read_bytes()
    faults: list[UserError] = [*manifest_model.all_faults(document, place=str(file))]
    return [*faults, *_refused_paths(layout, document, str(file))] or [first]


# There is nothing else in the file to check.
_WHOLE = frozenset({"manifest.unreadable", "manifest.not-json"})


def _refused_paths(layout: Layout, document: bytes, place: str) -> Iterator[UserError]:
    """The paths that are not allowed in a manifest, whatever the rest of it is."""
    try:
        value = json.loads(document)
    except ValueError:  # what pydantic accepts and Python does not, e.g. a number of 5,000 digits
        return
    paths = value.get("paths") if isinstance(value, dict) else None
    for index, item in enumerate(paths if isinstance(paths, list) else ()):
        written = item.get("path") if isinstance(item, dict) else item
        if isinstance(written, str) and written:
            try:
                normalise_path(written, str(layout.home))
            except UserError as error:
                error.place = f"{place}:$.paths[{index}]"
                yield error


def _traps(entries: Iterable[Entry]) -> tuple[Trap, ...]:
    return tuple(found for entry in entries if (found := trap(entry)))
