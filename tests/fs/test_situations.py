"""What programs and people really do to a home and its volume: each situation with its right outcome."""

import contextlib
import errno
import fcntl
import multiprocessing
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest

from coder_ws_runtime.cli.loading import refuse_root
from coder_ws_runtime.errors import UsageError
from coder_ws_runtime.fs import anchored, kernel
from coder_ws_runtime.fs.copying import copy
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import Entry, Kind, Scope
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile import apply as applying
from coder_ws_runtime.persist.reconcile import settle as settling
from coder_ws_runtime.persist.reconcile import staged_copies, steps_in_home
from coder_ws_runtime.persist.reconcile.actions import Operation
from coder_ws_runtime.persist.reconcile.event import LINK_DELETED, NO_EVENT, LinkEvent, link_moved
from coder_ws_runtime.persist.reconcile.observe import look
from coder_ws_runtime.persist.reconcile.settle import Outcome, settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.status import status
from coder_ws_runtime.persist.store.attic_bounds import Bounds
from coder_ws_runtime.persist.store.attic_pruning import prune
from tests.conftest import missing
from tests.fs.conftest import CODER, as_user, own
from tests.harness.tree import Tree, content, read, write


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.at(tmp_path)


def told(tree: Tree, path: str, event: LinkEvent = NO_EVENT) -> Outcome:
    """Settle one path as the daemon does."""
    (entry,) = [one for one in load_declarations(tree.layout, tree.settings).entries if one.path == path]
    with Session(tree.layout, tree.settings) as session:
        session.relink = False
        return settle(session, entry, event=event)


def save(path: Path, text: str) -> None:
    """Write a new file and rename it over the old name."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.replace(path)


def facts(root: Path) -> dict[str, object]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# 1: mounts --------------------------------------------------------------------------------------------


@contextlib.contextmanager
def bound(source: Path, target: Path) -> Iterator[None]:
    """A bind mount, on the same device."""
    if os.geteuid() != 0:
        missing("root, to mount")
    subprocess.run(["mount", "--bind", source, target], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", target], check=True)


@pytest.fixture(params=["openat2", "mount numbers compared"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "openat2":
        monkeypatch.setattr(kernel, "_openat2", lambda *_: (0, 38))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("what", ["a directory", "a file"])
def test_a_bind_mount_that_is_not_in_the_list_is_not_moved(
    what: str, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that appears after the list was read: nothing of it is copied, and nothing removed."""
    tree.manifest(".d/")
    write(tree.home, {".d/x": "1", ".d/mnt/": "", ".d/file": ""})
    write(tree.layout.root, {"live/precious": "live", "live-file": "live"})
    monkeypatch.setattr(Session, "mounted_in", lambda *_: None)
    source, target = ("live", "mnt") if what == "a directory" else ("live-file", "file")
    with bound(tree.layout.root / source, tree.home / ".d" / target):
        outcome = told(tree, ".d")
        assert outcome.code == "path.mounted"
        assert (tree.home / ".d/x").read_text() == "1"
        assert content(tree.volume) == {}
    assert (tree.layout.root / "live/precious").read_text() == "live"


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("volume", [{}, {".conf": "older"}], ids=["seed", "merge"])
def test_a_declared_file_that_is_a_bind_mount(volume: dict[str, str], tree: Tree) -> None:
    """Engines mount single files, e.g. settings that a template brings."""
    tree.manifest(".conf")
    write(tree.home, {".conf": "image"})
    write(tree.volume, volume)
    write(tree.layout.root, {"live": "template"})
    for text in ("template", "changed"):
        with bound(tree.layout.root / "live", tree.home / ".conf"):
            (tree.home / ".conf").write_text(text)
            outcome = told(tree, ".conf")
            assert (outcome.code, outcome.changed) == ("path.mounted", False)
        assert (tree.layout.root / "live").read_text() == text
        assert (read(tree.home), content(tree.volume)) == ({".conf": "image"}, volume)
    assert tree.resolve().outcomes[0].changed, "it is linked when nothing is mounted there"


