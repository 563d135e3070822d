"""Compare a tree of the home with the volume's: bytes, then metadata. Changes nothing."""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from coder_ws_runtime.fs.anchored import (
    Anchor,
    open_below,
    open_directory,
    open_file,
    report_deep_nesting,
)
from coder_ws_runtime.fs.copying import wait_for_tick
from coder_ws_runtime.fs.divided import Divided, path_below
from coder_ws_runtime.fs.errors import BusyError, ChangedError
from coder_ws_runtime.fs.links import text_after_move
from coder_ws_runtime.fs.metadata import same_metadata
from coder_ws_runtime.fs.writers import Writing, ignore_lease_breaks, writing
from coder_ws_runtime.identity import Identity
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.reconcile.observation import Difference, Pair, kind_of
from coder_ws_runtime.persist.store.journals import database_of, is_journal

_CHUNK = 1 << 18
_BLOCK = 512
"""Bytes in a unit of st_blocks (stat(2))."""


@report_deep_nesting()
def compare(
    home_side: tuple[int, str], volume: Anchor, entry: Entry, *, root: str = "", refuse_writers: bool = True
) -> tuple[Pair, ...]:
    """Compare a tree of the home with an entry's content on the volume.

    What the volume lacks is one pair, however large the tree below it; so is what has another type. Sockets
    and the like are named wherever they are, and so are files that may be being written. The whole tree is
    checked for writers before anything is copied.

    Args:
        home_side: a directory's descriptor and the name in it.
        volume: the volume.
        entry: what is declared.
        root: the absolute path of the home's tree, for the new text of its relative links.
        refuse_writers: refuse a file that a program has open for writing.

    Raises:
        MountPointError: something is mounted in it.
        BusyError, ChangedError, OSError: like :func:`coder_ws_runtime.persist.reconcile.observe.look`.
    """
    ignore_lease_breaks()
    fd, name = home_side
    comparison = _Comparison(volume, entry, root, refuse_writers=refuse_writers)
    directory, _, last = entry.on_volume.rpartition("/")
    try:
        with ExitStack() as stack:
            try:
                there = stack.enter_context(open_below(volume.fd, directory))
            except FileNotFoundError:
                comparison.without_match(fd, None, name, None)
            else:
                comparison.entry(fd, there, None, name, last)
    except FileNotFoundError as error:
        raise ChangedError(name) from error
    return tuple(sorted(comparison.pairs, key=lambda pair: pair.path.split("/")))


