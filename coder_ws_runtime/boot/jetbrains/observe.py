"""Look at IDEs, their files, the data that need not be kept, and who uses it."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.layout import Layout

PROPERTIES = "idea.properties"

IDE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*\d{4}\.\d+[A-Za-z0-9.-]*")
"""Product and version, as in ``IntelliJIdea2024.3``: the name of an IDE's directory."""

PER_PROJECT = "RemoteDev-"
"""Before 2024, a backend had a directory of this name, with one directory per project in it."""

_TRANSIENT = ("Daemon", "Toolbox/download", "Toolbox/backup")
_TRANSIENT_OF_IDE = ("caches", "logs")
_LOCK_FILES = (".lock", ".port")


@dataclass(frozen=True, slots=True)
class Settings:
    """A settings file. `ide` is empty if it applies to all IDEs, `content` is None if there is no file."""

    path: Path
    ide: str
    content: bytes | None
    problem: str = ""
    """Why it cannot be read; empty if it can be or does not exist."""
    dangling: Path | None = None
    """The user's link in its path that leads nowhere yet; a directory made there would be in the way."""


@dataclass(frozen=True, slots=True)
class Transient:
    """Something on the volume that need not be kept. `used`: whether a program here has it open."""

    path: Path
    used: bool


@dataclass(frozen=True, slots=True)
class LockFile:
    """A file that shows that an IDE runs. `changed` is its modification time."""

    path: Path
    changed: float
    shared: bool
    """Whether the owner's other workspaces see it too."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that the plan needs."""

    environment: Settings
    """Toolbox's ``environment.json``."""
    properties: tuple[Settings, ...]
    missing: tuple[Path, ...]
    """Directories that should exist."""
    transients: tuple[Transient, ...]
    locks: tuple[LockFile, ...]
    born: float
    """When this container started, in seconds since the epoch; 0 if unknown."""
    others: tuple[str, ...]
    """IDs of the owner's other workspaces that are running."""
    cache_lasts: bool
    """Whether ``~/.cache/JetBrains`` is on the volume."""
    properties_last: bool = True
    """Whether the file in the home is on the volume, so that the user's changes are kept."""


def environment_file(layout: Layout) -> Path:
    """The file in which Toolbox reads what it may do."""
    return layout.jetbrains_data / "Toolbox/environment.json"


def observe(layout: Layout, *, others: Callable[[], list[str]]) -> Observed:
    """Look at the workspace. Changes nothing.

    Args:
        layout: the workspace.
        others: returns the IDs of the owner's other workspaces that are running.
    """
    config, data = _ide_directories(layout.jetbrains_config), _ide_directories(layout.jetbrains_data)
    # Only where settings exist: an IDE that finds a directory for its version does not import the
    # settings of the previous version. Until then the file in the home applies to it.
    files = [(layout.home, ""), *((path, path.name) for path in config)]
    per_project = [
        path for parent in children(layout.jetbrains_config, PER_PROJECT) for path in children(parent)
    ]
    system = _ide_directories(layout.jetbrains_tmp / "system")
    places = [layout.jetbrains_data / name for name in _TRANSIENT]
    places += [path / name for path in (*config, *data) for name in _TRANSIENT_OF_IDE]
    # A link's target is the user's business.
    found = [path for path in places if not path.is_symlink() and _has_content(path)]
    used = paths_in_use(layout.proc) if found else frozenset[str]()
    return Observed(
        environment=_settings(environment_file(layout), layout.home),
        properties=tuple(_settings(path / PROPERTIES, layout.home, ide) for path, ide in files),
        missing=tuple(
            path
            for path in (layout.jetbrains_dist, *(layout.jetbrains_tmp / part for part in ("system", "log")))
            if not path.is_dir()
        ),
        transients=tuple(Transient(path, is_used(path, used)) for path in found),
        locks=(*_locks([*config, *per_project], shared=True), *_locks(system, shared=False)),
        born=container_start(layout.proc),
        others=tuple(others()),
        cache_lasts=_is_on_volume(layout, layout.jetbrains_cache),
        properties_last=_is_on_volume(layout, layout.home / PROPERTIES),
    )


def _is_on_volume(layout: Layout, path: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(layout.volume))


def paths_in_use(proc: Path) -> frozenset[str]:
    """Every path that a program of this container executes, maps, has open, or has as working directory.

    Programs whose /proc entries we may not read are left out.
    """
    paths: set[str] = set()
    for entry in proc.iterdir() if proc.is_dir() else ():
        if not entry.name.isdecimal():
            continue
        links = [entry / "exe", entry / "cwd"]
        with contextlib.suppress(OSError):
            links += list((entry / "fd").iterdir())
        for link in links:
            with contextlib.suppress(OSError):
                paths.add(str(link.readlink()))
        with contextlib.suppress(OSError):
            lines = (entry / "maps").read_text(errors="replace").splitlines()
            paths.update(line[line.index("/") :] for line in lines if "/" in line)
    return frozenset(path for path in paths if path.startswith("/"))


def is_used(directory: Path, used: frozenset[str]) -> bool:
    """Whether one of the paths `used` is `directory` or is below it."""
    real = os.path.realpath(directory)
    return any(path == real or path.startswith(f"{real}/") for path in used)


def _has_content(directory: Path) -> bool:
    try:
        return any(directory.iterdir())
    except OSError:
        return False


def _ide_directories(parent: Path) -> list[Path]:
    return [path for path in children(parent) if IDE_NAME.fullmatch(path.name)]


def children(parent: Path, prefix: str = "") -> list[Path]:
    """The directories in `parent`, sorted; empty if it does not exist or cannot be read."""
    try:
        found = sorted(parent.iterdir())
    except OSError:
        return []
    return [path for path in found if path.name.startswith(prefix) and path.is_dir()]


def _locks(directories: list[Path], *, shared: bool) -> Iterator[LockFile]:
    for directory in directories:
        for name in _LOCK_FILES:
            with contextlib.suppress(OSError):
                yield LockFile(directory / name, (directory / name).lstat().st_mtime, shared)


def _settings(path: Path, home: Path, ide: str = "") -> Settings:
    try:
        return Settings(path, ide, path.read_bytes())
    except FileNotFoundError:
        return Settings(path, ide, None, dangling=_dangling_link(path, home))
    except OSError as error:
        return Settings(path, ide, None, error.strerror or str(error))


def _dangling_link(path: Path, home: Path) -> Path | None:
    """The link that leads nowhere, at the path or above it in the home; None if there is none."""
    if not path.is_relative_to(home):
        return None
    above = [path, *path.parents]
    inside = [place for place in above if place != home and place.is_relative_to(home)]
    return next((place for place in reversed(inside) if place.is_symlink() and not place.exists()), None)


def container_start(proc: Path) -> float:
    """When PID 1 started: its start time in clock ticks after the kernel booted (proc(5))."""
    try:
        boot = next(
            int(line.split()[1])
            for line in (proc / "stat").read_text().splitlines()
            if line.startswith("btime ")
        )
        ticks = int((proc / "1/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError, StopIteration):
        return 0.0
    return boot + ticks / os.sysconf("SC_CLK_TCK")
