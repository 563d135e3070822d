"""What is mounted where, from proc_pid_mountinfo(5)."""

import os
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass

_SPECIAL = frozenset(" \t\n\\")
"""What mountinfo has as octal numbers."""


def parse_mounts(text: str) -> dict[str, str]:
    """Each mount point, with the path of its file system that is mounted there.

    If several mounts cover each other, the last one counts.
    """
    mounts = {}
    for line in text.split("\n"):
        fields = line.split(" ")
        if len(fields) > 4:  # noqa: PLR2004 - mount ID, parent ID, device, root, mount point
            mounts[unescaped(fields[4])] = unescaped(fields[3])
    return mounts


def unescaped(field: str) -> str:
    """A decoded field of mountinfo, which has spaces and backslashes as octal numbers."""
    if "\\" not in field:  # most have none
        return field
    for octal, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(octal, char)
    return field


def mounted_in(proc: Path, path: Path) -> str | None:
    """The first mount point at or below a path, relative to the path (then empty for itself); else None.

    Args:
        proc: the process file system; without information there, nothing is mounted.
        path: an absolute path; links in its parents are followed.
    """
    try:
        text = os.fsdecode((proc / "self/mountinfo").read_bytes())
    except OSError:
        return None
    own = os.path.join(os.path.realpath(path.parent), path.name)
    if own not in text and _SPECIAL.isdisjoint(own):  # as for most paths: a heal has no time to parse
        return None
    return min(
        (point[len(own) + 1 :] for point in parse_mounts(text) if f"{point}/".startswith(f"{own}/")),
        default=None,
    )


@dataclass(frozen=True, slots=True)
class Mount:
    """One mount from mountinfo."""

    point: str
    root: str
    """The path within the file system that is mounted there."""
    kind: str
    """The type of the file system, e.g. ``ext4``, ``nfs4``, ``fuse.sshfs``."""
    source: str
    """A device, or ``server:/path``."""
    options: frozenset[str]
    """The options of the mount and of the file system, e.g. ``ro``, ``vers=4.2``."""

    def option(self, name: str) -> str:
        """The value of an option, e.g. ``4.2`` for ``vers``; empty if it is not set."""
        return next((given.partition("=")[2] for given in self.options if given.startswith(f"{name}=")), "")


def find_mount(text: str, path: str) -> Mount | None:
    """The mount that an absolute path is on; None if mountinfo has none.

    If several mounts cover each other, the last one counts.
    """
    best: Mount | None = None
    for line in text.split("\n"):
        mount = _parse_line(line)
        if mount is None or not f"{path}/".startswith(f"{mount.point.rstrip('/')}/"):
            continue
        if best is None or len(mount.point) >= len(best.point):
            best = mount
    return best


def _parse_line(line: str) -> Mount | None:
    # A dash ends the optional fields, whose number varies.
    before, dash, after = line.partition(" - ")
    fields, rest = before.split(" "), after.split(" ")
    if not dash or len(fields) < 6 or len(rest) < 3:  # noqa: PLR2004 - up to the options; type, source, options
        return None
    options = frozenset(unescaped(option) for option in (*fields[5].split(","), *rest[2].split(",")))
    return Mount(unescaped(fields[4]), unescaped(fields[3]), rest[0], unescaped(rest[1]), options)
