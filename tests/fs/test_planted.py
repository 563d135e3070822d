"""A symlink planted by whoever can write to home or volume leads us nowhere, also when it comes in between.

Outside lies a secret: it is never read into home or volume, and nothing there is written or removed.
"""

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from coder_ws_runtime.errors import UserError
from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.errors import ChangedError
from coder_ws_runtime.persist.reconcile.event import LINK_DELETED
from coder_ws_runtime.persist.reconcile.save import save
from coder_ws_runtime.persist.reconcile.settle import settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_items import items, restore
from tests.fs.conftest import CODER, as_user, own
from tests.harness.scenario_parts import import_everything
from tests.harness.tree import Tree, write

SECRET = "the secret outside"
ROUNDS = 40

HOME = {
    ".a/b/c": "home c",
    ".a/b/sub/d": "home d",
    ".dir/one": "home one",
    ".dir/sub/two": "home two",
    "file": "home file",
    ".own/x": "home own",
}
VOLUME = {".dir/one": "volume one", ".dir/sub/three": "volume three", ".a/b/e": "volume e"}
DECLARED = [".a/b/", ".dir/", "file", {"path": ".own/", "scope": "workspace"}]


@dataclass
class Place:
    tree: Tree
    outside: Path

    def fill(self) -> None:
        """Home and volume as above, in a container that has made no link yet."""
        for side, what in ((self.tree.home, HOME), (self.tree.volume, VOLUME)):
            shutil.rmtree(side)
            side.mkdir()
            write(side, what)
        shutil.rmtree(self.tree.layout.ledger_dir)
        self.tree.layout.ledger_dir.mkdir()
        self.tree.manifest(*DECLARED)

    def facts(self) -> dict[str, object]:
        """All that a program could have changed outside."""
        return {
            str(path): (found.st_mode, found.st_uid, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)
            for path in [self.outside, *sorted(self.outside.rglob("*"))]
            for found in [path.lstat()]
        }

    def leaked(self) -> list[str]:
        """Files of home and volume with what lies outside."""
        return [
            str(path)
            for side in (self.tree.home, self.tree.volume)
            for directory, _, names in os.walk(side)
            for path in (Path(directory) / name for name in names)
            if path.is_file() and not path.is_symlink() and SECRET in path.read_text()
        ]


@pytest.fixture(scope="module", autouse=True)
def _all_is_imported(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is imported late is imported now: `coder` may not be able to read this Python."""
    import_everything()
    tree = Tree.at(tmp_path_factory.mktemp("warm"))
    write(tree.home, HOME)
    write(tree.volume, VOLUME)
    tree.manifest(*DECLARED)
    everything(tree)


@pytest.fixture
def place() -> Iterator[Place]:
    # Not below pytest's directory, which only its owner may enter.
    base = Path(tempfile.mkdtemp(prefix="cws-planted-"))
    base.chmod(0o755)
    outside = base / "outside"
    names = ("b/c", "b/e", "c", "one", "two", "sub/two", "x", "d", ".own/x", "user.json", "1/file")
    write(outside, {name: f"{SECRET} {name}" for name in names})
    own(outside)
    made = Place(Tree.at(base / "root"), outside)
    made.fill()
    yield made
    shutil.rmtree(base)


def everything(tree: Tree) -> None:
    """What touches home and volume: a resolve, a heal, a restore, a last save."""
    with contextlib.suppress(UserError):
        found = tree.resolve()
        with Session(tree.layout, tree.settings) as session:
            for outcome in found.outcomes:
                settle(session, outcome.entry, event=LINK_DELETED)
                with contextlib.suppress(OSError, UserError, ChangedError):
                    save(session, outcome.entry)
            for item in list(items(session.volume)):
                with contextlib.suppress(OSError, UserError):
                    restore(session.attic, item.batch, item.path, item.path, force=True)


# Where a link to the outside is planted; what was there is gone.
PLANTED = [
    "home/.a",
    "home/.a/b",
    "home/.a/b/sub",
    "home/.dir",
    "home/.dir/one",
    "home/.dir/sub",
    "home/file",
    "home/.file.home-persist",
    "home/.b.home-persist",
    "volume/.a",
    "volume/.a/b",
    "volume/.dir",
    "volume/.dir/one",
    "volume/.dir/sub",
    "volume/.workspaces",
    "volume/.workspaces/w1",
    "volume/.home-persist",
    "volume/.home-persist/attic",
    "volume/.home-persist/staging",
    "volume/.home-persist/locks",
    "volume/.home-persist/leases",
    "volume/.home-persist/manifests",
]


def plant(place: Place, where: str) -> Path:
    side, _, path = where.partition("/")
    link = (place.tree.home if side == "home" else place.tree.volume) / path
    if link.is_dir():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(place.outside)
    return link


@pytest.mark.parametrize("uid", [0, CODER], ids=["root", "coder"])
@pytest.mark.parametrize("where", PLANTED)
def test_a_planted_link_leads_nowhere(where: str, uid: int, place: Place) -> None:
    plant(place, where)
    own(place.tree.layout.root)
    before = place.facts()
    as_user(uid, lambda: everything(place.tree))
    assert place.facts() == before
    assert place.leaked() == []


# What is swapped for such a link, back and forth, while we run.
SWAPPED = [
    "home/.a",
    "home/.a/b",
    "home/.dir",
    "home/.dir/sub",
    "volume/.a",
    "volume/.dir",
    "volume/.dir/sub",
]


@pytest.mark.parametrize("uid", [0, CODER], ids=["root", "coder"])
@pytest.mark.parametrize("where", SWAPPED)
def test_a_link_swapped_in_leads_nowhere(where: str, uid: int, place: Place) -> None:
    before = place.facts()
    side, _, path = where.partition("/")
    for _ in range(ROUNDS // len(SWAPPED)):
        place.fill()
        base = place.tree.home if side == "home" else place.tree.volume
        (base / ".swap").symlink_to(place.outside)
        own(place.tree.layout.root)
        stop = threading.Event()
        swapping = threading.Thread(target=_swap, args=(base, path, stop))
        swapping.start()
        try:
            as_user(uid, lambda: everything(place.tree))
        finally:
            stop.set()
            swapping.join()
    assert place.facts() == before
    assert place.leaked() == []


def _swap(base: Path, path: str, stop: threading.Event) -> None:
    fd = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        while not stop.is_set():
            with contextlib.suppress(OSError):
                kernel.exchange(fd, ".swap", fd, path)
    finally:
        os.close(fd)
