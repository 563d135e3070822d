"""The files next to a SQLite database that have its last changes, and belong to no other database.

A program that was killed, or a container that ended, leaves what was committed last in ``<name>-wal``, or
what is needed to undo half a change in ``<name>-journal`` (SQLite's documentation, "Temporary Files Used By
SQLite"). SQLite looks for both next to the file to which symlinks lead, and applies what it finds there to
whatever database has the name: so they have to leave with the database that they belong to. ``<name>-shm``
has nothing of its own: SQLite makes it again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from coder_ws_runtime.persist.store.names import SET_ASIDE_SUFFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coder_ws_runtime.persist.store.attic import Attic
    from coder_ws_runtime.persist.store.attic_records import Reason

_MAGIC = {
    "-wal": (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"),
    "-journal": (b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",),
}
"""How each file begins that has something to add ("Database File Format" of SQLite, 3 and 4.1)."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def database_of(path: str) -> str:
    """The path of the database to whose name a path adds one of the suffixes; empty if it adds none."""
    return next((path.removesuffix(suffix) for suffix in _MAGIC if path.endswith(suffix)), "")


def is_journal(fd: int, name: str) -> bool:
    """Whether a file has changes of a database next to it, by its name and its first bytes.

    Args:
        fd: the directory that has it.
        name: its name in there.
    """
    magic = next((magic for suffix, magic in _MAGIC.items() if name.endswith(suffix)), None)
    if magic is None:
        return False
    with suppress(OSError):
        opened = os.open(name, _READ, dir_fd=fd)
        try:
            return os.read(opened, len(magic[0])) in magic
        finally:
            os.close(opened)
    return False


def journals(fd: int, name: str) -> list[str]:
    """The suffixes of the files that have changes of a database.

    Args:
        fd: the directory that has the database.
        name: its name in there.
    """
    return [suffix for suffix in _MAGIC if is_journal(fd, f"{name}{suffix}")]


@contextmanager
def displaced(attic: Attic, place: tuple[int, str], on_volume: str, reason: Reason) -> Iterator[None]:
    """Move the changes next to a name of the volume to the attic, because another file comes to that name.

    The block brings it, and moves the former database to the attic.

    Args:
        attic: takes them.
        place: the directory that has the database, and its name in there.
        on_volume: the database's path, relative to the volume.
        reason: why it is replaced.
    """
    found = journals(*place)
    with ExitStack() as stack:
        places = [stack.enter_context(attic.place(f"{on_volume}{suffix}", reason)) for suffix in found]
        fd, name = place
        stack.enter_context(
            _moved([((fd, f"{name}{suffix}"), to) for suffix, to in zip(found, places, strict=True)])
        )
        yield


@contextmanager
def following(source: tuple[int, str], target: tuple[int, str]) -> Iterator[None]:
    """Move the changes of a database to where the block moves the database.

    Args:
        source: the directory that has the database, and its name in there.
        target: the directory that gets it, and its name in there.
    """
    (fd, name), (target_fd, target_name) = source, target
    with _moved([((fd, f"{name}{s}"), (target_fd, f"{target_name}{s}")) for s in journals(fd, name)]):
        yield


@contextmanager
def _moved(moves: list[tuple[tuple[int, str], tuple[int, str]]]) -> Iterator[None]:
    """Move files before and after a block: in between, and if we are killed, they are next to no database.

    If the block fails, they are put back.
    """
    if not moves:
        yield
        return
    from coder_ws_runtime.fs import kernel  # noqa: PLC0415 - loads ctypes
    from coder_ws_runtime.fs.anchored import sync_directory  # noqa: PLC0415 - as above

    begun: list[tuple[tuple[int, str], tuple[int, str]]] = []
    try:
        for source, (fd, name) in moves:
            aside = (fd, f"{name}{SET_ASIDE_SUFFIX}")
            kernel.rename_new(*source, *aside)
            begun.append((source, aside))
        yield
    except BaseException:
        for source, aside in begun:
            with suppress(OSError):
                kernel.rename_new(*aside, *source)
        raise
    for (source, target), (_, aside) in zip(moves, begun, strict=True):
        kernel.rename_new(*aside, *target)
        sync_directory(target[0])
        sync_directory(source[0])


def copy_journals(source: tuple[int, str], target: tuple[int, str], staging: tuple[int, str]) -> None:
    """Copy the changes of a database, to be next to its copy.

    Args:
        source: the directory that has the database, and its name in there.
        target: the directory that has the copy, or gets it next, and its name in there.
        staging: a directory of the target's file system, and a free name in there.

    Raises:
        FileExistsError: the target has such a file.
        ChangedError, OSError: they were not copied.
    """
    for suffix in journals(*source):
        from coder_ws_runtime.fs import kernel  # noqa: PLC0415 - loads ctypes
        from coder_ws_runtime.fs.anchored import sync_directory  # noqa: PLC0415 - as above
        from coder_ws_runtime.fs.copying import copy  # noqa: PLC0415 - as above
        from coder_ws_runtime.fs.removing import remove_tree  # noqa: PLC0415 - as above

        try:
            copy((source[0], f"{source[1]}{suffix}"), staging, refuse_writers=False)
            kernel.rename_new(*staging, target[0], f"{target[1]}{suffix}")
            sync_directory(target[0])
        finally:
            remove_tree(*staging)
