"""Links of persisted content that lead to what does not last. Reads, and changes nothing."""

import os
from collections.abc import Mapping

from coder_ws_runtime.fs.anchored import Anchor


def links_that_die(home: Anchor, path: str, links: Mapping[str, str]) -> dict[str, str]:
    """Which links lead to what ends with the container: to content of the home that is not persisted.

    Args:
        home: the home.
        path: the declared path whose content the links are in.
        links: what they say, by path within that.

    Returns:
        Those links, by path within the declared path.
    """
    root = os.path.realpath(home.path)
    device = os.fstat(home.fd).st_dev
    lost: dict[str, str] = {}
    for inner, text in links.items():
        target = os.path.realpath(os.path.join(root, os.path.dirname(os.path.join(path, inner)), text))
        try:
            found = os.stat(target)
        except OSError:  # it leads nowhere already
            continue
        if target.startswith(f"{root}/") and found.st_dev == device:
            lost[inner] = text
    return lost
