"""Links in persisted content that lead to something that is not kept. Changes nothing."""

import os
from collections.abc import Mapping

from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.persist.manifest.entry import DETOURS


def links_that_die(home: Anchor, path: str, links: Mapping[str, str]) -> dict[str, str]:
    """The links that lead to content of the home that is not persisted, and is lost with the container.

    Args:
        home: the home.
        path: the declared path that contains the links.
        links: their texts, by path within the declared path.

    Returns:
        Those links, by path within the declared path.
    """
    root = os.path.realpath(home.path)
    device = os.fstat(home.fd).st_dev
    lost: dict[str, str] = {}
    for inner, text in links.items():
        if text == f"{home.path}/{DETOURS}/{path}/{inner}":  # a child's, in every home
            continue
        target = os.path.realpath(os.path.join(root, os.path.dirname(os.path.join(path, inner)), text))
        try:
            found = os.stat(target)
        except OSError:  # it already leads nowhere
            continue
        if target.startswith(f"{root}/") and found.st_dev == device:
            lost[inner] = text
    return lost
