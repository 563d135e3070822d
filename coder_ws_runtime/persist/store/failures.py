"""Errors of file systems, in words that help."""

import errno
import os
from collections.abc import Sequence

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.anchored import Anchor, Owner
from coder_ws_runtime.fs.errors import BlockedPathError
from coder_ws_runtime.persist.store.locks import HeldElsewhereError
from coder_ws_runtime.text import size, visible

AGAIN = "then run the same command again"
"""The end of a remedy if a command failed that the user has to give again."""
_RESOLVE = "then: home-persist resolve"
_FAILURES = {
    errno.ENOSPC: ("path.no-space", "the volume is full", "make room on it, {again}"),
    errno.EDQUOT: ("path.no-space", "the volume's quota is used up", "make room, {again}"),
    errno.EROFS: ("path.read-only", "the file system is read-only", "mount it writable"),
    errno.EACCES: ("path.permission", "permission denied", "check owner and mode: {look}"),
    errno.EPERM: (
        "path.permission",
        "not permitted",
        "check its owner ({look}), and its attributes on the host, which has lsattr and chattr",
    ),
    errno.EIO: ("path.io", "input/output error", "check the host's disk: dmesg"),
    errno.ESTALE: (
        "path.stale",
        "the server no longer has it (stale file handle)",
        "if it stays so, restart the workspace, {again}",
    ),
    errno.ENAMETOOLONG: ("path.name-too-long", "", "choose shorter names"),
}

Within = Sequence[tuple[Anchor, str, Owner]]
"""Where a failure may come from: home or volume, a path below it, and the expected owner; the home first."""


class FullHomeError(OSError):
    """The file system of the home is full: the step writes nothing else."""


def failure_of(place: str, error: OSError, *, within: Within = (), again: str = _RESOLVE) -> UserError:
    """An error of a file system, for people. What was at the path is unchanged.

    Args:
        place: the path that was worked on, as the user writes it.
        error: what was raised.
        within: where to look for the cause.
        again: the end of the remedy: what to do when the cause is gone.
    """
    if isinstance(error, BlockedPathError):
        return _blocked(place, error)
    if isinstance(error, HeldElsewhereError):
        return _held_elsewhere(place, error, again)
    if error.errno in (errno.EACCES, errno.EPERM):
        foreign = _foreign(place, within, again)
        if foreign:
            return foreign
    if error.errno in (errno.ENOSPC, errno.EDQUOT) and _is_of_home(error, within):
        return RefusedError(
            "the home's file system is full, not the volume; left as it was",
            code="path.no-space",
            place=place,
            hint=f"make room in the container (df -h ~), {again}",
        )
    if error.errno == errno.ENOSPC and _out_of_inodes(error, within):
        return RefusedError(
            "the volume has no inodes left: it has too many files, not too much data; left as it was",
            code="path.no-inodes",
            place=place,
            hint=f"remove files on it (many small ones: caches), {again}",
        )
    known = _FAILURES.get(error.errno or 0)
    code, what, hint = known or ("path.failed", "", "")
    what = what or (error.strerror or str(error)).lower()
    need, free = getattr(error, "need", 0), getattr(error, "free", 0)
    if need:
        what = f"{what}: {size(need)} do not fit into {size(free)}"
    hint = hint.format(again=again, look=_look(place, error.filename))
    name = f" ({visible(error.filename)})" if isinstance(error.filename, str) else ""
    return RefusedError(f"{what}{name}; left as it was", code=code, place=place, hint=hint)


def _look(place: str, culprit: object) -> str:
    """The command that shows owner and mode of `culprit` if that is a whole path, else of `place`."""
    import shlex  # noqa: PLC0415 - only messages need it

    if isinstance(culprit, str) and os.path.isabs(culprit):
        return f"namei -l {shlex.quote(culprit)}"
    home = "~/" if place.startswith("~/") else ""  # the shell has to replace it
    quoted = place if place == "~" else f"{home}{shlex.quote(place.removeprefix(home))}"
    return f"find {quoted} ! -readable -ls -o -type d ! -writable -ls"


def _blocked(place: str, error: BlockedPathError) -> UserError:
    what = "a symlink" if error.is_link else "not a directory"
    return RefusedError(
        f"{error.component!r} in its path is {what}",
        code="path.blocked",
        place=place,
        hint=f"declare {error.component + '/'!r} itself, or remove what is in the way",
    )


def _held_elsewhere(place: str, error: HeldElsewhereError, again: str) -> UserError:
    who = f"{error.holder} is working on it" if error.holder else "another workspace is working on it"
    return RefusedError(
        f"{who}; left as it was",
        code="path.busy-elsewhere",
        place=place,
        hint=f"if that workspace is paused or hangs, resume or stop it, {again}",
    )


def _foreign(place: str, within: Within, again: str) -> UserError | None:
    """An error that names what belongs to another user, if a permission is missing."""
    from coder_ws_runtime.persist.store.ownership import find_foreign, user_name  # noqa: PLC0415 - rarely needed

    for anchor, relative, owner in within:
        foreign = find_foreign(anchor, relative, owner)
        if foreign:
            first, more = foreign.paths[0], len(foreign.paths) - 1
            also = f" and {more} more" if more else ""
            whose = ", ".join(user_name(uid) for uid in sorted(foreign.uids))
            return RefusedError(
                f"permission denied: {visible(first)}{also} belongs to {whose}; left as it was",
                code="path.foreign-owner",
                place=place,
                hint=f"{foreign.remedy(owner)}, {again}",
            )
    return None


def _is_of_home(error: OSError, within: Within) -> bool:
    """Whether the home's file system is the full one: by the step that failed, or else by what is free now.

    A check that found no room on the volume has noted how much is needed there.
    """
    if isinstance(error, FullHomeError) or hasattr(error, "need"):
        return isinstance(error, FullHomeError)
    full = [_is_full(anchor) for anchor, _, _ in within]
    return bool(full) and full[0] and not all(full)


def _is_full(anchor: Anchor) -> bool:
    found = os.fstatvfs(anchor.fd)
    return not found.f_bavail or bool(found.f_files and not found.f_favail)


def _out_of_inodes(error: OSError, within: Within) -> bool:
    """Whether ENOSPC means inodes; a file system that does not count inodes reports a total of 0."""
    inodes = getattr(error, "inodes", None)
    if inodes is not None:
        return bool(inodes)
    for anchor, _, _ in within:
        found = os.fstatvfs(anchor.fd)
        if found.f_files and not found.f_favail and found.f_bavail:
            return True
    return False
