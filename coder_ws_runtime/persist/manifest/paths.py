"""Rules for declared paths."""

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.store.names import DECLARED_NAME_MAX, FOREIGN, OWN, RESERVED_SUFFIXES

COMPONENTS_MAX = 64
"""The maximum number of components of a declared path. Each is a directory that is opened very often."""
PATH_MAX = 2048
"""The maximum length of a declared path in bytes: with the directories above it on the volume and in the
attic, it has to stay below the kernel's limit of 4096 (path_resolution(7))."""

_UTF_8_MAX = 4
"""The most bytes of a character."""


def normalise_path(written: str, home: str) -> str:
    """The path relative to the home, e.g. ``.config/gh`` for ``~/.config//gh/``.

    Args:
        written: as declared: relative to the home, or below ``~/``, ``$HOME/``, ``${HOME}/`` or the
            home's own absolute path.
        home: the absolute path of the home.

    Raises:
        RefusedError: the path is not allowed; the caller adds the place.
    """
    path = "" if written == home.rstrip("/") else written
    for prefix in ("~/", "$HOME/", "${HOME}/", home.rstrip("/") + "/"):
        if path.startswith(prefix):
            path = path[len(prefix) :]
            break
    components = [part for part in path.split("/") if part not in ("", ".")]
    fault = _fault(path, components) if written.strip(" ") else _EMPTY
    if fault:
        why, hint = fault
        raise RefusedError(f"path {_shortened(written)!r} {why}", code="path.refused", hint=hint)
    if len(components) > COMPONENTS_MAX:
        why = f"has {len(components)} components; at most {COMPONENTS_MAX} are allowed"
        raise _too_long(written, why)
    normalised = "/".join(components)
    length = len(normalised.encode(errors="replace"))
    if length > PATH_MAX:
        raise _too_long(written, f"has {length} bytes; at most {PATH_MAX} are allowed")
    return normalised


def _too_long(written: str, why: str) -> RefusedError:
    what = f"path {_shortened(written)!r} {why}"
    return RefusedError(what, code="path.too-long", hint="declare a directory above it")


def _shortened(written: str) -> str:
    """A path, shortened to fit into a message of one line."""
    return written if len(written) <= _SHOWN else f"{written[:_SHOWN]}…"


_SHOWN = 256


_EMPTY = ("is empty", "name a file or a directory of the home")


def _fault(path: str, components: list[str]) -> tuple[str, str] | None:
    """What is wrong with a path, and how to fix it."""
    relative = "name a path in the home, relative to it"
    blank = any(not part.strip(" ") for part in components)
    odd = not path.isprintable()
    rules: tuple[tuple[bool, str, str], ...] = (
        (path.startswith("/"), "is absolute and not below the home", relative),
        (not components or path in ("~", "$HOME", "${HOME}"), "is the whole home", "declare paths in it"),
        (path.startswith("~"), "begins with '~', which means another user's home", relative),
        (odd and any(char < " " or char == "\x7f" for char in path), "has a control character", "remove it"),
        (
            odd and any("\ud800" <= char <= "\udfff" for char in path),
            "is not valid Unicode",
            "write it in UTF-8",
        ),
        (blank, "has a name that consists of spaces", "write the actual name"),
        (".." in components, "contains '..'", "write the path without it"),
        (bool(OWN.intersection(components[:1])), "is reserved on the volume", "choose another name"),
        (
            any(part.endswith(RESERVED_SUFFIXES) for part in components),
            "has a name with an ending that is reserved, '.home-persist' or the like",
            "choose another name",
        ),
        (
            len(path) > DECLARED_NAME_MAX // _UTF_8_MAX
            and any(len(part.encode(errors="replace")) > DECLARED_NAME_MAX for part in components),
            f"has a name longer than {DECLARED_NAME_MAX} bytes",
            "choose a shorter one",
        ),
    )
    return next(((why, hint) for broken, why, hint in rules if broken), None)


def in_shell(path: str, end: str = "") -> str:
    """A path relative to the home, quoted for a shell, e.g. ``~/'a b'``; `end` is a slash or nothing."""
    import shlex  # noqa: PLC0415 - only messages need it

    return f"~/{shlex.quote(f'{path}{end}')}"


def is_own(name: str) -> bool:
    """Whether a name at the top of the volume is reserved, not a declared path's."""
    return name in OWN or name in FOREIGN


def is_below(path: str, parent: str) -> bool:
    """Whether a path is strictly below another; both normalised."""
    return path.startswith(parent + "/")
