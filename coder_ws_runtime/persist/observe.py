"""Look at a declared path, in the home and on the volume. Reads, and changes nothing."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from coder_ws_runtime.fs.anchored import Anchor, below, open_directory
from coder_ws_runtime.fs.copying import ChangedError, Identity
from coder_ws_runtime.fs.writers import BusyError, ignore_lease_breaks, is_written
from coder_ws_runtime.persist.entries import Entry, Kind
from coder_ws_runtime.persist.paths import SET_ASIDE_SUFFIX
from coder_ws_runtime.persist.state import Difference, Node, Observation, Origin, Pair

_CHUNK = 1 << 18


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
        return compare(fd, name, volume, entry.on_volume, refuse_writers=refuse_writers)

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
    return Node(_kind(found), stat.S_IMODE(found.st_mode))


def _kind(found: os.stat_result) -> Kind:
    match stat.S_IFMT(found.st_mode):
        case stat.S_IFDIR:
            return Kind.DIRECTORY
        case stat.S_IFREG:
            return Kind.FILE
        case stat.S_IFLNK:
            return Kind.LINK
        case _:
            return Kind.SPECIAL


# Comparing trees ------------------------------------------------------------------------------


def compare(
    fd: int, name: str, volume: Anchor, path: str, *, refuse_writers: bool = True
) -> tuple[Pair, ...]:
    """Compare a tree of the home with what lies at `path` of the volume.

    What the volume lacks is one pair, however large the tree below it; so is what has another type.
    Sockets and the like are named wherever they are.
    """
    ignore_lease_breaks()
    comparison = _Comparison(f"{volume.path}/{path}", refuse_writers=refuse_writers)
    directory, _, last = path.rpartition("/")
    try:
        with ExitStack() as stack:
            try:
                there = stack.enter_context(below(volume.fd, directory))
            except FileNotFoundError:
                comparison.missing(fd, name, "")
            else:
                comparison.entry(fd, name, there, last, "")
    except FileNotFoundError as error:
        raise ChangedError(name) from error
    return tuple(comparison.pairs)


class _Comparison:
    """Collects the pairs. Of each two sides, the home's comes first.

    Args:
        target: the absolute path of the entry on the volume.
        refuse_writers: refuse content that a program has open for writing.
    """

    def __init__(self, target: str, *, refuse_writers: bool) -> None:
        self.target = target
        self.pairs: list[Pair] = []
        self.refuse_writers = refuse_writers

    def entry(self, here: int, name: str, there: int, other: str, path: str) -> None:
        mine = os.stat(name, dir_fd=here, follow_symlinks=False)
        kind = _kind(mine)
        if kind is Kind.LINK and path and os.readlink(name, dir_fd=here) == f"{self.target}/{path}":
            # Ours, from when this path was declared by itself. It holds nothing, and on the volume it
            # would lead to itself.
            self.pairs.append(Pair(path, Difference.SAME, Identity.of(mine)))
            return
        try:
            its = os.stat(other, dir_fd=there, follow_symlinks=False)
        except FileNotFoundError:
            self.missing(here, name, path)
            return
        if kind is not _kind(its):
            self._with_specials(here, name, Pair(path, Difference.DIFFERS, newer=_newer(mine, its)))
            return
        if kind is Kind.SPECIAL:
            self.pairs.append(Pair(path, Difference.SPECIAL))
            return
        identity = Identity.of(mine)
        if kind is Kind.DIRECTORY:
            self.pairs.append(Pair(path, Difference.SAME, identity))
            with _opened(name, here) as inside, _opened(other, there) as its_inside:
                for inner in sorted(os.listdir(inside)):
                    self.entry(inside, inner, its_inside, inner, f"{path}/{inner}" if path else inner)
            return
        same = _same_link if kind is Kind.LINK else self._same_bytes
        if mine.st_size != its.st_size or not same(here, name, there, other):
            self.pairs.append(Pair(path, Difference.DIFFERS, newer=_newer(mine, its)))
            return
        if Identity.of(os.stat(name, dir_fd=here, follow_symlinks=False)) != identity:
            raise ChangedError(path)
        self.pairs.append(Pair(path, Difference.SAME, identity))

    def _same_bytes(self, here: int, name: str, there: int, other: str) -> bool:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        mine = os.open(name, flags, dir_fd=here)
        try:
            if self.refuse_writers and is_written(mine):
                raise BusyError(name)
            its = os.open(other, flags, dir_fd=there)
            try:
                while True:
                    chunk = os.read(mine, _CHUNK)
                    if chunk != os.read(its, _CHUNK):
                        return False
                    if not chunk:
                        return True
            finally:
                os.close(its)
        finally:
            os.close(mine)

    def missing(self, here: int, name: str, path: str) -> None:
        self._with_specials(here, name, Pair(path, Difference.MISSING))

    def _with_specials(self, here: int, name: str, pair: Pair) -> None:
        specials = list(_specials(here, name, pair.path))
        self.pairs.extend(specials)
        if not any(special.path == pair.path for special in specials):
            self.pairs.append(pair)


def _newer(mine: os.stat_result, its: os.stat_result) -> bool:
    return mine.st_mtime_ns > its.st_mtime_ns


def _specials(here: int, name: str, path: str) -> Iterator[Pair]:
    """The sockets and the like in a tree of the home."""
    kind = _kind(os.stat(name, dir_fd=here, follow_symlinks=False))
    if kind is Kind.SPECIAL:
        yield Pair(path, Difference.SPECIAL)
    if kind is not Kind.DIRECTORY:
        return
    with _opened(name, here) as inside, os.scandir(inside) as listing:
        for inner in listing:
            if not inner.is_file(follow_symlinks=False) and not inner.is_symlink():
                yield from _specials(inside, inner.name, f"{path}/{inner.name}" if path else inner.name)


def _same_link(here: int, name: str, there: int, other: str) -> bool:
    return os.readlink(name, dir_fd=here) == os.readlink(other, dir_fd=there)


@contextmanager
def _opened(name: str, fd: int) -> Iterator[int]:
    opened = open_directory(name, fd)
    try:
        yield opened
    finally:
        os.close(opened)
