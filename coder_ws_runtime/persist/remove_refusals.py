"""What `home-persist remove` refuses, and what the user may have meant instead."""

from collections.abc import Sequence
from pathlib import Path

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.persist.manifest.entry import Declarations, Entry
from coder_ws_runtime.persist.manifest.paths import in_shell
from coder_ws_runtime.persist.reconcile.plan import removal_of
from coder_ws_runtime.text import find_nearest


def used_elsewhere(path: str, workspaces: Sequence[str]) -> UserError:
    """Other workspaces that are running may use the owner's copy."""
    return RefusedError(
        f"the owner's copy stays: other workspaces may be using it ({', '.join(workspaces)})",
        code="path.used-elsewhere",
        place=f"~/{path}",
        hint="stop that workspace, then run this again",
    )


def covered(path: str, parent: Entry) -> UserError:
    """The path is kept as part of another one."""
    return RefusedError(
        f"is kept as part of ~/{parent.path}/, by {parent.source} ({parent.place})",
        code="path.covered",
        place=f"~/{path}",
        hint=f"you can only remove the whole: {removal_of(parent)}",
    )


def only_parts_declared(path: str, inner: Sequence[Entry]) -> UserError:
    """The path itself is not declared, but parts of it are."""
    parts = [in_shell(part.path) for part in inner]
    return RefusedError(
        f"is not declared itself, but {', '.join(parts)} in it {'is' if len(parts) == 1 else 'are'}",
        code="path.not-declared",
        place=f"~/{path}",
        hint=" && ".join(removal_of(part) for part in inner),
    )


def other_scope(entry: Entry) -> UserError:
    """The path is kept with another scope than the one to remove."""
    return RefusedError(
        f"has the scope '{entry.scope.value}', by {entry.source} ({entry.place})",
        code="path.other-scope",
        place=f"~/{entry.path}",
        hint=f"home-persist remove --scope {entry.scope.value} {in_shell(entry.path)}",
    )


def not_yours(entry: Entry, available: Path) -> UserError:
    """Another source declares the path; `available` is the directory of the optional manifests."""
    fix = f"home-persist remove --switch-off {in_shell(entry.path)} stops it in all your workspaces"
    file = Path(entry.place.partition(":$")[0])
    if file.parent == available:
        fix = f"home-persist disable {file.stem}, or: {fix}"
    if entry.source == "template":
        fix = f"remove it from the workspace's parameters in Coder, or: {fix}"
    return RefusedError(
        f"is declared by {entry.source} ({entry.place}), not by you",
        code="path.not-yours",
        place=f"~/{entry.path}",
        hint=fix,
    )


def not_declared(path: str, known: Declarations) -> UserError:
    """Nothing declares the path; the hint is what the user may have meant."""
    off = [entry for entry in known.excepted if entry.path == path]
    if off:
        return RefusedError(
            "is already switched off",
            code="path.off",
            place=f"~/{path}",
            hint=f"home-persist add {in_shell(path)}",
        )
    near = find_nearest(path, [entry.path for entry in known.entries])
    return RefusedError(
        "is not declared",
        code="path.not-declared",
        place=f"~/{path}",
        hint=f"did you mean {in_shell(near)}?" if near else "home-persist status lists what is",
    )


def in_use(path: str, inside: str) -> UserError:
    """A program has content of the path open for writing."""
    what = f"a program is writing {inside!r} in it" if inside else "a program is writing it"
    file = in_shell(f"{path}/{inside}" if inside else path)
    return RefusedError(
        f"{what}; nothing was moved",
        code="path.in-use",
        place=f"~/{path}",
        hint=f"close the program (fuser -v {file} names it), then: home-persist remove {in_shell(path)}",
    )
