"""SQLite databases and the files next to them, by the real library: none gets the changes of another."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from coder_ws_runtime.fs import kernel
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.event import LINK_DELETED, NO_EVENT, LinkEvent, link_moved
from coder_ws_runtime.persist.reconcile.save import save
from coder_ws_runtime.persist.reconcile.settle import Outcome, settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_items import items, restore
from coder_ws_runtime.persist.store.names import SET_ASIDE_SUFFIX
from tests.conftest import Tried
from tests.harness.tree import Tree

# Its rows in the database, and one more in the file next to it; then the program is killed.
_KILLED = """
import os, sqlite3, sys
path, mode, word = sys.argv[1:]
database = sqlite3.connect(path, isolation_level=None)
database.execute(f"pragma journal_mode={mode}")
database.execute("create table if not exists t(x)")
database.execute("pragma cache_size=1")
for number in range(50):
    database.execute("insert into t values(?)", (f"{word} {number} " + "x" * 400,))
if mode == "wal":
    database.execute("pragma wal_checkpoint(truncate)")
    database.execute("pragma wal_autocheckpoint=0")
    database.execute("insert into t values(?)", (f"{word} last",))
else:
    database.execute("begin")
    database.execute("update t set x = 'half'")
os.kill(os.getpid(), 9)
"""
LAST = {"wal": "last", "delete": "49"}
"""The last row that is committed, by the kind of file that has what is needed to know it."""
SUFFIX = {"wal": "-wal", "delete": "-journal"}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.at(tmp_path)


@pytest.fixture(params=["wal", "delete"])
def mode(request: pytest.FixtureRequest) -> str:
    """The journal_mode of the database that a killed program leaves."""
    return str(request.param)


def killed(place: Path, word: str, mode: str) -> None:
    """A program that writes a database, and is killed with changes next to it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-c", _KILLED, place, mode, word], check=False)
    assert place.with_name(f"{place.name}{SUFFIX[mode]}").stat().st_size


