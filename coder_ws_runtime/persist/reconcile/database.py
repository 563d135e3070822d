"""SQLite databases, whose last changes may be in a second file next to them.

A program that was killed, or a container that ended, leaves what was committed last in ``<name>-wal``, or
what is needed to undo half a change in ``<name>-journal`` (SQLite's documentation, "Temporary Files Used By
SQLite"). SQLite looks for both next to the file to which symlinks lead. A database that moves without them
loses these changes.
"""

from __future__ import annotations

import os
from contextlib import suppress

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.manifest.paths import in_shell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coder_ws_runtime.persist.store.staging import Staging

_MAGIC = {
    "-wal": (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"),
    "-journal": (b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",),
}
"""How each file begins that has something to add ("Database File Format" of SQLite, 3 and 4.1)."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def refuse_journal(fd: int, name: str, path: str) -> None:
    """Refuse to move a database without the changes that are next to it.

    Args:
        fd: the directory that has it.
        name: its name in there.
        path: the path that is declared, relative to the home.

    Raises:
        RefusedError: there are such changes.
    """
    for suffix, magic in _MAGIC.items():
        if _begins(fd, f"{name}{suffix}", magic):
            raise RefusedError(
                f"its last changes are in {name + suffix!r} next to it, and would be lost; left as it was",
                code="path.database-open",
                place=f"~/{path}",
                hint=f"open and close it once (sqlite3 {in_shell(path)} 'PRAGMA wal_checkpoint(TRUNCATE)'),"
                " then try again; better: declare its directory",
            )


def copy_journals(source: tuple[int, str], target: tuple[int, str], staging: Staging) -> None:
    """Copy the changes that are next to a database, to be next to its copy.

    Args:
        source: the directory that has the database, and its name in there.
        target: the directory that has the copy and nothing next to it, and its name in there.
        staging: where copies are made.

    Raises:
        ChangedError, OSError: they were not copied.
    """
    from coder_ws_runtime.fs import kernel  # noqa: PLC0415 - loads ctypes
    from coder_ws_runtime.fs.anchored import sync_directory  # noqa: PLC0415 - as above
    from coder_ws_runtime.fs.copying import copy  # noqa: PLC0415 - as above

    for suffix, magic in _MAGIC.items():
        if _begins(source[0], f"{source[1]}{suffix}", magic):
            name = staging.name()
            try:
                copy((source[0], f"{source[1]}{suffix}"), (staging.fd, name), refuse_writers=False)
                kernel.rename_new(staging.fd, name, target[0], f"{target[1]}{suffix}")
                sync_directory(target[0])
            finally:
                staging.discard(name)


def _begins(fd: int, name: str, magic: tuple[bytes, ...]) -> bool:
    with suppress(OSError):
        opened = os.open(name, _READ, dir_fd=fd)
        try:
            return os.read(opened, len(magic[0])) in magic
        finally:
            os.close(opened)
    return False
