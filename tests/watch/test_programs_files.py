"""Files that a program keeps in more than one place."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from tests.harness.watched import Watched, until
from tests.watch.conftest import Make

_KILLED = """
import os, sqlite3
database = sqlite3.connect("h.db")
database.execute("pragma journal_mode=wal")
database.execute("create table if not exists t(x)")
database.execute("insert into t values(7)")
database.commit()
os.kill(os.getpid(), 9)
"""


_HALF = """
import os, sqlite3
database = sqlite3.connect("h.db", isolation_level=None)
database.execute("pragma cache_size=1")
database.execute("create table t(x)")
database.execute("insert into t values(1)")
database.execute("begin")
database.execute("update t set x=2")
database.execute("create table filler(x)")
for _ in range(100):
    database.execute("insert into filler values(randomblob(4000))")
os.kill(os.getpid(), 9)
"""


def killed_after_commit(workspace: Watched) -> None:
    """A program commits to a database and is killed: what it committed is in the file next to it."""
    subprocess.run([sys.executable, "-c", _KILLED], cwd=workspace.home, check=False)


def rows(home: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(home / "h.db")) as database:
        return database.execute("select x from t").fetchall()


def test_a_database_does_not_move_without_its_last_changes(make: Make) -> None:
    a = make("a", "h.db")
    a.resolve()
    a.start()
    killed_after_commit(a)
    until(lambda: "h.db-wal" in a.said(), "it is reported")
    done = a.command("resolve", "--json")
    assert done.returncode == 1
    assert "path.database-open" in done.stdout
    assert rows(a.home) == [(7,)]  # which opens and closes it: that is the remedy
    a.resolve()
    assert a.linked("h.db")
    assert rows(a.home) == [(7,)]


def test_the_last_changes_of_a_database_outlive_the_container(make: Make) -> None:
    a = make("a", "h.db")
    a.resolve()
    a.start()
    killed_after_commit(a)
    until(lambda: "h.db-wal" in a.said(), "it is reported")
    a.stop()
    a.lose_container()
    a.resolve()
    assert rows(a.home) == [(7,)]
    assert not (a.volume / "h.db-wal").exists(), "SQLite has put it into the database"


def test_a_half_change_of_a_database_is_undone(make: Make) -> None:
    """The file next to it has what is needed for that."""
    a = make("a", "h.db")
    subprocess.run([sys.executable, "-c", _HALF], cwd=a.home, check=False)
    assert (a.home / "h.db-journal").exists()
    assert "path.database-open" in a.command("resolve", "--json").stdout
    assert rows(a.home) == [(1,)]
    a.resolve()
    assert a.linked("h.db")
    assert rows(a.home) == [(1,)]


def test_a_database_does_not_come_back_without_its_last_changes(make: Make) -> None:
    a = make("a")
    with closing(sqlite3.connect(a.home / "h.db")) as database:
        database.execute("create table t(x)")
        database.commit()
    assert a.command("add", "~/h.db").returncode == 0
    assert a.linked("h.db")
    killed_after_commit(a)
    assert a.command("remove", "~/h.db").returncode == 1
    assert rows(a.home) == [(7,)]
    assert a.command("remove", "~/h.db").returncode == 0
    assert not a.linked("h.db")
    assert rows(a.home) == [(7,)]
