"""What file systems say, in words that help."""

import errno

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.anchored import BlockedPathError

_FAILURES = {
    errno.ENOSPC: ("path.no-space", "the volume is full", "make room on it, then: home-persist resolve"),
    errno.EDQUOT: ("path.no-space", "the volume's quota is used up", "make room, then: home-persist resolve"),
    errno.EROFS: ("path.read-only", "the file system is read-only", "mount it writable"),
    errno.EACCES: ("path.permission", "permission denied", "look at owner and mode: ls -ld"),
    errno.EPERM: ("path.permission", "not permitted", "look at owner and attributes: ls -ld, lsattr -d"),
    errno.EIO: ("path.io", "input/output error", "look at the host's disk: dmesg"),
}


def failure_of(place: str, error: OSError) -> UserError:
    """What a file system said, for a person. What was at the place is as it was.

    Args:
        place: the path that was worked on, as the user writes it.
        error: what was raised.
    """
    if isinstance(error, BlockedPathError):
        what = "a symlink" if error.is_link else "not a directory"
        return RefusedError(
            f"{error.component!r} on the way to it is {what}",
            code="path.blocked",
            place=place,
            hint=f"declare {error.component + '/'!r} itself, or remove what is in the way",
        )
    known = _FAILURES.get(error.errno or 0)
    code, what, hint = known or ("path.failed", (error.strerror or str(error)).lower(), "")
    name = f" ({error.filename})" if isinstance(error.filename, str) else ""
    return RefusedError(f"{what}{name}; left as it was", code=code, place=place, hint=hint)