class _Comparison:
    """Collects the pairs. In each pair, the home's side is first."""

    def __init__(self, volume: Anchor, declared: Entry, root: str, *, refuse_writers: bool) -> None:
        self.volume = volume
        self.declared = declared
        self.root = root
        self.pairs: list[Pair] = []
        self.refuse_writers = refuse_writers
        self._inside: list[tuple[str, Identity]] = []
        self._sizes: list[int] = []
        self._as_a_whole = False
        self._walk = Divided(self.pairs, self._inside, self._sizes)

    def entry(self, here: int, there: int, above: str | None, name: str, other: str = "") -> None:
        path, other = path_below(above, name), other or name
        mine = os.stat(name, dir_fd=here, follow_symlinks=False)
        kind = kind_of(mine.st_mode)
        target = f"{self.volume.path}/{self.declared.on_volume}/{path}"
        if kind is Kind.LINK and path and os.readlink(name, dir_fd=here) == target:
            # Our link, from when this path was declared by itself. It has no content, and on the volume it
            # would lead to itself.
            self.pairs.append(Pair(path, Difference.SAME, Identity.of(mine)))
            return
        try:
            its = os.stat(other, dir_fd=there, follow_symlinks=False)
        except FileNotFoundError:
            self.without_match(here, above, name, None)
            return
        if kind is not kind_of(its.st_mode):
            self.without_match(here, above, name, its)
        elif kind is Kind.SPECIAL:
            self.pairs.append(Pair(path, Difference.SPECIAL))
        elif kind is Kind.DIRECTORY:
            self._directories(here, name, there, other, path)
        else:
            wait_for_tick(mine)
            same = self._links if kind is Kind.LINK else self._files
            difference = same(here, name, there, other, path)
            if Identity.of(os.stat(name, dir_fd=here, follow_symlinks=False)) != Identity.of(mine):
                raise ChangedError(path)
            self._pair(path, difference, mine, its, _database(here, name, path))

    def _pair(
        self,
        path: str,
        difference: Difference,
        mine: os.stat_result,
        its: os.stat_result,
        database: str = "",
    ) -> None:
        size = min(mine.st_size, mine.st_blocks * _BLOCK)
        self.pairs.append(Pair(path, difference, Identity.of(mine), Identity.of(its), size, database))

    def _directories(self, here: int, name: str, there: int, other: str, path: str) -> None:
        with _opened(name, here) as inside, _opened(other, there) as its_inside:
            same = same_metadata(inside, its_inside)
            difference = Difference.SAME if same else Difference.METADATA
            self._pair(path, difference, os.fstat(inside), os.fstat(its_inside))
            self._walk.each(inside, os.listdir(inside), partial(self.entry, inside, its_inside, path))

    def _links(self, here: int, name: str, there: int, other: str, path: str) -> Difference:
        text = os.readlink(name, dir_fd=here)
        if self.root:
            text = text_after_move(text, path, self.root)
        return Difference.SAME if text == os.readlink(other, dir_fd=there) else Difference.DIFFERS

    def _files(self, here: int, name: str, there: int, other: str, path: str) -> Difference:
        mine = open_file(name, here)
        try:
            self._ask_for_writers(mine, path)
            its = open_file(other, there)
            try:
                if os.fstat(mine).st_size != os.fstat(its).st_size or not _same_bytes(mine, its):
                    return Difference.DIFFERS
                return Difference.SAME if same_metadata(mine, its) else Difference.METADATA
            finally:
                os.close(its)
        finally:
            os.close(mine)

    def _ask_for_writers(self, fd: int, path: str) -> None:
        if not self.refuse_writers:
            return
        match writing(fd):
            case Writing.YES:
                raise BusyError(path)
            case Writing.UNKNOWN:
                self.pairs.append(Pair(path, Difference.PERHAPS_WRITTEN))
            case Writing.NO:
                pass

    def without_match(self, here: int, above: str | None, name: str, its: os.stat_result | None) -> None:
        """Search what the volume lacks, or has with another type."""
        path = path_below(above, name)
        mine = os.stat(name, dir_fd=here, follow_symlinks=False)
        self._inside.clear()
        self._sizes.clear()
        self._as_a_whole = its is not None
        self._survey(here, above, name)
        size = sum(self._sizes)
        kind = kind_of(mine.st_mode)
        if kind is Kind.SPECIAL:
            return
        database = _database(here, name, path)
        home = Identity.of(mine)
        if its is None:
            self.pairs.append(Pair(path, Difference.MISSING, home, None, size, database))
        elif kind is Kind.DIRECTORY:  # it wins or loses as a whole
            home = home.as_new_as(found for _, found in self._inside)
            inside = tuple(sorted(self._inside))
            self.pairs.append(Pair(path, Difference.DIFFERS, home, Identity.of(its), size, inside=inside))
        else:
            self.pairs.append(Pair(path, Difference.DIFFERS, home, Identity.of(its), size, database))

    def _survey(self, here: int, above: str | None, name: str) -> None:
        """Name what cannot be moved, and check for writers; collect the bytes on disk.

        What wins or loses as a whole also has its files and links collected.
        """
        path = path_below(above, name)
        mine = os.stat(name, dir_fd=here, follow_symlinks=False)
        kind = kind_of(mine.st_mode)
        if self._as_a_whole and kind in (Kind.FILE, Kind.LINK):
            self._inside.append((path, Identity.of(mine)))
        match kind:
            case Kind.SPECIAL:
                self.pairs.append(Pair(path, Difference.SPECIAL))
            case Kind.LINK:
                pass
            case Kind.FILE:
                self._sizes.append(min(mine.st_size, mine.st_blocks * _BLOCK))
                opened = open_file(name, here)
                try:
                    self._ask_for_writers(opened, path)
                finally:
                    os.close(opened)
            case Kind.DIRECTORY:
                with _opened(name, here) as fd:
                    self._walk.each(fd, os.listdir(fd), partial(self._survey, fd, path))


def _database(fd: int, name: str, path: str) -> str:
    """As :attr:`Pair.database`, for a file at a path within the entry."""
    return database_of(path) if is_journal(fd, name) else ""


def is_same_version(mine: tuple[int, str], its: tuple[int, str]) -> bool:
    """Whether two names, each in a directory, have the same content and metadata, with all that is below.

    Raises:
        OSError: from the file systems, also if one of them does not exist.
    """
    found, other = (os.stat(name, dir_fd=fd, follow_symlinks=False) for fd, name in (mine, its))
    if stat.S_IFMT(found.st_mode) != stat.S_IFMT(other.st_mode):
        return False
    match kind_of(found.st_mode):
        case Kind.LINK:
            return os.readlink(mine[1], dir_fd=mine[0]) == os.readlink(its[1], dir_fd=its[0])
        case Kind.FILE:
            return found.st_size == other.st_size and _is_same_file(mine, its)
        case Kind.DIRECTORY:
            with _opened(mine[1], mine[0]) as inside, _opened(its[1], its[0]) as its_inside:
                names = os.listdir(inside)
                return (
                    {*names} == {*os.listdir(its_inside)}
                    and same_metadata(inside, its_inside)
                    and all(is_same_version((inside, name), (its_inside, name)) for name in names)
                )
        case Kind.SPECIAL:
            return False


def _is_same_file(mine: tuple[int, str], its: tuple[int, str]) -> bool:
    first = open_file(mine[1], mine[0])
    try:
        second = open_file(its[1], its[0])
        try:
            return _same_bytes(first, second) and same_metadata(first, second)
        finally:
            os.close(second)
    finally:
        os.close(first)


def _same_bytes(mine: int, its: int) -> bool:
    while True:
        chunk = os.read(mine, _CHUNK)
        if chunk != os.read(its, _CHUNK):
            return False
        if not chunk:
            return True


@contextmanager
def _opened(name: str, fd: int) -> Iterator[int]:
    opened = open_directory(name, fd)
    try:
        yield opened
    finally:
        os.close(opened)
