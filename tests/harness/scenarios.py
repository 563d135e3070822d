"""What has to hold on every file system that a volume may be: a bounded set of scenarios.

Each works on a tree of its own, whose home is on one file system and whose volume is on the one that is
tried. They need nothing of pytest: in the NFS lab they run in another kernel.
"""

import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime.persist import collect, gc
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_batch import batch_name
from coder_ws_runtime.persist.store.attic_items import items, restore
from coder_ws_runtime.persist.store.lease import Lease, Renewal, held_elsewhere
from tests.harness.scenario_parts import (
    holding,
    home_persist,
    in_place,
    save,
    second_home,
    wait_until,
    watching,
)
from tests.harness.tree import Tree, content, write

Scenario = Callable[[Tree], None]
LONG = "n" * 255


def seed(tree: Tree) -> None:
    """Content of the home moves to the volume; a new container has it again."""
    home = {".d/a": "1", ".d/sub/b": "2", ".d/link": "->a", "f": "3", ".d/empty/": ""}
    write(tree.home, home)
    tree.manifest(".d/", "f")
    in_place(tree)
    assert content(tree.volume) == home
    tree.lose_container()
    in_place(tree)
    assert (tree.home / ".d/sub/b").read_text() == "2"


def save_over_the_link(tree: Tree) -> None:
    """The newer save wins, the older one is in the attic, and comes back."""
    write(tree.home, {"f": "older"})
    tree.manifest("f")
    in_place(tree)
    for number in range(3):
        save(tree.home / "f", f"newer {number}")
        in_place(tree)
    assert (tree.home / "f").is_symlink()
    assert (tree.volume / "f").read_text() == "newer 2"
    with Session(tree.layout, tree.settings) as session:
        newest = items(session.volume)[0]
        restore(session.attic, newest.batch, "f", "f", force=True)
    assert (tree.home / "f").read_text() == "newer 1"


def merge(tree: Tree) -> None:
    """Two directories become one; what differs is in the attic."""
    write(tree.home, {".d/mine": "1", ".d/both": "home"})
    write(tree.volume, {".d/its": "2", ".d/both": "volume"})
    tree.manifest(".d/")
    in_place(tree)
    assert content(tree.volume) == {".d/mine": "1", ".d/its": "2", ".d/both": "volume"}
    assert tree.attic() == {".d/both": "home"}


def give_back(tree: Tree) -> None:
    """`remove` brings content back to the home, and says of no program that it is writing."""
    write(tree.home, {".d/a": "1", ".d/sub/b": "2", "f": "3"})
    in_place(tree)
    for words in (("add", "~/.d", "~/f"), ("remove", "~/.d", "~/f")):
        status, told = home_persist(tree, *words)
        assert status == 0, told
    assert content(tree.home) == {".d/a": "1", ".d/sub/b": "2", "f": "3"}
    assert not (tree.home / ".d").is_symlink()


def read_only_directory(tree: Tree) -> None:
    """As a Go module cache has them."""
    write(tree.home, {".go/mod/x": "1", ".go/mod/deep/y": "2"})
    for path in (".go/mod/deep", ".go/mod"):
        (tree.home / path).chmod(0o555)
    tree.manifest(".go/")
    try:
        in_place(tree)
        assert content(tree.volume) == {".go/mod/x": "1", ".go/mod/deep/y": "2"}
    finally:
        for root in (tree.home, tree.volume):
            for path in (".go/mod", ".go/mod/deep"):
                with suppress(OSError):
                    (root / path).chmod(0o755)


def read_only_directory_itself(tree: Tree) -> None:
    """One that is declared, in the home and then replaced."""
    write(tree.home, {".ro/x": "1"})
    (tree.home / ".ro").chmod(0o555)
    tree.manifest(".ro/")
    in_place(tree)
    assert content(tree.volume) == {".ro/x": "1"}


def long_names(tree: Tree) -> None:
    """As long as file systems have them, replaced, in the attic, and back."""
    write(tree.home, {f".d/{LONG}": "older", ".d/x": "1"})
    tree.manifest(".d/")
    in_place(tree)
    (tree.home / ".d").unlink()
    write(tree.home, {f".d/{LONG}": "newer"})
    in_place(tree)
    assert (tree.volume / ".d" / LONG).read_text() == "newer"
    assert tree.attic() == {f".d/{LONG}": "older"}
    with Session(tree.layout, tree.settings) as session:
        (item,) = items(session.volume)
        restore(session.attic, item.batch, item.path, item.path, force=True)
    assert (tree.volume / ".d" / LONG).read_text() == "older"


def metadata(tree: Tree) -> None:
    """Modes, times, links and hard links arrive as far as the file system has them; nothing fails."""
    write(tree.home, {".d/script": "#!/bin/sh\n", ".d/secret": "s", ".d/one": "1"})
    (tree.home / ".d/script").chmod(0o755)
    (tree.home / ".d/secret").chmod(0o600)
    os.link(tree.home / ".d/one", tree.home / ".d/two")
    (tree.home / ".d/link").symlink_to("script")
    with suppress(OSError):
        os.setxattr(tree.home / ".d/one", "user.test", b"value")
    os.utime(tree.home / ".d/secret", (1e9, 1e9))
    tree.manifest(".d/")
    in_place(tree)
    found = {path.name: path.lstat() for path in (tree.volume / ".d").iterdir()}
    assert stat.S_IMODE(found["script"].st_mode) == 0o755
    assert stat.S_IMODE(found["secret"].st_mode) == 0o600
    assert abs(found["secret"].st_mtime - 1e9) < 2
    assert (tree.volume / ".d/link").readlink() == Path("script")


