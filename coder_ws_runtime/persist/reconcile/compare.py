"""Compare a tree of the home with the volume's, byte by byte. Reads, and changes nothing."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from coder_ws_runtime.fs.anchored import (
    Anchor,
    BlockedPathError,
    open_below,
    open_directory,
    report_deep_nesting,
)
from coder_ws_runtime.fs.copying import ChangedError, wait_for_tick
from coder_ws_runtime.fs.writers import BusyError, has_writer, ignore_lease_breaks
from coder_ws_runtime.identity import Identity
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.reconcile.observation import Difference, Pair
from coder_ws_runtime.persist.store.attic import DIRECTORY as ATTIC
from coder_ws_runtime.persist.store.attic import batches

_CHUNK = 1 << 18


@report_deep_nesting()
def compare(
    home_side: tuple[int, str], volume: Anchor, entry: Entry, *, refuse_writers: bool = True
) -> tuple[Pair, ...]:
    """Compare a tree of the home with what the volume has of an entry.

    What the volume lacks is one pair, however large the tree below it; so is what has another type.
    Sockets and the like are named wherever they are.

    Args:
        home_side: a directory's descriptor and the name in it.
        volume: the volume.
        entry: what is declared.
        refuse_writers: refuse what a program has open for writing.

    Raises:
        BusyError, ChangedError, OSError: as :func:`coder_ws_runtime.persist.reconcile.observe.observe`.
    """
    ignore_lease_breaks()
    fd, name = home_side
    comparison = _Comparison(volume, entry, refuse_writers=refuse_writers)
    directory, _, last = entry.on_volume.rpartition("/")
    try:
        with ExitStack() as stack:
            try:
                there = stack.enter_context(open_below(volume.fd, directory))
            except FileNotFoundError:
                comparison.missing(fd, name, "")
            else:
                comparison.entry(fd, name, there, last, "")
    except FileNotFoundError as error:
        raise ChangedError(name) from error
    return tuple(comparison.pairs)


class _Comparison:
    """Collects the pairs. Of each two sides, the home's comes first."""

    def __init__(self, volume: Anchor, declared: Entry, *, refuse_writers: bool) -> None:
        self.volume = volume
        self.declared = declared
        self.pairs: list[Pair] = []
        self.refuse_writers = refuse_writers

    def entry(self, here: int, name: str, there: int, other: str, path: str) -> None:
        mine = os.stat(name, dir_fd=here, follow_symlinks=False)
        kind = kind_of(mine)
        target = f"{self.volume.path}/{self.declared.on_volume}/{path}"
        if kind is Kind.LINK and path and os.readlink(name, dir_fd=here) == target:
            # Ours, from when this path was declared by itself. It holds nothing, and on the volume it
            # would lead to itself.
            self.pairs.append(Pair(path, Difference.SAME, Identity.of(mine)))
            return
        try:
            its = os.stat(other, dir_fd=there, follow_symlinks=False)
        except FileNotFoundError:
            self.missing(here, name, path)
            return
        if kind is not kind_of(its):
            self._with_specials(here, name, Pair(path, Difference.DIFFERS))
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
        wait_for_tick(mine)
        same = _same_link if kind is Kind.LINK else self._same_bytes
        if mine.st_size != its.st_size or not same(here, name, there, other):
            kept = identity if kind is Kind.FILE and self._in_attic(here, name, path) else None
            newer = mine.st_mtime_ns > its.st_mtime_ns
            self.pairs.append(Pair(path, Difference.DIFFERS, kept, newer=newer))
            return
        if Identity.of(os.stat(name, dir_fd=here, follow_symlinks=False)) != identity:
            raise ChangedError(path)
        self.pairs.append(Pair(path, Difference.SAME, identity))

    def _same_bytes(self, here: int, name: str, there: int, other: str) -> bool:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        mine = os.open(name, flags, dir_fd=here)
        try:
            if self.refuse_writers and has_writer(mine):
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

    def _in_attic(self, here: int, name: str, path: str) -> bool:
        """Whether the attic has the same bytes for this path already."""
        size = os.stat(name, dir_fd=here, follow_symlinks=False).st_size
        in_home = f"{self.declared.path}/{path}" if path else self.declared.path
        for batch in batches(self.volume):
            relative = f"{ATTIC}/{batch}/{in_home}"
            try:
                found = self.volume.status(relative)
            except BlockedPathError:
                continue
            if found and kind_of(found) is Kind.FILE and found.st_size == size:
                with self.volume.parent(relative) as (fd, last):
                    if self._same_bytes(here, name, fd, last):
                        return True
        return False

    def missing(self, here: int, name: str, path: str) -> None:
        self._with_specials(here, name, Pair(path, Difference.MISSING))

    def _with_specials(self, here: int, name: str, pair: Pair) -> None:
        specials = list(_specials(here, name, pair.path))
        self.pairs.extend(specials)
        if not any(special.path == pair.path for special in specials):
            self.pairs.append(pair)


def _specials(here: int, name: str, path: str) -> Iterator[Pair]:
    """The sockets and the like in a tree of the home."""
    kind = kind_of(os.stat(name, dir_fd=here, follow_symlinks=False))
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


def kind_of(found: os.stat_result) -> Kind:
    """What lstat(2) found."""
    match stat.S_IFMT(found.st_mode):
        case stat.S_IFDIR:
            return Kind.DIRECTORY
        case stat.S_IFREG:
            return Kind.FILE
        case stat.S_IFLNK:
            return Kind.LINK
        case _:
            return Kind.SPECIAL
