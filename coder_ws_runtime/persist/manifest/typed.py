"""Paths as a user types them in a shell."""

import os
from pathlib import Path

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.manifest.paths import in_shell, normalise_path


def typed(written: str, home: Path, cwd: str, *, command: str = "home-persist add") -> str:
    """The path relative to the home that a user means.

    ``~/x``, ``$HOME/x``, the absolute path and ``x`` mean the same wherever the user is; ``./x`` and
    ``../x`` mean what they mean to the shell.

    Args:
        written: what was typed.
        home: the home.
        cwd: where it was typed; empty if that is not known.
        command: what the hint shows.

    Raises:
        RefusedError: it is not allowed (:mod:`coder_ws_runtime.persist.manifest.paths`), or it is not in the
            home while something of that name is where the user is.
    """
    place = str(home)
    if written in (".", "..") or written.startswith(("./", "../")):
        if not cwd:
            raise RefusedError(
                f"path {written!r} is relative to a directory that is gone",
                code="path.refused",
                hint="write it relative to the home",
            )
        meant = _seen_from_home(os.path.normpath(f"{cwd}/{written}"), home)
        if not meant.startswith(f"{place}/"):
            what = "the whole home" if meant == place else f"{meant}, which is not in the home"
            raise RefusedError(
                f"path {written!r} is {what}", code="path.refused", hint="name what is in the home"
            )
        return normalise_path(meant, place)
    path = normalise_path(_seen_from_home(written, home), place)
    here = _seen_from_home(f"{cwd}/{written}", home)
    if written.startswith(("/", "~", "$")) or not here.startswith(f"{place}/"):
        return path
    if not os.path.lexists(f"{place}/{path}") and os.path.lexists(here):
        elsewhere = normalise_path(here, place)
        raise RefusedError(
            f"paths are relative to the home, and ~/{path} is not there; ~/{elsewhere} is",
            code="path.elsewhere",
            place=written,
            hint=f"{command} {in_shell(elsewhere)}, or {command} {in_shell(path)} if that is meant",
        )
    return path


def _seen_from_home(path: str, home: Path) -> str:
    """An absolute path below the home by its real name, as one below the home's own."""
    real = f"{os.path.realpath(home)}/"
    return f"{home}/{path[len(real) :]}" if path.startswith(real) else path


def working_directory(environment_pwd: str) -> str:
    """Where the user is, by the name that the shell shows: a link of ours leads onto the volume.

    Args:
        environment_pwd: the variable ``PWD``; it counts only while it is true.
    """
    try:
        if environment_pwd and os.path.samefile(environment_pwd, "."):
            return environment_pwd
        return os.getcwd()
    except OSError:
        return ""
