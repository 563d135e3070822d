"""A manifest's migrations as steps on the volume."""

from __future__ import annotations

from collections.abc import Iterator

from coder_ws_runtime.errors import RefusedError, locate_errors
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import Scope, Step, on_volume
from coder_ws_runtime.persist.manifest.paths import is_below, normalise_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def steps_of(layout: Layout, manifest: dict[str, Any], place: str, workspace_id: str) -> Iterator[Step]:
    """The migrations of a manifest, for the owner's copies and for this workspace's own.

    Raises:
        RefusedError: one of its paths is not allowed, or needs a workspace ID that is not known.
    """
    for index, value in enumerate(manifest["migrations"]):
        yield from steps_of_migration(layout, value, f"{place}:$.migrations[{index}]", workspace_id)


def steps_of_migration(
    layout: Layout, value: dict[str, Any], place: str, workspace_id: str
) -> Iterator[Step]:
    """Like :func:`steps_of`, for one migration; `place` is where it is declared."""
    home = str(layout.home)
    with locate_errors(place):
        match value:
            case {"remove": path}:
                verb, old, new = "remove", normalise_path(path, home), ""
            case {"rename": [old, new]}:
                verb, old, new = "rename", normalise_path(old, home), normalise_path(new, home)
                _refuse_overlap(old, new)
            case {"rescope": {"path": path, "to": to}}:
                path = normalise_path(path, home)
                own = on_volume(path, Scope.WORKSPACE, workspace_id)
                if to == "workspace":
                    yield Step(value["id"], "rescope", path, own, place)
                else:
                    yield Step(value["id"], "rescope", own, path, place, workspace_id)
                return
        yield Step(value["id"], verb, old, new, place)
        if workspace_id:
            own, to = (path and on_volume(path, Scope.WORKSPACE, workspace_id) for path in (old, new))
            yield Step(value["id"], verb, own, to, place, workspace_id)


def _refuse_overlap(old: str, new: str) -> None:
    if old == new or is_below(old, new) or is_below(new, old):
        raise RefusedError(
            f"{old!r} cannot be renamed to {new!r}: they are the same, or one is inside the other",
            code="manifest.migration",
            hint="choose a new path that is next to the old one",
        )
