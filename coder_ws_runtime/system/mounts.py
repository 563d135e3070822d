"""What is mounted where, as proc_pid_mountinfo(5) tells it."""

import os
from pathlib import Path


def parse_mounts(text: str) -> dict[str, str]:
    """Where something is mounted, and which path of its file system that is.

    Where several mounts lie over each other, the last counts.
    """
    mounts = {}
    for line in text.splitlines():
        fields = line.split(" ")
        if len(fields) > 4:  # noqa: PLR2004 - mount ID, parent ID, device, root, mount point
            mounts[unescaped(fields[4])] = unescaped(fields[3])
    return mounts


def unescaped(field: str) -> str:
    """A field of mountinfo as it is: blanks and backslashes are written as octal numbers in it."""
    for octal, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(octal, char)
    return field


def mounted_in(proc: Path, path: Path) -> str | None:
    """The first mount point at or below a path, relative to it: empty for the path itself; None if none is.

    Args:
        proc: the process file system; where it tells nothing, nothing is mounted.
        path: an absolute path; links in its parents are followed.
    """
    try:
        text = (proc / "self/mountinfo").read_text(errors="replace")
    except OSError:
        return None
    own = os.path.join(os.path.realpath(path.parent), path.name)
    return min(
        (point[len(own) + 1 :] for point in parse_mounts(text) if f"{point}/".startswith(f"{own}/")),
        default=None,
    )
