"""Refuse to move a SQLite database without its last changes, see :mod:`..store.journals`."""

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.persist.manifest.paths import in_shell
from coder_ws_runtime.persist.store.journals import journals

_OPEN = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT * FROM sqlite_master').fetchall()"
"""Reads a database, which applies what is next to it. Not sqlite3(1): the images do not have it."""


def refuse_journal(fd: int, name: str, path: str) -> None:
    """Refuse to move a database without the changes that are next to it.

    Args:
        fd: the directory that has it.
        name: its name in there.
        path: the path in the home by which the user reaches it, relative to the home.

    Raises:
        RefusedError: there are such changes.
    """
    for suffix in journals(fd, name):
        raise RefusedError(
            f"its last changes are in {name + suffix!r} next to it, and would be lost; left as it was",
            code="path.database-open",
            place=f"~/{path}",
            hint=f'open and close it once (python3 -c "{_OPEN}" {in_shell(path)}), then try again;'
            " better: declare its directory",
        )
