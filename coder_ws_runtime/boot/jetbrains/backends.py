"""Old IDE backends on the volume: find and remove them."""

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from coder_ws_runtime.boot.jetbrains.observe import children, is_used, paths_in_use
from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.fs.removing import remove_tree
from coder_ws_runtime.fs.usage import Usage, measure
from coder_ws_runtime.layout import Layout

PRODUCT_INFO = "product-info.json"

_LEAVING = ".pruned-"
"""Prefix of a backend that is being removed; Toolbox no longer takes it for an IDE."""


@dataclass(frozen=True, slots=True)
class Backend:
    """An IDE in ``.jetbrains-dist``, as its ``product-info.json`` describes it."""

    path: Path
    product: str
    """Its product code, e.g. ``GO``: versions are compared within one product."""
    name: str
    version: str
    build: tuple[int, ...]
    used: bool = False
    """Whether a program of this workspace runs from it."""

    @property
    def title(self) -> str:
        """Name and version, for people."""
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class Choice:
    """Whether to keep a backend, and why."""

    backend: Backend
    keep: bool
    reason: str


def backends(layout: Layout) -> list[Backend]:
    """The backends on the volume. A directory without a readable description is ignored."""
    found = []
    used = paths_in_use(layout.proc)
    for path in children(layout.jetbrains_dist):
        if path.name.startswith(".") or path.is_symlink():
            continue
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            info = json.loads((path / PRODUCT_INFO).read_bytes())
            product, build, version = info["productCode"], info["buildNumber"], info.get("version", "")
            if not all(isinstance(value, str) and value for value in (product, build)):
                continue
            numbers = tuple(int(part) for part in re.findall(r"\d+", build))
            name = str(info.get("name", product))
            found.append(Backend(path, product, name, str(version), numbers, is_used(path, used)))
    return found


def choose(found: Sequence[Backend], keep: int) -> list[Choice]:
    """Keep the newest `keep` of each product and those in use. Sorted by product, newest first."""
    choices = []
    for product in sorted({backend.product for backend in found}):
        same = [backend for backend in found if backend.product == product]
        for rank, backend in enumerate(sorted(same, key=lambda one: (one.build, one.path), reverse=True)):
            if rank < keep:
                choices.append(Choice(backend, keep=True, reason="the newest" if rank == 0 else "recent"))
            elif backend.used:
                choices.append(Choice(backend, keep=True, reason="in use"))
            else:
                choices.append(Choice(backend, keep=False, reason=f"{keep} newer kept"))
    return choices


def remove(
    layout: Layout, chosen: Sequence[Choice], *, others: Callable[[], list[str]]
) -> Iterator[tuple[Choice, int]]:
    """Remove the backends that are not kept; yields each with its size in bytes after it is removed.

    Raises:
        RefusedError: another workspace of the owner runs and may use an IDE from there; or a
            backend cannot be removed.
    """
    if not layout.jetbrains_dist.is_dir():
        return
    fd = os.open(layout.jetbrains_dist, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for choice in chosen:
            if choice.keep:
                continue
            _refuse_if_shared(others())
            path = choice.backend.path
            usage = measured(choice.backend)
            try:
                leaving = f"{_LEAVING}{path.name}"
                os.rename(path.name, leaving, src_dir_fd=fd, dst_dir_fd=fd)
                remove_tree(fd, leaving)
            except OSError as error:
                raise RefusedError(
                    f"cannot remove it: {error.strerror}", code="jetbrains.failed", place=str(path)
                ) from error
            yield choice, usage.size if usage else 0
        # Left by an earlier run that was stopped while it removed this.
        for name in os.listdir(fd):
            if name.startswith(_LEAVING):
                _refuse_if_shared(others())
                remove_tree(fd, name)
    finally:
        os.close(fd)


def _refuse_if_shared(others: list[str]) -> None:
    if others:
        raise RefusedError(
            f"your other workspaces are running and may use an IDE from there: {', '.join(others)}",
            code="jetbrains.shared",
            hint="stop them, and try again",
        )


def measured(backend: Backend, *, until: float | None = None) -> Usage | None:
    """The size of a backend; None if it was removed.

    Args:
        backend: the backend to measure.
        until: as of :func:`coder_ws_runtime.fs.usage.measure`.
    """
    try:
        fd = os.open(backend.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return measure(fd, backend.path.name, until=until)
    except OSError:
        return None
    finally:
        os.close(fd)
