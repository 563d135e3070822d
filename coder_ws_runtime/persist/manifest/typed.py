"""Paths as a user types them in a shell."""

import os
from pathlib import Path

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.manifest.paths import in_shell, normalise_path


def typed(written: str, home: Path, cwd: str, *, command: str = "home-persist add") -> str:
    """The path relative to the home that a user means.

    ``~/x``, ``$HOME/x``, the absolute path and ``x`` mean the same in every directory; ``./x`` and
    ``../x`` mean what they mean in the shell.

    Args:
        written: what was typed.
        home: the home.
        cwd: the directory in which it was typed; empty if unknown.
        command: the command for the hint.

    Raises:
        RefusedError: it is not allowed (:mod:`coder_ws_runtime.persist.manifest.paths`), or it does not
            exist in the home while something with that name is in the user's directory.
    """
    place = str(home)
    if written in (".", "..") or written.startswith(("./", "../")):
        if not cwd:
            raise RefusedError(
                f"path {written!r} is relative to a directory that was deleted",
                code="path.refused",
                hint="write it relative to the home",
            )
        meant = _seen_from_home(os.path.normpath(f"{cwd}/{written}"), home)
        if not meant.startswith(f"{place}/"):
            what = "the whole home" if meant == place else f"{meant}, which is not in the home"
            raise RefusedError(
                f"path {written!r} is {what}", code="path.refused", hint="name a path in the home"
            )
        return normalise_path(meant, place)
    path = normalise_path(_seen_from_home(written, home), place)
    here = _seen_from_home(f"{cwd}/{written}", home)
    if written.startswith(("/", "~", "$")) or not here.startswith(f"{place}/"):
        return path
    if not os.path.lexists(f"{place}/{path}") and os.path.lexists(here):
        elsewhere = normalise_path(here, place)
        raise RefusedError(
            f"paths are relative to the home; ~/{path} does not exist, but ~/{elsewhere} does",
            code="path.elsewhere",
            place=written,
            hint=f"{command} {in_shell(elsewhere)}, or {command} {in_shell(path)} if you mean that",
        )
    return path


def _seen_from_home(path: str, home: Path) -> str:
    """An absolute path below the home's real path, written as one below the home's usual path."""
    real = f"{os.path.realpath(home)}/"
    return f"{home}/{path[len(real) :]}" if path.startswith(real) else path


def working_directory(environment_pwd: str) -> str:
    """The user's directory, by the name that the shell shows: one of our links leads to the volume.

    Args:
        environment_pwd: the variable ``PWD``; it is used only if it is still right.
    """
    try:
        if environment_pwd and os.path.samefile(environment_pwd, "."):
            return environment_pwd
        return os.getcwd()
    except OSError:
        return ""