def types(tree: Tree) -> None:
    """A file where a directory is declared, and the other way round: nothing is destroyed."""
    write(tree.home, {"d": "a file", "f/x": "a directory"})
    write(tree.volume, {"d/y": "1", "f": "2"})
    tree.manifest("d/", "f")
    tree.resolve()
    everything = [*content(tree.volume).values(), *tree.attic().values(), *content(tree.home).values()]
    for text in ("a file", "a directory", "1", "2"):
        assert text in everything, everything


def two_at_once(tree: Tree) -> None:
    """Two workspaces seed the same paths; nothing of either is lost."""
    tree.manifest(".d/", "f")
    other = second_home(tree)
    write(tree.home, {f".d/{number}": "one" for number in range(30)} | {"f": "one"})
    write(other.home, {f".d/{number}": "two" for number in range(20, 50)} | {"f": "two"})
    children = [_forked(tree), _forked(other)]
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    in_place(tree)
    in_place(other)
    kept = content(tree.volume)
    assert len([path for path in kept if path.startswith(".d/")]) == 50
    assert {kept["f"], *tree.attic().values()} >= {"one", "two"}


def _forked(tree: Tree) -> int:
    child = os.fork()
    if child == 0:
        try:
            os._exit(1 if tree.resolve().errors else 0)
        finally:
            os._exit(2)
    return child


def paused_holder(tree: Tree) -> None:
    """A lock reaches the other workspace; its holder is named, and the rest is done."""
    tree.manifest(".a/", "f")
    write(tree.home, {".a/x": "1", "f": "2"})
    other = second_home(tree)
    with holding(other, "f"):
        report = tree.resolve()
    (error,) = report.errors
    assert (error.place, error.code) == ("~/f", "path.busy-elsewhere"), str(error)
    assert "name-w2" in error.message
    assert content(tree.volume) == {".a/x": "1"}
    in_place(tree)


def leases(tree: Tree) -> None:
    """A running workspace is seen by the other, and garbage collection keeps what it has."""
    other = second_home(tree)
    write(tree.volume, {".workspaces/w2/x": "1", ".workspaces/old/x": "2"})
    with Session(other.layout, other.settings) as session:
        lease = Lease(session.volume, "w2", "other")
        assert lease.held
        assert lease.renew() is Renewal.KEPT
        child = os.fork()
        if child == 0:
            os._exit(0 if held_elsewhere(tree.volume, "w1") == ["w2"] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        lease.close()
    with Session(tree.layout, tree.settings) as session:
        found, problems = gc.find_copies(session.volume)
        assert not problems
        old = next(copies for copies in found if copies.workspace_id == "old")
        collect.collect(session.attic, old)
        assert content(tree.volume) == {".workspaces/w2/x": "1"}
        assert collect.bring_back(session.attic, "old")
    assert content(tree.volume) == {".workspaces/w2/x": "1", ".workspaces/old/x": "2"}


def staging_goes(tree: Tree) -> None:
    """What another process took for left over is made again."""
    write(tree.home, {"f": "1"})
    tree.manifest("f")
    with Session(tree.layout, tree.settings) as session:
        token = session.volume.staging.token
        place = tree.layout.state / "staging"
        (place / token).rmdir()
        (place / f"{token}.lock").unlink()
        session.volume.write("manifests/x.json", b"{}")
    in_place(tree)


def attic_expires(tree: Tree) -> None:
    """What is too old goes when something is added."""
    batch = batch_name(time.time() - 40 * 86400, "dev", "")
    write(tree.layout.state / "attic", {f"{batch}/gone": "x", f"{batch}/.d/{LONG}": "x"})
    tree.confirm_time()
    write(tree.home, {"f": "1"})
    tree.manifest("f")
    in_place(tree)
    save(tree.home / "f", "2")
    in_place(tree)
    assert tree.attic() == {"f": "1"}


def daemon(tree: Tree) -> None:
    """A save by rename is on the volume a moment later, and the last one before the daemon ends."""
    write(tree.home, {"f": "1"})
    tree.manifest("f", ".d/")
    in_place(tree)
    with watching(tree):
        save(tree.home / "f", "2")
        wait_until(lambda: (tree.volume / "f").read_text() == "2" and (tree.home / "f").is_symlink())
        save(tree.home / "f", "3")
    assert (tree.volume / "f").read_text() == "3"
    assert (tree.home / "f").is_symlink()


SCENARIOS: dict[str, Scenario] = {
    function.__name__: function
    for function in (
        seed,
        save_over_the_link,
        merge,
        give_back,
        read_only_directory,
        read_only_directory_itself,
        long_names,
        metadata,
        types,
        two_at_once,
        paused_holder,
        leases,
        staging_goes,
        attic_expires,
        daemon,
    )
}
