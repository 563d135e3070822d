"""What belongs to another user on the volume or in the home: it is named, with the command that works."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from coder_ws_runtime.errors import NoVolumeError, UserError
from coder_ws_runtime.fs.anchored import Anchor, Owner
from coder_ws_runtime.persist.store.ownership import find_foreign
from coder_ws_runtime.system.budget import Budget
from tests.conftest import missing
from tests.fs.conftest import CODER, as_user, own
from tests.harness.tree import Tree, content, write

OTHER = 501


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    if os.geteuid() != 0:
        missing("root, to give files to another user")
    for above in (tmp_path, *tmp_path.parents[:3]):
        above.chmod(0o755)
    made = Tree.at(tmp_path)
    own(tmp_path)
    return made


def resolve(tree: Tree) -> list[tuple[str, str, str]]:
    """As coder: place, code and hint of each error."""
    reading, writing = os.pipe()
    from coder_ws_runtime.persist.manifest import model  # noqa: F401 - coder may not read our Python

    def work() -> None:
        try:
            errors: list[UserError] = tree.resolve().errors
        except UserError as error:
            errors = [error]
        text = "\0".join(part for error in errors for part in (error.place, error.code, error.hint))
        os.write(writing, text.encode())

    as_user(CODER, work)
    os.close(writing)
    with open(reading, "rb") as pipe:
        parts = pipe.read().decode().split("\0")
    return [(parts[at], parts[at + 1], parts[at + 2]) for at in range(0, len(parts) - 2, 3)]


def follow(hint: str) -> None:
    """Run the command of a hint, which begins with sudo; we are root."""
    command = hint.removeprefix("sudo ").partition(", then")[0]
    subprocess.run(shlex.split(command), check=True)


def _give(path: Path) -> str:
    return f"sudo find {path} -xdev ! -user {CODER} -exec chown -h {CODER}:{CODER} {{}} +"


def chown(path: Path, uid: int) -> None:
    subprocess.run(["chown", "-R", f"{uid}:{uid}", path], check=True)


def test_a_volume_of_another_uid_as_a_whole(tree: Tree) -> None:
    write(tree.volume, {".d/x": "theirs"})
    write(tree.home, {".d/y": "ours"})
    own(tree.home)
    tree.manifest(".d/")
    chown(tree.volume, OTHER)
    ((place, code, hint),) = resolve(tree)
    assert (place, code) == (str(tree.volume), "volume.not-writable")
    assert hint == _give(tree.volume)
    follow(hint)
    assert resolve(tree) == []
    assert content(tree.volume) == {".d/x": "theirs", ".d/y": "ours"}


def test_a_volume_of_ours_that_its_mode_closes(tree: Tree) -> None:
    write(tree.home, {".d/y": "ours"})
    own(tree.home)
    own(tree.volume)
    tree.manifest(".d/")
    tree.volume.chmod(0o555)
    ((place, code, hint),) = resolve(tree)
    assert (place, code) == (str(tree.volume), "volume.not-writable")
    assert hint == f"chmod u+rwx {tree.volume}"
    follow(hint)
    assert resolve(tree) == []


def test_a_manifest_that_only_root_may_read(tree: Tree) -> None:
    own(tree.home)
    own(tree.volume)
    manifest = tree.manifest(".d/")
    Path(manifest).chmod(0o600)
    ((place, _, hint),) = resolve(tree)
    assert place == str(manifest)
    follow(hint.removeprefix("make it readable for all: "))
    assert resolve(tree) == []


@pytest.mark.parametrize(("closed", "mode"), [(".", 0o555), (".d", 0), (".d/in", 0)])
def test_what_the_mode_closes_is_shown_by_the_printed_command(tree: Tree, closed: str, mode: int) -> None:
    write(tree.home, {".d/in/x": "1"})
    own(tree.home)
    own(tree.volume)
    tree.manifest(".d/")
    (tree.home / closed).chmod(mode)
    ((place, code, hint),) = resolve(tree)
    assert (place, code) == ("~/.d", "path.permission")
    command = hint.removeprefix("check owner and mode: ").replace("~/", f"{tree.home}/")
    as_coder = ["setpriv", f"--reuid={CODER}", f"--regid={CODER}", "--clear-groups", "sh", "-c", command]
    shown = subprocess.run(as_coder, capture_output=True, text=True, check=False).stdout
    assert os.path.basename(tree.home / closed) in shown
    assert ("dr-xr-xr-x" if mode else "d---------") in shown


PARTS = {
    # what belongs to another user, relative to the root of the tree
    "a directory on the volume": "mnt/home-persist/.d/sub",
    "the path itself on the volume": "mnt/home-persist/.d",
    "what home-persist keeps there": "mnt/home-persist/.home-persist",
    "its locks": "mnt/home-persist/.home-persist/locks",
    "a directory in the home": "home/coder/.d/sub",
    "a parent in the home, made by a nested mount": "home/coder/.cache",
}


@pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
def test_a_part_of_another_uid(tree: Tree, part: str) -> None:
    """The remedy gives back exactly what is foreign, and then everything is in place."""
    write(tree.volume, {".d/sub/x": "volume"})
    own(tree.volume)
    tree.manifest(".d/", ".cache/tool/")
    write(tree.home, {".d/sub/y": "home", ".cache/tool/z": "cache"})
    (tree.layout.state / "locks").mkdir(parents=True, exist_ok=True)
    own(tree.layout.root)
    foreign = tree.layout.root / part
    chown(foreign, 0)
    foreign.chmod(0o755)
    errors = resolve(tree)
    codes = {code for _, code, _ in errors}
    # In the home it is not touched at all: whether a program of theirs writes it cannot be known.
    assert codes == {"path.perhaps-written" if part.startswith("home") else "path.foreign-owner"}
    hints = {hint for _, _, hint in errors}
    assert hints == {f"{_give(foreign)}, then: home-persist resolve"}
    for hint in hints:
        follow(hint)
    assert resolve(tree) == []
    assert content(tree.volume) == {".d/sub/x": "volume", ".d/sub/y": "home", ".cache/tool/z": "cache"}


def test_files_of_root_that_hinder_nothing_are_found_all_the_same(tree: Tree) -> None:
    """For the doctor: everything that is foreign, each the highest, and nothing that is ours."""
    write(tree.volume, {".d/a/x": "1", ".d/a/y": "2", ".d/b": "3", ".e/f": "4"})
    own(tree.layout.root)
    for part in (".d/a/x", ".d/b", ".e"):
        chown(tree.volume / part, 0)
    with Anchor(tree.volume) as anchor:
        found = find_foreign(anchor, "", Owner(CODER, CODER))
    assert found is not None
    assert sorted(found.paths) == [f"{tree.volume}/{part}" for part in (".d/a/x", ".d/b", ".e")]
    assert (found.uids, found.complete) == (frozenset({0}), True)
    follow(found.remedy(Owner(CODER, CODER)))
    with Anchor(tree.volume) as anchor:
        assert find_foreign(anchor, "", Owner(CODER, CODER)) is None


def test_a_tree_that_is_nested_too_deeply_is_looked_at_as_far_as_it_goes(tree: Tree) -> None:
    write(tree.volume, {".d/theirs": "x"})
    own(tree.layout.root)
    chown(tree.volume / ".d/theirs", 0)
    fd = os.open(tree.volume / ".d", os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=fd)
        inner = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.chown(inner, CODER, CODER)
        os.close(fd)
        fd = inner
    os.close(fd)
    try:
        with Anchor(tree.volume) as anchor:
            found = find_foreign(anchor, ".d", Owner(CODER, CODER), Budget(60))
        assert found is not None
        assert found.paths == (f"{tree.volume}/.d/theirs",)
    finally:
        subprocess.run(["rm", "-rf", tree.volume / ".d/d"], check=True)


def test_many_of_them_are_given_back_by_one_command(tree: Tree) -> None:
    names = [f".d/f {number}" for number in range(20)]
    write(tree.volume, dict.fromkeys(names, "x"))
    (tree.volume / ".d/link").symlink_to("/etc/passwd")
    own(tree.layout.root)
    for name in names:
        chown(tree.volume / name, 0)
    os.chown(tree.volume / ".d/link", 0, 0, follow_symlinks=False)
    owner = Owner(CODER, CODER)
    with Anchor(tree.volume) as anchor:
        found = find_foreign(anchor, "", owner)
        assert found is not None
        follow(found.remedy(owner))
        assert find_foreign(anchor, "", owner) is None
    assert Path("/etc/passwd").stat().st_uid == 0


def test_a_volume_that_is_ours_and_read_only_for_us(tree: Tree) -> None:
    tree.volume.chmod(0o555)

    def work() -> None:
        with pytest.raises(NoVolumeError):
            tree.resolve()

    as_user(CODER, work)
