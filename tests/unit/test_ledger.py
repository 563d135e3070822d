"""Which links this container has made, as several of its processes know it."""

from pathlib import Path

import pytest

from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.ledger import Ledger
from tests.harness.tree import Tree, content


def test_a_save_over_a_link_that_a_command_made_since_the_daemon_started(tree: Tree) -> None:
    with Session(tree.layout, tree.settings) as daemon:
        tree.manifest("f")
        (tree.home / "f").write_text("older")
        tree.resolve()
        (tree.home / "new").write_text("newer")
        (tree.home / "new").rename(tree.home / "f")
        (entry,) = load_declarations(tree.layout, tree.settings).entries
        assert settle(daemon, entry).decision is Decision.HOME_WINS
    assert content(tree.volume) == {"f": "newer"}
    assert tree.attic() == {"f": "older"}


def test_what_another_process_forgot(tmp_path: Path) -> None:
    one, other = Ledger(tmp_path), Ledger(tmp_path)
    one.record("f", "/volume/f")
    assert other.has("f", "/volume/f")
    other.forget("f")
    one.refresh()
    assert not one.has("f", "/volume/f")


@pytest.mark.parametrize("cut", range(2, 15))
def test_a_line_that_a_crash_cut_short_spoils_no_other(cut: int, tmp_path: Path) -> None:
    Ledger(tmp_path).record("one", "/volume/one")
    whole = (tmp_path / "links").read_bytes()
    Ledger(tmp_path).record("two", "/volume/two")
    (tmp_path / "links").write_bytes(whole + b"\ntwo\t/volume/two\n"[:-cut])
    Ledger(tmp_path).record("three", "/volume/three")
    assert all(Ledger(tmp_path).has(name, f"/volume/{name}") for name in ("one", "three"))
    assert not Ledger(tmp_path).has("two", "/volume/two")


NAMES = [
    "conf\udcff",  # a byte that is not UTF-8
    "new\nline",
    "x\n.b\t",
    "tab\t",
    "back\\slash",
    "back\\slash\n\\n\\b\\",
    "\\b\t",
    "carriage\r\x0b\x1c\u2028",
    "ü",
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names_with_everything_in_them(name: str, tmp_path: Path) -> None:
    one = Ledger(tmp_path)
    one.record(".b", "/volume/.b")
    one.record(name, f"/volume/{name}")
    one.note_left(name, "moved")
    one.begin_copy(name, name)
    one.record_all({f"{name}/in": f"{name}\n", "other": "/volume/other"})
    for ledger in (one, Ledger(tmp_path)):
        assert ledger.links() == {
            ".b": "/volume/.b",
            name: f"/volume/{name}",
            f"{name}/in": f"{name}\n",
            "other": "/volume/other",
        }
        assert ledger.left(name) == "moved"
        assert ledger.begun_copies() == {name: name}
    one.end_copy(name)
    one.forget(name)
    assert Ledger(tmp_path).begun_copies() == {}
    assert name not in Ledger(tmp_path).links()
    with one.lock(name, wait=True):
        assert one.copies(name) == {}


def test_a_ledger_without_escapes_still_reads_the_same(tmp_path: Path) -> None:
    """What a daemon of the former version wrote, before the package was upgraded in the container."""
    (tmp_path / "links").write_bytes(
        b"\na\\nb\t/volume/a\\nb\n\nmoved\t/volume/moved\tmoved\n\nf.home-persist-copy\t\tcopying a\\b\n"
    )
    ledger = Ledger(tmp_path)
    assert ledger.links() == {"a\\nb": "/volume/a\\nb", "moved": "/volume/moved"}
    assert ledger.left("moved") == "moved"
    assert ledger.begun_copies() == {"f": "a\\b"}
