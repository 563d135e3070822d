"""System packages that were installed after the container was created."""

import os
import re

from coder_ws_runtime.layout import Layout
from coder_ws_runtime.system import text_file

_AUTOMATIC = re.compile(r"^Package: (\S+)\n(?:.+\n)*?Auto-Installed: 1$", re.MULTILINE)
"""Matches packages that apt installed as dependencies (its file extended_states)."""


def installed(layout: Layout, since: float) -> list[str]:
    """The names of packages that a person has installed, sorted.

    For each package, dpkg(1) writes a list of its files when it installs the package.

    Args:
        layout: the workspace.
        since: when the container was created, in seconds since the epoch.
    """
    directory = layout.root / "var/lib/dpkg/info"
    newer = set()
    try:
        with os.scandir(directory) as listing:
            for entry in listing:
                if entry.name.endswith(".list") and entry.stat(follow_symlinks=False).st_ctime > since:
                    newer.add(entry.name.removesuffix(".list").partition(":")[0])
    except OSError:
        return []
    if not newer:
        return []
    states = text_file.read(layout.root / "var/lib/apt/extended_states", 1 << 22)
    return sorted(newer - set(_AUTOMATIC.findall(states)))
