"""Look at a declared path, in the home and on the volume. Reads, and changes nothing."""

import os
import stat
from collections.abc import Callable

from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.manifest.paths import SET_ASIDE_SUFFIX
from coder_ws_runtime.persist.reconcile.compare import compare, kind_of
from coder_ws_runtime.persist.reconcile.observation import Node, Observation, Origin, Pair


def aside_name(name: str) -> str:
    """Where the content of a name is set aside, in the same directory."""
    return f".{name}{SET_ASIDE_SUFFIX}"


def origin_name(origin: Origin, name: str) -> str:
    """The name in the home's directory of one origin of content."""
    return name if origin is Origin.HOME else aside_name(name)


def observe(
    entry: Entry, home: Anchor, volume: Anchor, *, recorded: bool, refuse_writers: bool = True
) -> Observation:
    """What is there of one path.

    Args:
        entry: what is declared.
        home: the home.
        volume: the volume.
        recorded: whether the ledger has the link of this path.
        refuse_writers: refuse content that a program has open for writing.

    Raises:
        BlockedPathError: a symlink or a file is on the way to it.
        BusyError: a program has a file of the home open for writing.
        ChangedError: it changed while we looked.
        OSError: what the file systems say.
    """

    def content(fd: int, name: str) -> tuple[Pair, ...]:
        return compare((fd, name), volume, entry, refuse_writers=refuse_writers)

    return _look(entry, home, volume, recorded=recorded, content=content)


def glance(entry: Entry, home: Anchor, volume: Anchor, *, recorded: bool) -> Observation:
    """As `observe`, without a look at the content: quick, and no basis for a plan."""
    return _look(entry, home, volume, recorded=recorded, content=lambda _fd, _name: ())


def _look(
    entry: Entry,
    home: Anchor,
    volume: Anchor,
    *,
    recorded: bool,
    content: Callable[[int, str], tuple[Pair, ...]],
) -> Observation:
    volume_node, volume_parent = _on_volume(volume, entry.on_volume)
    home_node: Node | None = None
    aside: Node | None = None
    parent = True
    pairs: tuple[Pair, ...] = ()
    link = f"{volume.path}/{entry.on_volume}"
    try:
        with home.parent(entry.path) as (fd, name):
            home_node = node(fd, name)
            aside = node(fd, aside_name(name))
            if aside is not None:
                pairs = content(fd, aside_name(name))
            elif home_node is not None and not _ours(home_node, f"{volume.path}/"):
                pairs = content(fd, name)
    except FileNotFoundError:
        parent = False
    return Observation(
        link=link,
        volume_root=str(volume.path),
        home=home_node,
        volume=volume_node,
        aside=aside,
        recorded=recorded,
        parent=parent,
        volume_parent=volume_parent,
        pairs=pairs,
    )


def _ours(found: Node, volume_root: str) -> bool:
    return found.kind is Kind.LINK and found.target.startswith(volume_root)


def _on_volume(volume: Anchor, path: str) -> tuple[Node | None, bool]:
    """The volume's side, and whether its directory is there."""
    try:
        with volume.parent(path) as (fd, name):
            return node(fd, name), True
    except FileNotFoundError:
        return None, False


def node(fd: int, name: str) -> Node | None:
    """What `name` is in a directory; None if it is not there."""
    try:
        # Most paths are links already: one call tells.
        return Node(Kind.LINK, target=os.readlink(name, dir_fd=fd))
    except FileNotFoundError:
        return None
    except OSError:  # EINVAL: not a link
        pass
    try:
        found = os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return Node(kind_of(found), stat.S_IMODE(found.st_mode))