def closed(place: Path, word: str) -> None:
    """A program that writes a database and ends as it should."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(place)) as database:
        database.execute("create table t(x)")
        database.executemany(
            "insert into t values(?)", [(f"{word} {number} " + "y" * 400,) for number in range(90)]
        )
        database.commit()


def words(place: Path) -> set[str]:
    """Whose rows a database has; it is whole, and its last committed row is there."""
    with closing(sqlite3.connect(place)) as database:
        assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
        return {row.split()[0] for (row,) in database.execute("select x from t")}


def last(place: Path) -> str:
    with closing(sqlite3.connect(place)) as database:
        ((row,),) = database.execute("select x from t order by rowid desc limit 1").fetchall()
    return str(row).split()[1]


def in_attic(tree: Tree, name: str) -> list[Path]:
    return sorted((tree.layout.state / "attic").glob(f"*/{name}"))


def told(tree: Tree, path: str, event: LinkEvent = NO_EVENT) -> Outcome:
    (entry,) = [one for one in load_declarations(tree.layout, tree.settings).entries if one.path == path]
    with Session(tree.layout, tree.settings) as session:
        session.relink = False
        return settle(session, entry, event=event)


def linked(tree: Tree, name: str, mode: str, word: str = "older") -> None:
    """A kept database, which a killed program left with changes next to it on the volume."""
    tree.manifest(name)
    killed(tree.volume / name, word, mode)
    assert not tree.resolve().errors


def test_a_newer_database_replaces_one_with_changes_next_to_it(tree: Tree, mode: str) -> None:
    linked(tree, "h.db", mode)
    (tree.home / "h.db").unlink()
    closed(tree.home / "h.db", "newer")
    assert told(tree, "h.db").code == "path.home-wins"
    assert words(tree.home / "h.db") == {"newer"}
    (kept,) = in_attic(tree, "h.db")
    assert words(kept) == {"older"}
    assert last(kept) == LAST[mode]


def test_deleted_and_made_again(tree: Tree, mode: str) -> None:
    """``rm`` deletes the link, and what SQLite made next to the database stays on the volume without it."""
    linked(tree, "h.db", mode)
    (tree.home / "h.db").unlink()
    told(tree, "h.db", LINK_DELETED)
    closed(tree.home / "h.db", "newer")
    told(tree, "h.db")
    assert words(tree.home / "h.db") == {"newer"}
    (kept,) = in_attic(tree, "h.db")
    assert (words(kept), last(kept)) == ({"older"}, LAST[mode])


def test_changes_without_a_database_on_the_volume(tree: Tree, mode: str) -> None:
    linked(tree, "h.db", mode)
    (tree.home / "h.db").unlink()
    (tree.volume / "h.db").unlink()
    closed(tree.home / "h.db", "newer")
    told(tree, "h.db")
    assert words(tree.home / "h.db") == {"newer"}
    assert in_attic(tree, f"h.db{SUFFIX[mode]}")


@pytest.mark.parametrize("wins", ["home", "volume"])
@pytest.mark.parametrize("hot", ["home", "volume", "both"])
def test_two_directories_with_a_database_each(tree: Tree, mode: str, wins: str, hot: str) -> None:
    """A merge takes a database with its own changes, or not at all."""
    tree.manifest(".d/")
    if wins == "home":  # it replaced the link
        tree.resolve()
        (tree.home / ".d").unlink()
    for side, root in (("home", tree.home), ("volume", tree.volume)):
        if hot in (side, "both"):
            killed(root / ".d/h.db", side, mode)
        else:
            closed(root / ".d/h.db", side)
    outcome = told(tree, ".d")
    assert outcome.error is None, outcome.error
    assert words(tree.home / ".d/h.db") == {wins}
    assert last(tree.home / ".d/h.db") == (LAST[mode] if hot in (wins, "both") else "89")
    (kept,) = in_attic(tree, ".d/h.db")
    loser = "home" if wins == "volume" else "volume"
    assert words(kept) == {loser}
    assert last(kept) == (LAST[mode] if hot in (loser, "both") else "89")


@pytest.mark.parametrize("replaced", [True, False])
def test_what_is_open_when_the_container_ends(tree: Tree, mode: str, *, replaced: bool) -> None:
    """The newer one is kept with its own changes, and the older one with its own, wherever each is."""
    linked(tree, "h.db", mode)
    (tree.home / "h.db").unlink()
    if not replaced:
        tree.lose_container()
    killed(tree.home / "h.db", "newer", mode)
    assert told(tree, "h.db").code == "path.database-open"
    (entry,) = load_declarations(tree.layout, tree.settings).entries
    with Session(tree.layout, tree.settings) as session:
        save(session, entry)
    kept, lost = ("newer", "older") if replaced else ("older", "newer")
    assert (words(tree.volume / "h.db"), last(tree.volume / "h.db")) == ({kept}, LAST[mode])
    (aside,) = in_attic(tree, "h.db")
    assert (words(aside), last(aside)) == ({lost}, LAST[mode])


def test_it_is_open_when_the_daemon_stops_twice(tree: Tree, mode: str) -> None:
    """The second time, only the changes next to the database are others."""
    tree.manifest("h.db")
    tree.resolve()
    (tree.home / "h.db").unlink(missing_ok=True)
    (entry,) = load_declarations(tree.layout, tree.settings).entries
    for word in ("one", "two"):
        if mode == "wal":
            killed(tree.home / "h.db", word, mode) if word == "one" else _add(tree.home / "h.db", "two last")
        else:
            killed(tree.home / "h.db", word, mode)
        with Session(tree.layout, tree.settings) as session:
            save(session, entry)
    tree.lose_container()
    tree.resolve()
    assert "two" in words(tree.home / "h.db")


def _add(place: Path, row: str) -> None:
    """Commit one more row, and leave it in the file next to the database."""
    script = (
        "import os, sqlite3, sys\n"
        "database = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "database.execute('pragma wal_autocheckpoint=0')\n"
        "database.execute('insert into t values(?)', (sys.argv[2],))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, place, row], check=False)


def test_only_its_mode_is_saved(tree: Tree, mode: str) -> None:
    """The same database with another mode: the changes next to the volume's are still its own."""
    linked(tree, "h.db", mode)
    copy = (tree.volume / "h.db").read_bytes()
    (tree.home / "h.db").unlink()
    (tree.home / "h.db").write_bytes(copy)
    (tree.home / "h.db").chmod(0o600)
    told(tree, "h.db")
    assert (words(tree.home / "h.db"), last(tree.home / "h.db")) == ({"older"}, LAST[mode])


def test_renamed_to_another_declared_path(tree: Tree, mode: str) -> None:
    tree.manifest("a.db", "b.db")
    killed(tree.volume / "a.db", "a", mode)
    killed(tree.volume / "b.db", "b", mode)
    tree.resolve()
    (tree.home / "a.db").rename(tree.home / "b.db")
    entries = {entry.path: entry for entry in load_declarations(tree.layout, tree.settings).entries}
    told(tree, "a.db", link_moved("b.db", entries["b.db"]))
    assert (words(tree.home / "b.db"), last(tree.home / "b.db")) == ({"a"}, LAST[mode])
    (kept,) = in_attic(tree, "b.db")
    assert (words(kept), last(kept)) == ({"b"}, LAST[mode])


def test_renamed_to_a_path_that_is_not_declared(tree: Tree, mode: str) -> None:
    """As before a new start: ``mv h.db h.db.bak``."""
    linked(tree, "h.db", mode)
    (tree.home / "h.db").rename(tree.home / "h.db.bak")
    told(tree, "h.db", link_moved("h.db.bak"))
    closed(tree.home / "h.db", "newer")
    told(tree, "h.db")
    assert words(tree.home / "h.db") == {"newer"}
    assert (tree.home / "h.db").is_symlink()
    assert (words(tree.home / "h.db.bak"), last(tree.home / "h.db.bak")) == ({"older"}, LAST[mode])


