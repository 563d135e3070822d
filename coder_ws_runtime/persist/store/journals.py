"""The files next to a SQLite database that have its last changes, and belong to no other database.

A program that was killed, or a container that ended, leaves what was committed last in ``<name>-wal``, or
what is needed to undo half a change in ``<name>-journal`` (SQLite's documentation, "Temporary Files Used By
SQLite"). SQLite looks for both next to the file to which symlinks lead, and applies what it finds there to
whatever database has the name: so they have to leave with the database that they belong to. ``<name>-shm``
has nothing of its own: SQLite makes it again.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

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
def displaced(attic: "Attic", place: tuple[int, str], on_volume: str, reason: "Reason") -> Iterator[None]:
    """Move the changes next to a name of the volume to the attic, because another file comes to that name.

    The block brings it. If it fails, they are put back. If we are killed before it ends, they are in the
    attic, and the former database without them is about to be there, too.

    Args:
        attic: takes them.
        place: the directory that has the database, and its name in there.
        on_volume: the database's path, relative to the volume.
        reason: why it is replaced.
    """
    fd, name = place
    found = journals(fd, name)
    if not found:
        yield
        return
    from contextlib import ExitStack  # noqa: PLC0415 - it is rare

    from coder_ws_runtime.fs import kernel  # noqa: PLC0415 - loads ctypes

    with ExitStack() as stack:
        moved: list[tuple[str, int, str]] = []
        try:
            for suffix in found:
                its_fd, its_name = stack.enter_context(attic.place(f"{on_volume}{suffix}", reason))
                kernel.rename_new(fd, f"{name}{suffix}", its_fd, its_name)
                moved.append((suffix, its_fd, its_name))
            yield
        except BaseException:
            for suffix, its_fd, its_name in moved:
                with suppress(OSError):
                    kernel.rename_new(its_fd, its_name, fd, f"{name}{suffix}")
            raise


def move_journals(source: tuple[int, str], target: tuple[int, str]) -> None:
    """Move the changes of a database to where the database has just been moved.

    Args:
        source: the directory that had the database, and its name in there.
        target: the directory that has it now, and its name in there.

    Raises:
        OSError: they are still where they were.
    """
    for suffix in journals(*source):
        from coder_ws_runtime.fs import kernel  # noqa: PLC0415 - loads ctypes
        from coder_ws_runtime.fs.anchored import sync_directory  # noqa: PLC0415 - as above

        kernel.rename_new(source[0], f"{source[1]}{suffix}", target[0], f"{target[1]}{suffix}")
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
