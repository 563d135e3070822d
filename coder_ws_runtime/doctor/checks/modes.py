"""Modes of what is kept: the user can enter, read and write it."""

import os
import shlex
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from coder_ws_runtime.doctor.checks.home import declarations
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Finding, Remedy, failure
from coder_ws_runtime.persist.manifest.entry import Entry

_SHARED = (".cache", ".config", ".local", ".local/share", ".local/state", ".ssh")
"""Directories of the home that programs need, even if nothing in them is declared."""
_SHOWN = 5
_MANY = 1000
"""At most this many items of a directory are checked."""
_WHOLE, _ENTERED, _READ = 0o700, 0o500, 0o400


def problems(context: Context, uid: int) -> Iterator[Finding]:
    """What belongs to the user, who cannot enter, read or write it; one finding.

    Args:
        context: the workspace.
        uid: the user's ID.
    """
    closed: dict[str, tuple[int, int]] = {}
    for path, wanted in _wanted(context):
        try:
            status = os.stat(path, follow_symlinks=False)
        except OSError:
            continue
        mode, is_directory = stat.S_IMODE(status.st_mode), stat.S_ISDIR(status.st_mode)
        needed = wanted if is_directory else wanted & _READ
        if status.st_uid == uid and not stat.S_ISLNK(status.st_mode) and mode & needed != needed:
            closed[path] = mode, is_directory
    if not closed:
        return
    evidence = [f"{path}: mode {mode:04o}" for path, (mode, _) in list(closed.items())[:_SHOWN]]
    evidence += [f"and {len(closed) - _SHOWN} more"] if len(closed) > _SHOWN else []
    directories = [path for path, (_, is_directory) in closed.items() if is_directory]
    files = [path for path in closed if path not in directories]
    commands = [
        context.as_user(f"chmod {mode} {' '.join(map(shlex.quote, paths))}")
        for mode, paths in (("u+rwx", directories), ("u+rw", files))
        if paths
    ]
    first = next(iter(closed))
    verb = "write to" if directories else "read"
    problem = f"the user's programs cannot {verb} {first}, although it belongs to the user"
    remedy = Remedy("give the user access", tuple(commands), safe=True)
    about = _place(context, first)
    yield failure("home.mode-closed", problem, remedy, evidence=evidence, about=about)


def _place(context: Context, path: str) -> str:
    """The path in the home for a path on the volume."""
    for entry in context.ask(declarations).entries:
        if f"{path}/".startswith(f"{context.layout.volume}/{entry.on_volume}/"):
            return str(context.layout.home / entry.path)
    return path


def _wanted(context: Context) -> Iterator[tuple[str, int]]:
    """Paths, each with the permissions that programs need for its owner.

    Below declared directories, some have no `w` by design (Go's module cache). There, and in files, only
    modes that can never be intended count.
    """
    entries = context.ask(declarations).entries
    shared = {*_SHARED, *(str(parent) for entry in entries for parent in Path(entry.path).parents)} - {"."}
    for name in sorted(shared):
        yield str(context.layout.home / name), _WHOLE
    above = {str(parent) for entry in entries for parent in Path(entry.on_volume).parents} - {"."}
    for name in sorted(above):
        yield str(context.layout.volume / name), _WHOLE
    for entry in entries:
        yield from _kept(context, entry)


def _kept(context: Context, entry: Entry) -> Iterator[tuple[str, int]]:
    target = str(context.layout.volume / entry.on_volume)
    is_directory = os.path.isdir(target) and not os.path.islink(target)
    wanted = _WHOLE if is_directory else _READ
    yield target, wanted if entry.mode is None else wanted & entry.mode
    if not is_directory:
        return
    try:
        with os.scandir(target) as listing:
            for item in islice(listing, _MANY):
                yield item.path, _ENTERED if item.is_dir(follow_symlinks=False) else _READ
    except OSError:
        return