def test_two_are_exchanged(tree: Tree, mode: str) -> None:
    """That cannot be done in one step with the files next to them; the remedy works."""
    tree.manifest("a.db", "b.db")
    killed(tree.volume / "a.db", "a", mode)
    closed(tree.volume / "b.db", "b")
    tree.resolve()
    for old, new in (("a.db", "t"), ("b.db", "a.db"), ("t", "b.db")):
        (tree.home / old).rename(tree.home / new)
    entries = {entry.path: entry for entry in load_declarations(tree.layout, tree.settings).entries}
    outcome = told(tree, "a.db", link_moved("b.db", entries["b.db"]))
    assert outcome.code == "path.database-open"
    assert outcome.error is not None
    command = outcome.error.hint.partition("once (")[2].rpartition("), then")[0]
    assert "~/b.db" in command
    subprocess.run(command, shell=True, check=True, env={**os.environ, "HOME": str(tree.home)})
    told(tree, "a.db", link_moved("b.db", entries["b.db"]))
    assert (words(tree.volume / "a.db"), words(tree.volume / "b.db")) == ({"b"}, {"a"})
    assert last(tree.volume / "b.db") == LAST[mode]


@pytest.mark.parametrize("there", [closed, killed])
def test_restored_from_the_attic(tree: Tree, mode: str, there: Callable[..., None]) -> None:
    """Each of the two comes and leaves with its own changes."""
    linked(tree, "h.db", mode)
    (tree.home / "h.db").unlink()
    closed(tree.home / "h.db", "newer")
    told(tree, "h.db")
    if there is killed:
        with closing(sqlite3.connect(tree.volume / "h.db")) as database:
            database.execute("delete from t")
            database.commit()
        killed(tree.volume / "h.db", "newer", mode)
    with Session(tree.layout, tree.settings) as session:
        (item,) = [item for item in items(session.volume) if item.path == "h.db"]
        restore(session.attic, item.batch, "h.db", "h.db", force=True)
    assert (words(tree.home / "h.db"), last(tree.home / "h.db")) == ({"older"}, LAST[mode])
    (kept,) = in_attic(tree, "h.db")
    assert words(kept) == {"newer"}
    assert last(kept) == (LAST[mode] if there is killed else "89")


def test_a_file_that_only_has_such_a_name(tree: Tree) -> None:
    """A journal that somebody writes is a file like any other."""
    tree.manifest(".d/")
    for root, word in ((tree.home, "home"), (tree.volume, "volume")):
        (root / ".d").mkdir()
        (root / ".d/notes").write_text(word)
    (tree.home / ".d/notes-journal").write_text("mine")
    told(tree, ".d")
    assert (tree.volume / ".d/notes").read_text() == "volume"
    assert (tree.home / ".d/notes-journal").read_text() == "mine"
    assert os.path.islink(tree.home / ".d")


def test_a_migration_that_merges(tree: Tree, mode: str) -> None:
    """The target's database wins; the source's changes do not come to it."""
    tree.manifest(".new/", migrations=[{"id": "moved", "rename": [".old/", ".new/"]}])
    killed(tree.volume / ".old/h.db", "older", mode)
    closed(tree.volume / ".new/h.db", "newer")
    assert not tree.resolve().errors
    assert words(tree.home / ".new/h.db") == {"newer"}
    (kept,) = in_attic(tree, ".new/h.db")
    assert (words(kept), last(kept)) == ({"older"}, LAST[mode])


RENAMES = ("rename_new", "exchange", "swap")


def dies_before(call: int, work: Callable[[], object]) -> bool:
    """Do something in a child that is killed before one of its renames; whether it came that far."""
    child = os.fork()
    if child == 0:
        made = 0

        def counted(name: str) -> Callable[..., None]:
            rename: Callable[..., None] = getattr(kernel, name)

            def run(*words: object) -> None:
                nonlocal made
                made += 1
                if made > call:
                    os.kill(os.getpid(), signal.SIGKILL)
                rename(*words)

            return run

        for name in RENAMES:
            setattr(kernel, name, counted(name))
        try:
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def test_killed_while_one_replaces_another(tmp_path: Path, mode: str, tried: Tried) -> None:
    """Before each rename: no database gets another one's changes, and none is gone."""
    kills = 0
    while True:
        tree = Tree.at(tmp_path / str(kills))
        linked(tree, "h.db", mode)
        (tree.home / "h.db").unlink()
        closed(tree.home / "h.db", "newer")
        was_killed = dies_before(kills, partial(told, tree, "h.db"))
        told(tree, "h.db")
        assert words(tree.home / "h.db") == {"newer"}
        assert (tree.home / "h.db").is_symlink()
        whose = [words(kept) for kept in in_attic(tree, "h.db")]  # all are whole
        apart = in_attic(tree, f"h.db{SUFFIX[mode]}{SET_ASIDE_SUFFIX}")
        assert {"newer", "half"} not in whose
        assert {"older"} in whose or apart, "killed in between, its changes are next to no database"
        if not was_killed:
            break
        kills += 1
    tried("kill points tried", kills)
    assert kills >= len(RENAMES)