def test_what_an_interrupted_run_set_aside_beside_a_mount(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mount stays where it is, and what was set aside does not wait for its end."""
    tree.manifest(".d/")
    write(tree.home, {".d/x": "new", ".d/mnt/": "", "..d.home-persist/x": "old"})
    write(tree.volume, {".d/x": "old"})
    write(tree.layout.root, {"live/precious": "live"})
    monkeypatch.setattr(Session, "mounted_in", lambda *_: "mnt")
    with bound(tree.layout.root / "live", tree.home / ".d/mnt"):
        assert told(tree, ".d").code == "path.mounted"
        assert read(tree.home) == {".d/x": "new", ".d/mnt/precious": "live"}


@pytest.mark.usefixtures("way")
def test_a_mount_that_appears_during_the_copy(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.manifest(".d/")
    write(tree.home, {".d/x": "1", ".d/mnt/y": "2"})
    write(tree.layout.root, {"live/precious": "live"})
    with contextlib.ExitStack() as stack:

        def late(*args: object, **kwargs: object) -> object:
            done = copy(*args, **kwargs)  # type: ignore[arg-type]
            stack.enter_context(bound(tree.layout.root / "live", tree.home / ".d/mnt"))
            monkeypatch.setattr(staged_copies, "copy", copy)
            return done

        monkeypatch.setattr(staged_copies, "copy", late)
        assert told(tree, ".d").code == "path.mounted"
        assert (tree.home / ".d/x").read_text() == "1"
        assert (tree.home / ".d/mnt/precious").read_text() == "live"
    assert read(tree.home) == {".d/x": "1", ".d/mnt/y": "2"}
    assert read(tree.layout.root / "live") == {"precious": "live"}


@pytest.mark.usefixtures("way")
def test_the_attic_does_not_delete_through_a_mount(tree: Tree) -> None:
    """Whatever it was that came into the attic with a mount in it."""
    write(tree.layout.root, {"live/precious": "live"})
    tree.manifest("f")
    write(tree.home, {"f": "image"})
    write(tree.volume, {"f": "volume"})
    tree.resolve()
    (batch,) = (tree.layout.state / "attic").iterdir()
    (batch / "mnt").mkdir()
    with bound(tree.layout.root / "live", batch / "mnt"):
        with Session(tree.layout, tree.settings) as session, contextlib.suppress(OSError):
            prune(session.volume, time.time() + 1e9, Bounds())
        assert (tree.layout.root / "live/precious").read_text() == "live"


# 3: the attic is not elsewhere ------------------------------------------------------------------------


def test_a_losing_copy_that_the_attic_has_is_renewed(tree: Tree) -> None:
    """It is kept from now on, and takes no place of a version that somebody wrote."""
    tree.manifest("f")
    write(tree.volume, {"f": "mine"})
    seen: list[str] = []
    for _ in range(3):
        write(tree.home, {"f": "image"})
        assert tree.settle("f").code == "path.volume-wins"
        (batch,) = [one for one in (tree.layout.state / "attic").iterdir() if (one / "f").exists()]
        assert (batch / "f").read_text() == "image"
        seen.append(batch.name)
        tree.lose_container()
    assert seen == sorted(set(seen)), "each time it is moved to a batch of then"


def test_a_setting_toggled_there_and_back_in_a_directory(tree: Tree) -> None:
    tree.manifest(".d/")
    write(tree.home, {".d/x": "A"})
    tree.resolve()
    for text in ("B", "A"):
        (tree.home / ".d").unlink()
        write(tree.home, {".d/x": text})
        told(tree, ".d")
        assert (tree.home / ".d/x").read_text() == text
    assert content(tree.volume) == {".d/x": "A"}


# 4: written in place, its time set back ---------------------------------------------------------------


def test_written_in_place_during_the_copy_with_its_time_set_back(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.manifest("image")
    write(tree.home, {"image": "before"})

    def late(*args: object, **kwargs: object) -> object:
        done = copy(*args, **kwargs)  # type: ignore[arg-type]
        monkeypatch.setattr(staged_copies, "copy", copy)
        found = (tree.home / "image").stat()
        with (tree.home / "image").open("r+") as file:
            file.write("AFTER!")
        os.utime(tree.home / "image", ns=(found.st_atime_ns, found.st_mtime_ns))
        return done

    monkeypatch.setattr(staged_copies, "copy", late)
    tree.resolve()
    assert content(tree.volume) == {"image": "AFTER!"}


# 5: a writer of another user --------------------------------------------------------------------------


@pytest.fixture
def shared() -> Iterator[Tree]:
    """A tree that a user may enter."""
    base = Path(tempfile.mkdtemp(prefix="cws-situations-"))
    base.chmod(0o755)
    yield Tree.at(base)
    shutil.rmtree(base)


def test_a_log_that_root_writes_by_sudo(shared: Tree) -> None:
    """Nobody can know whether it is written: it is copied, and stays where root goes on writing it."""
    shared.manifest(".d/")
    write(shared.home, {".d/x": "1", ".d/log": "so far"})
    shared.resolve(dry_run=True)  # what is imported late is imported now
    own(shared.layout.root)
    os.chown(shared.home / ".d/log", 0, 0)
    warm(shared)
    writer = subprocess.Popen(
        ["sh", "-c", f"exec 3>>{shared.home}/.d/log; echo; read _; printf ', and more' >&3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout
    writer.stdout.readline()
    as_user(CODER, lambda: is_left(shared, "path.perhaps-written"))
    writer.communicate("\n")
    assert (shared.home / ".d/log").read_text() == "so far, and more"
    assert content(shared.volume)[".d/x"] == "1"
    assert not (shared.home / ".d").is_symlink()


def processes(tree: Tree, *pids: int) -> Path:
    """A process file system in which only these processes are in sight."""
    proc = tree.layout.root / "few-processes"
    proc.mkdir()
    (proc / "self").symlink_to("/proc/self")
    for pid in pids:
        (proc / str(pid)).symlink_to(f"/proc/{pid}")
    return proc


def is_left(tree: Tree, code: str) -> None:
    assert [outcome.code for outcome in tree.resolve().outcomes] == [code]


def warm(tree: Tree) -> None:
    """Import what is imported late: another user may not be able to read this Python."""
    other = Tree.at(Path(tempfile.mkdtemp(dir=tree.layout.root)))
    other.manifest("f")
    write(other.home, {"f": "1"})
    other.resolve()
    shutil.rmtree(other.layout.root)


def test_what_is_roots_and_nobody_writes_is_moved_where_that_is_known(
    shared: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the open files of all processes may be read: here none but ours are in sight."""
    from coder_ws_runtime.fs import writers

    shared.manifest("f")
    write(shared.home, {"f": "static"})
    shared.resolve(dry_run=True)
    own(shared.layout.root)
    os.chown(shared.home / "f", 0, 0)
    warm(shared)
    monkeypatch.setattr(writers, "_PROC", processes(shared))
    as_user(CODER, lambda: is_left(shared, "path.seeded"))
    assert content(shared.volume) == {"f": "static"}


def test_a_file_system_without_leases_is_not_always_being_written(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As NFS without delegations: EAGAIN for every lease; the processes are asked instead."""
    from coder_ws_runtime.fs import writers

    real = fcntl.fcntl

    def refuse(fd: int, command: int, *words: Any) -> Any:  # noqa: ANN401 - what it refuses
        if command == fcntl.F_SETLEASE:
            raise BlockingIOError
        return real(fd, command, *words)

    monkeypatch.setattr(writers, "_type_of", lambda _: "nfs4")
    monkeypatch.setattr(writers, "_leases", {})
    monkeypatch.setattr(writers, "_FRESH", 0.0)
    monkeypatch.setattr(writers, "_PROC", processes(tree, os.getpid()))
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    tree.manifest("f", "g")
    write(tree.home, {"f": "1", "g": "1"})
    with (tree.home / "g").open("a"):
        found = tree.resolve()
    assert {outcome.entry.path: outcome.code for outcome in found.outcomes} == {
        "f": "path.seeded",
        "g": "path.in-use",
    }
    assert [error.hint for error in found.errors] == [
        "close the program (fuser -v ~/g names it), then: home-persist resolve"
    ]


# 7: a link that was renamed ---------------------------------------------------------------------------


def test_a_backup_keeps_what_it_backed_up(tree: Tree) -> None:
    """``sed -i.bak``: the link is renamed, then the new file comes."""
    tree.manifest("f")
    write(tree.home, {"f": "old"})
    tree.resolve()
    (tree.home / "f").rename(tree.home / "f.bak")
    save(tree.home / "f", "new")
    outcome = told(tree, "f", link_moved("f.bak"))
    assert outcome.code == "path.moved"
    assert not (tree.home / "f.bak").is_symlink()
    assert ((tree.home / "f.bak").read_text(), (tree.home / "f").read_text()) == ("old", "new")
    assert content(tree.volume) == {"f": "new"}


@pytest.mark.parametrize("path", ["f", ".d/"])
def test_moved_away_and_back(tree: Tree, path: str) -> None:
    tree.manifest(path)
    name, file = path.rstrip("/"), "f" if path == "f" else ".d/x"
    write(tree.home, {file: "1"})
    tree.resolve()
    (tree.home / name).rename(tree.home / "backup")
    told(tree, name, link_moved("backup"))
    assert not (tree.home / "backup").is_symlink()
    assert not os.path.lexists(tree.home / name)
    assert content(tree.volume) == {file: "1"}, "a rename to what does not last is no loss at the next start"
    (tree.home / "backup").rename(tree.home / name)
    told(tree, name)
    assert (tree.home / name).is_symlink()
    assert content(tree.volume) == {file: "1"}
    assert tree.attic() == {}


def test_renamed_to_another_declared_path(tree: Tree) -> None:
    """``mv ~/.gitconfig ~/.config/git/config``: both are declared, and it is a rename on the volume."""
    tree.manifest(".gitconfig", ".config/git/config")
    write(tree.home, {".gitconfig": "1", ".config/git/": ""})
    told(tree, ".gitconfig")
    (tree.home / ".gitconfig").rename(tree.home / ".config/git/config")
    entries = {entry.path: entry for entry in load_declarations(tree.layout, tree.settings).entries}
    told(tree, ".gitconfig", link_moved(".config/git/config", entries[".config/git/config"]))
    told(tree, ".config/git/config")
    assert content(tree.volume) == {".config/git/config": "1"}
    assert (tree.home / ".config/git/config").readlink() == tree.volume / ".config/git/config"
    assert tree.attic() == {}


def test_renamed_over_another_declared_path(tree: Tree) -> None:
    tree.manifest("f", "g")
    write(tree.home, {"f": "f", "g": "g"})
    tree.resolve()
    (tree.home / "f").rename(tree.home / "g")
    entries = {entry.path: entry for entry in load_declarations(tree.layout, tree.settings).entries}
    told(tree, "f", link_moved("g", entries["g"]))
    assert (tree.home / "g").read_text() == "f"
    assert content(tree.volume) == {"g": "f"}
    assert tree.attic() == {"g": "g"}


# 9: relative links ------------------------------------------------------------------------------------


def test_links_of_a_directory_lead_where_they_led(tree: Tree) -> None:
    tree.manifest(".config/nvim/")
    write(
        tree.home,
        {
            ".config/nvim/init.lua": "->../../dotfiles/init.lua",
            ".config/nvim/lua/plug": "->../../../dotfiles/init.lua",
            ".config/nvim/own": "->lua/x",
            ".config/nvim/lua/x": "x",
            ".config/nvim/lua/up": "->../lua/x",
            "dotfiles/init.lua": "lua",
        },
    )
    outcome = tree.settle(".config/nvim")
    for name in ("init.lua", "lua/plug"):
        assert (tree.home / ".config/nvim" / name).read_text() == "lua"
    for name in ("own", "lua/up"):
        assert (tree.home / ".config/nvim" / name).read_text() == "x"
    assert outcome.code == "path.link-into-container"
    assert "dotfiles/init.lua" in outcome.problem
    assert not tree.resolve().changed


def test_links_that_are_the_same_are_no_conflict(tree: Tree) -> None:
    """The image brings the relative link again with each container."""
    tree.manifest(".d/")
    for _ in range(2):
        write(tree.home, {".d/l": "->../dotfiles/x", "dotfiles/x": "x"})
        tree.resolve()
        assert (tree.home / ".d/l").read_text() == "x"
        tree.lose_container()
    assert tree.attic() == {}


# 10: what cannot be replaced whole is left whole ------------------------------------------------------


@pytest.fixture
def layered(tmp_path: Path) -> Iterator[Tree]:
    """A home on overlayfs with directories of the lower layer: they cannot be exchanged (EXDEV)."""
    if os.geteuid() != 0:
        missing("root, to mount an overlay")
    base = Path(tempfile.mkdtemp(prefix="cws-overlay-", dir="/dev/shm"))
    made = Tree.at(tmp_path)
    lower = {".d/settings": "settings", ".d/log": "so far", ".d/sub/x": "x"}
    write(base / "lower", lower)
    for name in ("upper", "work"):
        (base / name).mkdir()
    options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
    mounted = subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", made.home], check=False)
    if mounted.returncode:
        missing("overlayfs")
    yield made
    subprocess.run(["umount", "-l", made.home], check=True)
    shutil.rmtree(base)


def test_a_log_that_opens_during_the_copy_of_a_layers_directory(
    layered: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    layered.manifest(".d/")
    opened: list[TextIO] = []
    note = kernel.exchange

    def late(*args: object) -> None:
        if not opened:
            opened.append((layered.home / ".d/log").open("a"))
        note(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(kernel, "exchange", late)
    before = {".d/settings": "settings", ".d/log": "so far", ".d/sub/x": "x"}
    outcome = told(layered, ".d")
    assert outcome.code == "path.in-use"
    assert read(layered.home) == before
    opened[0].write(", and more")
    opened[0].close()
    told(layered, ".d")
    assert (layered.home / ".d").is_symlink()
    assert (layered.home / ".d/log").read_text() == "so far, and more"
    assert (layered.home / ".d/settings").read_text() == "settings"


def test_a_file_that_opens_while_a_layers_directory_is_removed(
    layered: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the last moment: what was removed already comes back from the volume."""
    from coder_ws_runtime.fs import removing

    layered.manifest(".d/")
    opened: list[TextIO] = []
    unlink = removing._Removal._unlink  # noqa: SLF001 - the moment between two removals

    def late(self: object, fd: int, name: str, path: str) -> None:
        unlink(self, fd, name, path)  # type: ignore[arg-type]
        if not opened:
            left = next(one for one in ("log", "settings") if (layered.home / ".d" / one).exists())
            opened.append((layered.home / ".d" / left).open("a"))

    monkeypatch.setattr(removing._Removal, "_unlink", late)  # noqa: SLF001
    (entry,) = load_declarations(layered.layout, layered.settings).entries
    with Session(layered.layout, layered.settings) as session:
        outcome = settle(session, entry)
    assert outcome.error is not None
    assert read(layered.home) == {".d/settings": "settings", ".d/log": "so far", ".d/sub/x": "x"}
    opened[0].close()


@pytest.mark.parametrize("brought", ["directory", "file"])
def test_a_link_that_fails_where_the_volume_has_another_type(
    brought: str, tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The volume's copy wins, and what stands in for the link does not count as a save by the next run."""
    volume = {".d": "the volume's"} if brought == "directory" else {".d/x": "the volume's"}
    home = {".d/x": "brought"} if brought == "directory" else {".d": "brought"}
    tree.manifest(".d" if brought == "directory" else ".d/")
    write(tree.home, home)
    write(tree.volume, volume)
    links = iter([True, False])
    symlink = steps_in_home._symlink  # noqa: SLF001 - the disk fails in this moment

    def fail_second(*args: object) -> None:
        if next(links, True):
            symlink(*args)  # type: ignore[arg-type]
        else:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    with monkeypatch.context() as failing:
        failing.setattr(kernel, "exchange", refuse)
        failing.setattr(steps_in_home, "_symlink", fail_second)
        assert told(tree, ".d").error is not None
    assert told(tree, ".d").error is None
    assert (tree.home / ".d").is_symlink()
    assert content(tree.volume) == volume
    assert list(tree.attic().values()) == ["brought"]


# 11: a save during add, and after a kill between publish and link -------------------------------------


class KilledError(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("path", ["f", ".d/"])
def test_saved_after_a_kill_between_publish_and_link(
    tree: Tree, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.manifest(path)
    file = "f" if path == "f" else ".d/x"
    write(tree.home, {file: "older"})

    def die(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setitem(applying.STEPS, Operation.REPLACE_CONTENT, die)  # between the two steps
        with pytest.raises(KilledError):
            tree.resolve()
    assert content(tree.volume) == {file: "older"}
    save(tree.home / file, "newer")
    tree.resolve()
    assert (tree.home / file).read_text() == "newer"
    assert content(tree.volume) == {file: "newer"}
    assert tree.attic() == {file: "older"}


@pytest.mark.parametrize("path", ["f", ".d/"])
def test_a_kill_before_what_was_set_aside_is_removed(
    tree: Tree, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The image's file lost; written later than the volume's, it must not win in the next run."""
    tree.manifest(path)
    file = "f" if path == "f" else ".d/x"
    write(tree.volume, {file: "kept"})
    os.utime(tree.volume / file, (1000, 1000))
    write(tree.home, {file: "image"})

    def die(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(steps_in_home, "remove_copied", die)
        with pytest.raises(KilledError):
            tree.resolve()
    tree.resolve()
    assert (tree.home / file).read_text() == "kept"
    assert content(tree.volume) == {file: "kept"}
    assert set(tree.attic().values()) == {"image"}


def test_a_renamed_link_where_a_killed_run_left_something(tree: Tree) -> None:
    tree.manifest("f")
    write(tree.home, {"f": "1"})
    tree.resolve()
    write(tree.home, {".f.home-persist": "1"})
    (tree.home / "f").rename(tree.home / "f.bak")
    told(tree, "f", link_moved("f.bak"))
    assert not (tree.home / "f.bak").is_symlink()
    assert read(tree.home) == {"f.bak": "1"}


def test_a_deleted_link_where_a_killed_run_left_something(tree: Tree) -> None:
    tree.manifest("f")
    write(tree.home, {"f": "1"})
    tree.resolve()
    write(tree.home, {".f.home-persist": "1"})
    (tree.home / "f").unlink()
    told(tree, "f", LINK_DELETED)
    assert (content(tree.volume), tree.attic()) == ({}, {"f": "1"})


def test_saved_during_add_on_a_layers_directory(layered: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    layered.manifest(".d/")
    exchange = kernel.exchange

    def late(*args: object) -> None:
        monkeypatch.setattr(kernel, "exchange", exchange)
        save(layered.home / ".d/settings", "newer")
        exchange(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(kernel, "exchange", late)
    assert layered.resolve().errors == []
    assert (layered.home / ".d/settings").read_text() == "newer"
    assert content(layered.volume)[".d/settings"] == "newer"


# 12: a directory with a socket ------------------------------------------------------------------------


@pytest.mark.parametrize("later", ["home", "volume"])
def test_saved_in_a_directory_with_a_fifo_that_goes(tree: Tree, later: str) -> None:
    """The volume has a file that the home lacks: what the home has of it later is no content of the image."""
    write(tree.home, {".d/brought": "image"})
    write(tree.volume, {".d/setting": "old", ".d/brought": "volume"})
    os.mkfifo(tree.home / ".d/fifo")
    tree.manifest(".d/")
    assert told(tree, ".d").code == "path.special"
    save((tree.home if later == "volume" else tree.volume) / ".d/setting", "earlier")
    time.sleep(0.02)
    save((tree.home if later == "home" else tree.volume) / ".d/setting", "later")
    (tree.home / ".d/fifo").unlink()
    assert told(tree, ".d").error is None
    assert (tree.home / ".d").is_symlink()
    assert (tree.home / ".d/setting").read_text() == "later"
    assert tree.attic()[".d/setting"] == "earlier"


def test_saved_in_a_directory_whose_log_closes(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, where a log that opens during the copy keeps the directory in the home."""
    write(tree.home, {".d/log": "so far"})
    write(tree.volume, {".d/setting": "old"})
    tree.manifest(".d/")
    opened: list[TextIO] = []
    exchange = kernel.exchange

    def late(*args: object) -> None:
        if not opened:
            opened.append((tree.home / ".d/log").open("a"))
        exchange(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(kernel, "exchange", late)
    assert told(tree, ".d").code == "path.in-use"
    save(tree.home / ".d/setting", "later")
    opened[0].close()
    assert told(tree, ".d").error is None
    assert (tree.home / ".d/setting").read_text() == "later"
    assert tree.attic() == {".d/setting": "old"}


@pytest.mark.parametrize("clock", [0, -3600], ids=["one clock", "the other host's clock is slow"])
def test_a_stale_home_does_not_overwrite_what_another_workspace_saved(tree: Tree, clock: int) -> None:
    tree.manifest(".d/")
    write(tree.home, {".d/x": "1"})
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tree.home / ".d/s"))
        assert told(tree, ".d").code == "path.special"
        assert content(tree.volume) == {".d/x": "1"}
        save(tree.volume / ".d/x", "another workspace's")
        at = time.time() + clock
        os.utime(tree.volume / ".d/x", (at, at))
        for _ in range(2):
            told(tree, ".d")
            assert content(tree.volume) == {".d/x": "another workspace's"}
        save(tree.home / ".d/x", "2")
        told(tree, ".d")
        told(tree, ".d")
        assert (tree.home / ".d/x").read_text() == "2"


# 14: reading back -------------------------------------------------------------------------------------


def test_a_save_in_the_moment_of_the_exchange_is_put_back_at_once(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.manifest("f")
    write(tree.home, {"f": "0"})
    tree.resolve()
    (tree.home / "f").unlink()
    save(tree.home / "f", "1")
    exchange = kernel._renameat2  # noqa: SLF001 - the moment of the exchange
    seen: list[str] = []

    def late(*args: object) -> None:
        if args[-1] == 2 and not seen:
            save(tree.home / "f", "2")
            exchange(*args)  # type: ignore[arg-type]
            seen.append("exchanged")
        else:
            exchange(*args)  # type: ignore[arg-type]
            if seen == ["exchanged"]:
                seen.append((tree.home / "f").read_text())

    monkeypatch.setattr(kernel, "_renameat2", late)
    told(tree, "f")
    assert seen[:2] == ["exchanged", "2"], "the next call after the exchange puts the save back"
    assert content(tree.volume) == {"f": "2"}
    assert not [name for name in os.listdir(tree.home) if "home-persist" in name]


def test_a_burst_of_saves_is_read_back(tree: Tree) -> None:
    """While another process heals all the time."""
    tree.manifest("f")
    write(tree.home, {"f": "0"})
    tree.resolve()
    stop = multiprocessing.get_context("fork").Event()
    healing = multiprocessing.get_context("fork").Process(target=heal_until, args=(tree, stop))
    healing.start()
    older: list[float] = []
    try:
        for number in range(400):
            save(tree.home / "f", str(number))
            began = time.monotonic()
            while (tree.home / "f").read_text() != str(number):
                assert time.monotonic() < began + 5
            if (took := time.monotonic() - began) > 0.05:
                older.append(took)
    finally:
        stop.set()
        healing.join()
    assert older == [], "an older save was read for so many seconds"
    told(tree, "f")
    assert content(tree.volume) == {"f": "399"}


def heal_until(tree: Tree, stop: "multiprocessing.synchronize.Event") -> None:
    (entry,) = load_declarations(tree.layout, tree.settings).entries
    with Session(tree.layout, tree.settings) as session:
        while not stop.is_set():
            settle(session, entry)


# 15: mode, owner, attributes, ACLs --------------------------------------------------------------------


def _chmod(path: Path) -> None:
    path.chmod(0o600)


def _own(path: Path) -> None:
    os.chown(path, 1234, 5678)


def _attribute(path: Path) -> None:
    os.setxattr(path, "user.note", b"1")


def _acl(path: Path) -> None:
    subprocess.run(["setfacl", "-m", "u:1234:r", path], check=True)


METADATA: dict[str, tuple[Callable[[Path], None], Callable[[Path], object]]] = {
    "mode": (_chmod, lambda path: path.stat().st_mode & 0o7777),
    "owner": (_own, lambda path: (path.stat().st_uid, path.stat().st_gid)),
    "attributes": (_attribute, lambda path: os.getxattr(path, "user.note")),
    "ACL": (_acl, lambda path: os.getxattr(path, "system.posix_acl_access")),
}


@pytest.mark.parametrize("what", METADATA)
def test_the_same_bytes_with_other_metadata_are_a_save(what: str, tree: Tree) -> None:
    """As ``install -m 600`` and a rename over the link."""
    if what == "owner" and os.geteuid() != 0:
        missing("root, to give files away")
    if what == "ACL" and not shutil.which("setfacl"):
        missing("setfacl")
    change, fact = METADATA[what]
    tree.manifest(".netrc")
    write(tree.home, {".netrc": "machine"})
    tree.resolve()
    new = tree.home / "new"
    new.write_text("machine")
    try:
        change(new)
    except OSError as error:
        missing(f"{what}: {error}")
    expected = fact(new)
    new.replace(tree.home / ".netrc")
    told(tree, ".netrc")
    assert (tree.home / ".netrc").is_symlink()
    assert fact(tree.volume / ".netrc") == expected


@pytest.mark.parametrize("path", [".netrc", ".d/"])
def test_a_mode_that_was_saved_before_a_kill(tree: Tree, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is noted before the volume has the mode must not make the save the older copy."""
    file = ".netrc" if path == ".netrc" else ".d/x"
    tree.manifest(path)
    write(tree.home, {file: "machine"})
    tree.resolve()
    (tree.home / path.rstrip("/")).unlink()
    write(tree.home, {file: "machine"})
    (tree.home / file).chmod(0o600)

    def die(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setitem(applying.COPYING_STEPS, Operation.SUPERSEDE, die)  # between the two steps
        with pytest.raises(KilledError):
            tree.resolve()
    tree.resolve()
    assert (tree.volume / file).stat().st_mode & 0o777 == 0o600


def test_a_directory_that_replaced_our_link_brings_its_mode(tree: Tree) -> None:
    tree.manifest(".d/")
    write(tree.home, {".d/sub/x": "1"})
    tree.resolve()
    (tree.home / ".d").unlink()
    write(tree.home, {".d/sub/x": "1"})
    (tree.home / ".d/sub").chmod(0o700)
    (tree.home / ".d").chmod(0o750)
    told(tree, ".d")
    assert [(tree.volume / one).stat().st_mode & 0o777 for one in (".d", ".d/sub")] == [0o750, 0o700]


def test_an_image_with_other_modes_fills_no_attic(tree: Tree) -> None:
    tree.manifest("f")
    write(tree.volume, {"f": "1"})
    (tree.volume / "f").chmod(0o600)
    write(tree.home, {"f": "1"})
    tree.resolve()
    assert (tree.volume / "f").stat().st_mode & 0o777 == 0o600
    assert tree.attic() == {}


# 20: what was set aside and is not ours to remove -----------------------------------------------------


def test_a_directory_of_roots_in_what_was_set_aside(shared: Tree) -> None:
    shared.manifest(".d/")
    write(shared.home, {".d/x": "1", ".d/root/y": "2"})
    own(shared.layout.root)
    os.chown(shared.home / ".d/root", 0, 0)
    warm(shared)
    as_user(CODER, lambda: is_left(shared, "path.left-over"))
    assert (shared.home / ".d").is_symlink()
    assert (shared.home / ".d/root/y").read_text() == "2"

    def later() -> None:
        (shared.home / ".d").unlink()
        write(shared.home, {".d/x": "3"})
        (entry,) = load_declarations(shared.layout, shared.settings).entries
        with Session(shared.layout, shared.settings) as session:
            assert settle(session, entry).code == "path.home-wins"
        assert not shared.resolve().changed

    as_user(CODER, later)
    assert content(shared.volume) == {".d/x": "3", ".d/root/y": "2"}


# 18, 19: copies that cannot end -----------------------------------------------------------------------


def test_what_cannot_fit_is_not_begun(tree: Tree) -> None:
    if os.geteuid() != 0:
        missing("root, to mount a small tmpfs")
    tree.manifest(".d/")
    with (tree.home / "big").open("wb") as big:
        big.write(b"x" * (3 << 20))
    (tree.home / ".d").mkdir()
    (tree.home / "big").rename(tree.home / ".d/big")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2M", "tmpfs", tree.volume], check=True)
    try:
        seen: list[int] = []
        (entry,) = load_declarations(tree.layout, tree.settings).entries
        with Session(tree.layout, tree.settings) as session:
            outcome = settle(session, entry, progress=seen.append)
        assert (outcome.code, seen) == ("path.no-space", [])
    finally:
        subprocess.run(["umount", tree.volume], check=True)


def test_a_log_that_is_open_is_found_before_anything_is_copied(tree: Tree) -> None:
    tree.manifest(".d/")
    write(tree.home, {".d/big": "x" * 100_000, ".d/log": ""})
    seen: list[int] = []
    (entry,) = load_declarations(tree.layout, tree.settings).entries
    with (tree.home / ".d/log").open("w"), Session(tree.layout, tree.settings) as session:
        outcome = settle(session, entry, progress=seen.append)
    assert (outcome.code, seen) == ("path.in-use", [])


@contextlib.contextmanager
def unreplaceable(path: Path, attribute: str) -> Iterator[None]:
    """A file or directory with an attribute of chattr(1)."""
    if subprocess.run(["chattr", f"+{attribute}", path], check=False, capture_output=True).returncode:
        missing(f"root, and a file system with the attribute {attribute}")
    try:
        yield
    finally:
        subprocess.run(["chattr", f"-{attribute}", path], check=True)


@pytest.mark.parametrize("attribute", ["i", "a"])
@pytest.mark.parametrize("path", ["f", ".d/"])
def test_tries_that_fail_do_not_crowd_out_versions(tree: Tree, path: str, attribute: str) -> None:
    """A file that nobody may change (`chattr +i`), and a history that only grows (`chattr +a`)."""
    tree.manifest(path)
    file = f"{path}x" if path.endswith("/") else path
    write(tree.home, {file: "0"})
    tree.resolve()
    for number in (1, 2):
        (tree.home / path).unlink()
        write(tree.home, {file: str(number)})
        if number == 1:
            told(tree, path.rstrip("/"))
            continue
        with unreplaceable(tree.volume / file, attribute):
            for _ in range(3):
                assert told(tree, path.rstrip("/")).code == "path.permission"
                assert (tree.home / file).read_text() == "2"
                assert tree.attic() == {file: "0"}
                assert len(list((tree.layout.state / "attic-records").iterdir())) == 1
    told(tree, path.rstrip("/"))
    assert content(tree.volume) == {file: "2"}
    assert sorted(read(tree.layout.state / "attic").values()) == ["0", "1"]


def test_a_directory_of_the_home_that_takes_no_link(tree: Tree) -> None:
    """The message names that directory, and not what the link would lead to."""
    tree.manifest("p/f")
    write(tree.volume, {"p/f": "1"})
    (tree.home / "p").mkdir()
    with unreplaceable(tree.home / "p", "i"):
        outcome = told(tree, "p/f")
    assert outcome.error is not None
    assert outcome.code == "path.permission"
    assert f"({tree.home / 'p'})" in outcome.error.message
    assert str(tree.volume) not in outcome.error.message


# 24: one path ends, and not the run -------------------------------------------------------------------


def test_a_bug_in_one_path_ends_that_path(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.manifest("f", "g")
    write(tree.home, {"f": "1", "g": "1"})

    def buggy(session: Session, entry: Entry, *args: object, **kwargs: object) -> object:
        if entry.path == "f":
            raise RuntimeError("a bug")
        return look(session, entry, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(settling, "look", buggy)
    assert [outcome.code for outcome in tree.resolve().outcomes] == ["path.unforeseen", "path.seeded"]
    assert (tree.home / "f").read_text() == "1"


def test_a_path_of_many_components(tree: Tree) -> None:
    """Directory descriptors reach it, and nothing recurses."""
    deep = "/".join("d" for _ in range(1200))
    entry = Entry(f"{deep}/f", Kind.FILE, Scope.OWNER, "", "", f"{deep}/f")
    try:
        with Session(tree.layout, tree.settings) as session:
            outcome = settle(session, entry)
    finally:  # Python's own way to remove it would recurse
        subprocess.run(["rm", "-rf", tree.home / "d", tree.volume / "d"], check=True)
    assert outcome.error is None


def test_a_path_that_leads_upwards_is_refused_by_what_opens_it(tree: Tree) -> None:
    (tree.home / "a").mkdir()
    with anchored.Anchor(tree.home) as home:
        for path in ("../x", "a/../../x", ".."):
            with pytest.raises(OSError, match="upwards"), home.parent(path):
                pass


# 25: root ----------------------------------------------------------------------------------------------


def test_root_writes_nothing_through_a_planted_link(shared: Tree) -> None:
    """root only looks; the user planted links where a cache would be kept."""
    outside = shared.layout.root / "outside"
    write(shared.layout.root, {"outside/kept": "kept"})
    shared.manifest("f")
    own(shared.layout.root)
    os.chown(outside, 0, 0)
    os.chown(outside / "kept", 0, 0)
    planted = shared.layout.ledger_dir / "validated"
    planted.symlink_to(outside)
    os.chown(planted, CODER, CODER, follow_symlinks=False)
    before = facts(outside)

    def look() -> None:
        status(shared.layout, shared.settings)

    as_user(0, look)
    assert facts(outside) == before


@pytest.mark.parametrize(
    ("home", "volume", "refused"), [(0, 0, False), (CODER, CODER, True), (0, CODER, True)]
)
def test_a_home_of_roots_own_is_roots_to_keep(shared: Tree, home: int, volume: int, *, refused: bool) -> None:
    if os.geteuid() != 0:
        missing("root")
    os.chown(shared.home, home, home)
    os.chown(shared.volume, volume, volume)
    env = {"HOME": str(shared.home), "HOME_PERSIST_STATE": str(shared.volume)}
    with pytest.raises(UsageError) if refused else contextlib.nullcontext():
        refuse_root(Layout.of(Path("/"), env))
