"""`mv` of a managed link is a rename of the file: nothing is deleted, and nothing leads nowhere."""

import os
import random
from contextlib import suppress
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from coder_ws_runtime.fs import kernel
from tests.harness.watched import Watched, until
from tests.watch.conftest import Make


def linked(make: Make, path: str, text: str, *more: str) -> Watched:
    """A workspace whose daemon runs, with one file on the volume."""
    made = make("a", path, *more)
    (made.home / path).parent.mkdir(parents=True, exist_ok=True)
    (made.home / path).write_text(text)
    made.resolve()
    made.start()
    assert made.linked(path)
    return made


def is_file(place: Path, text: str) -> bool:
    """Whether a file of the home's own has this text."""
    return place.is_file() and not place.is_symlink() and place.read_text() == text


def are_kept(workspace: Watched, files: dict[str, str]) -> bool:
    """Whether the volume has all of these, and the links lead there."""
    linked = all(workspace.linked(path) for path in files)
    return linked and files.items() <= workspace.kept().items()


def shows(workspace: Watched, files: dict[str, str]) -> bool:
    """Whether the home has these contents. A link that is being corrected leads nowhere for a moment."""
    try:
        return {name: (workspace.home / name).read_text() for name in files} == files
    except FileNotFoundError:
        return False


def leads_to(workspace: Watched, path: str) -> bool:
    """Whether the path's link is the right one, and not that of another path, or content for a moment."""
    with suppress(OSError):
        return (workspace.home / path).readlink() == workspace.volume / path
    return False


def test_from_one_declared_path_to_another(make: Make) -> None:
    a = linked(make, ".gitconfig", "mine", ".config/git/config")
    b = make("b", ".gitconfig", ".config/git/config")
    b.resolve()
    a.shell("mkdir -p .config/git; mv .gitconfig .config/git/config")
    until(lambda: a.kept() == {".config/git/config": "mine"}, "renamed on the volume")
    until(lambda: leads_to(a, ".config/git/config"), "linked")
    assert (a.home / ".config/git/config").read_text() == "mine"
    assert not os.path.lexists(a.home / ".gitconfig")
    b.resolve()
    assert (b.home / ".config/git/config").read_text() == "mine"
    assert not (b.home / ".gitconfig").exists()


def test_over_a_declared_path_that_has_content(make: Make) -> None:
    """What was under the new name is replaced, as mv(1) replaces it; the attic has it."""
    a = linked(make, ".gitconfig", "mine", ".config/git/config")
    a.shell("mkdir -p .config/git; echo older > .config/git/config")
    until(lambda: a.linked(".config/git/config"), "the other is linked, too")
    a.shell("mv .gitconfig .config/git/config")
    until(lambda: a.kept() == {".config/git/config": "mine"}, "renamed on the volume")
    until(lambda: leads_to(a, ".config/git/config"), "linked")
    assert "older\n" in a.attic()


def test_sed_with_a_backup(make: Make) -> None:
    a = linked(make, ".conf", "old\n")
    a.shell("sed -i.bak s/old/new/ .conf")
    until(lambda: a.linked(".conf") and a.kept() == {".conf": "new\n"}, "healed")
    until(lambda: is_file(a.home / ".conf.bak", "old\n"), "the backup is the older one")
    a.shell("echo newer > .conf")
    assert (a.home / ".conf.bak").read_text() == "old\n"


@pytest.mark.parametrize("backup", [".conf.bak", "some/snapshot/x"])
@pytest.mark.parametrize("seen", [True, False])
def test_a_backup_by_a_second_name_of_the_link(make: Make, backup: str, *, seen: bool) -> None:
    """As of `perl -i.bak` and `cp -al`: the link gets a second name before something is renamed over it."""
    a = linked(make, ".conf", "old\n")
    if not seen:
        a.stop()
    a.shell(f"mkdir -p some/snapshot; ln -P .conf {backup}; echo new > n; mv n .conf")
    if not seen:
        a.start()
    until(lambda: a.linked(".conf") and a.kept() == {".conf": "new\n"}, "healed")
    if seen:
        until(lambda: is_file(a.home / backup, "old\n"), "the backup is the older one")
    assert "old\n" in a.attic() or is_file(a.home / backup, "old\n")


@pytest.mark.programs("perl")
def test_perl_in_place_with_a_backup(make: Make) -> None:
    a = linked(make, ".conf", "old\n")
    a.shell("perl -i.bak -pe s/old/new/ .conf")
    until(lambda: a.linked(".conf") and a.kept() == {".conf": "new\n"}, "healed")
    until(lambda: is_file(a.home / ".conf.bak", "old\n"), "the backup is the older one")


def test_an_installer_that_moves_the_file_out_of_its_way(make: Make) -> None:
    """As oh-my-zsh's does, with the template some seconds later."""
    a = linked(make, ".zshrc", "mine\n")
    a.shell("mv .zshrc .zshrc.pre-oh-my-zsh; sleep 2; echo template > t; cp t .zshrc")
    until(lambda: a.linked(".zshrc") and a.kept() == {".zshrc": "template\n"}, "healed")
    assert is_file(a.home / ".zshrc.pre-oh-my-zsh", "mine\n")


@pytest.mark.parametrize("pause", ["0", "0.1", "2"])
def test_away_and_back(make: Make, pause: str) -> None:
    """A backup is made, the file is edited, the backup is put back: the restore restores."""
    a = linked(make, ".conf", "good")
    a.shell(f"mv .conf .conf.bak; sleep {pause}; echo bad > .conf; sleep {pause}; mv .conf.bak .conf")
    until(lambda: a.linked(".conf") and a.kept() == {".conf": "good"}, "restored")
    assert (a.home / ".conf").read_text() == "good"


def test_away_and_nothing_in_its_place(make: Make) -> None:
    """The new name has the content; on the volume it waits, as the new name does not last."""
    a = linked(make, ".conf", "mine")
    a.shell("mv .conf .conf.off")
    until(lambda: is_file(a.home / ".conf.off", "mine"), "the content is there under the new name")
    assert not os.path.lexists(a.home / ".conf")
    assert a.kept() == {".conf": "mine"}
    assert a.attic() == []
    a.stop()
    assert not os.path.lexists(a.home / ".conf"), "nor does the last sweep put it back"
    a.lose_container()
    a.resolve()
    assert (a.home / ".conf").read_text() == "mine"


def test_into_a_directory_that_nobody_watches(make: Make) -> None:
    a = linked(make, ".conf", "mine")
    a.shell("mkdir -p some/where/deep; sleep 0.1; mv .conf some/where/deep/x")
    until(lambda: is_file(a.home / "some/where/deep/x", "mine"), "the content is there under the new name")
    assert a.kept() == {".conf": "mine"}
    a.save(".conf", "newer")
    until(lambda: a.linked(".conf") and a.kept() == {".conf": "newer"}, "a new save wins")
    assert is_file(a.home / "some/where/deep/x", "mine")


def test_out_of_the_home(make: Make, tmp_path: Path) -> None:
    """The link leads where it led: what it leads to stays."""
    a = linked(make, ".conf", "mine")
    a.shell(f"mv .conf {tmp_path}/x")
    a.save("probe", "x")
    a.stop()
    assert a.kept() == {".conf": "mine"}
    assert a.attic() == []
    assert (tmp_path / "x").read_text() == "mine"


def test_to_another_file_system(make: Make, volume: Path) -> None:
    """mv(1) makes a new link there and deletes the old one: that is no deletion of the file."""
    a = linked(make, ".conf", "mine", ".dir/")
    a.shell("mv .conf .dir/conf")  # into a directory on the volume
    a.stop()
    assert a.kept()[".conf"] == "mine"
    assert (a.home / ".dir/conf").read_text() == "mine"
    assert a.attic() == []


def test_a_chain_of_renames_in_one_batch(make: Make) -> None:
    a = linked(make, ".conf", "mine", "last")
    a.pause()
    a.shell("mkdir d; mv .conf one; mv one d/two; mv d e; mv e/two last")
    a.go_on()
    until(lambda: a.linked("last") and a.kept() == {"last": "mine"}, "renamed on the volume")
    assert not os.path.lexists(a.home / ".conf")


def test_a_directory_above_is_renamed(make: Make) -> None:
    """`mv ~/.config ~/.config.old`: the older directory keeps what it had, whatever is saved after."""
    a = linked(make, ".config/tool/state", "mine")
    a.shell("mv .config .config.old")
    until(lambda: is_file(a.home / ".config.old/tool/state", "mine"), "the content went along")
    assert a.kept() == {".config/tool/state": "mine"}
    a.save(".config/tool/state", "newer")
    until(lambda: a.linked(".config/tool/state"), "healed")
    until(lambda: a.kept() == {".config/tool/state": "newer"}, "healed on the volume")
    assert is_file(a.home / ".config.old/tool/state", "mine")


def test_a_directory_above_is_renamed_and_for_a_while_a_users_link(make: Make) -> None:
    """What the renamed directory had stays the older one, also when the path is free again."""
    a = linked(make, ".config/tool/state", "mine")
    a.shell("mkdir other; mv .config .config.old; ln -s other .config")
    until(lambda: "is behind your own link" in a.said(), "it is diverted")
    assert a.kept() == {".config/tool/state": "mine"}
    a.shell("rm .config")
    a.save(".config/tool/state", "newer")
    until(lambda: a.linked(".config/tool/state"), "healed")
    until(lambda: a.kept() == {".config/tool/state": "newer"}, "healed on the volume")
    until(lambda: is_file(a.home / ".config.old/tool/state", "mine"), "the older directory has its content")


def test_renamed_and_deleted(make: Make) -> None:
    """A program that moves its file to a backup and deletes that: the volume's copy stays."""
    a = linked(make, ".conf", "mine")
    a.shell("mv .conf .conf.bak; rm .conf.bak")
    a.stop()
    assert "mine" in [*a.kept().values(), *a.attic()]


def test_the_daemon_was_not_running(make: Make) -> None:
    """Nobody saw the rename. Nothing is lost, and nothing leads nowhere."""
    a = linked(make, ".gitconfig", "mine", ".config/git/config")
    a.stop()
    a.shell("mkdir -p .config/git; mv .gitconfig .config/git/config")
    a.start()
    a.stop()
    assert (a.home / ".config/git/config").read_text() == "mine"
    assert "mine" in a.kept().values()


def test_events_were_lost(make: Make) -> None:
    """The kernel's queue was full; the link is found all the same."""
    a = linked(make, ".conf", "mine")
    a.pause()
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(limit // 2 + 2):
        (a.home / "flood").mkdir()
        (a.home / "flood").rmdir()
        if number == limit // 4:
            a.shell("mkdir some; mv .conf some/conf")
    a.go_on()
    until(lambda: "events were lost" in a.said(), "the queue was full")
    until(lambda: is_file(a.home / "some/conf", "mine"), "the content is there under the new name")
    assert a.kept() == {".conf": "mine"}


def test_into_the_users_own_repository_with_a_link_back(make: Make) -> None:
    """The repository gets the file itself, not a link onto the volume."""
    a = linked(make, ".gitconfig", "mine")
    a.shell("mkdir dotfiles; mv .gitconfig dotfiles/; ln -s dotfiles/.gitconfig .gitconfig")
    until(lambda: is_file(a.home / "dotfiles/.gitconfig", "mine"), "the file is in the repository")
    assert (a.home / ".gitconfig").readlink() == Path("dotfiles/.gitconfig")
    assert a.kept() == {".gitconfig": "mine"}
    a.shell("echo more > .gitconfig")
    a.stop()
    assert is_file(a.home / "dotfiles/.gitconfig", "more\n")
    assert a.kept() == {".gitconfig": "mine"}, "the user's link is left alone"


def test_a_directory_into_the_users_own_repository_with_a_link_back(make: Make) -> None:
    a = make("a", ".config/nvim/")
    a.shell("mkdir -p .config/nvim/lua dotfiles; echo mine > .config/nvim/lua/mine.lua")
    a.resolve()
    a.start()
    a.shell("mv .config/nvim dotfiles/; ln -s ../dotfiles/nvim .config/nvim")
    until(lambda: not (a.home / "dotfiles/nvim").is_symlink(), "in the repository")
    assert is_file(a.home / "dotfiles/nvim/lua/mine.lua", "mine\n")
    assert (a.home / ".config/nvim").readlink() == Path("../dotfiles/nvim")


def test_to_a_declared_path_with_a_link_back(make: Make) -> None:
    a = linked(make, ".gitconfig", "mine", ".config/git/config")
    a.shell("mkdir -p .config/git; mv .gitconfig .config/git/config; ln -s .config/git/config .gitconfig")
    until(lambda: a.kept() == {".config/git/config": "mine"}, "renamed on the volume")
    until(lambda: leads_to(a, ".config/git/config"), "linked")
    assert (a.home / ".gitconfig").read_text() == "mine"
    a.stop()
    a.lose_container()
    a.resolve()
    assert (a.home / ".config/git/config").read_text() == "mine"


def directory(make: Make, *more: str) -> Watched:
    """A workspace whose daemon runs, with a kept directory of two files."""
    a = make("a", ".config/nvim/", *more)
    a.shell("mkdir -p .config/nvim/lua; cd .config/nvim; echo old > init.lua; echo mine > lua/mine.lua")
    a.resolve()
    a.start()
    return a


def replaced(workspace: Watched, *attic: str) -> None:
    """The volume has what the new directory has, and the attic what the former one had."""
    until(
        lambda: workspace.linked(".config/nvim") and workspace.kept() == {".config/nvim/init.lua": "new\n"},
        "replaced",
    )
    assert (workspace.home / ".config/nvim/init.lua").read_text() == "new\n"
    assert sorted(workspace.attic()) == sorted(attic)


@pytest.mark.parametrize("pause", ["0", "2"])
def test_a_directory_makes_room_for_another_one(make: Make, pause: str) -> None:
    """As a starter configuration is installed: the new directory has nothing of the former in it."""
    a = directory(make)
    a.shell(f"mv .config/nvim .config/nvim.bak; sleep {pause}; mkdir .config/nvim")
    a.shell("echo new > .config/nvim/init.lua")
    replaced(a, "mine\n", "old\n")
    assert is_file(a.home / ".config/nvim.bak/init.lua", "old\n")
    assert is_file(a.home / ".config/nvim.bak/lua/mine.lua", "mine\n")
    assert not (a.home / ".config/nvim.bak").is_symlink()


def test_a_directory_is_replaced_as_an_installer_does(make: Make) -> None:
    """The former one is renamed, the new one takes its place, the former one is deleted."""
    a = directory(make)
    a.pause()
    a.shell("mkdir n; echo new > n/init.lua; mv .config/nvim old; mv n .config/nvim; rm -r old")
    a.go_on()
    replaced(a, "mine\n", "old\n")


def test_a_directory_is_away_while_the_container_resolves(make: Make) -> None:
    """Whoever looks first after the daemon, e.g. a resolve, knows that it was renamed."""
    a = directory(make)
    a.shell("mv .config/nvim .config/nvim.bak")
    until(lambda: not (a.home / ".config/nvim.bak").is_symlink(), "copied out")
    a.stop()
    a.shell("mkdir .config/nvim; echo new > .config/nvim/init.lua")
    a.resolve()
    replaced(a, "mine\n", "old\n")


def test_a_directory_comes_back(make: Make) -> None:
    """Nothing was replaced, so the attic gets nothing."""
    a = directory(make)
    a.shell("mv .config/nvim .config/nvim.bak")
    until(lambda: not (a.home / ".config/nvim.bak").is_symlink(), "copied out")
    a.shell("mv .config/nvim.bak .config/nvim")
    until(lambda: a.linked(".config/nvim"), "linked")
    assert a.kept() == {".config/nvim/init.lua": "old\n", ".config/nvim/lua/mine.lua": "mine\n"}
    assert a.attic() == []


def test_a_directory_comes_back_after_another_workspace_saved_in_it(make: Make) -> None:
    """It is not another directory: what the other one saved since is newer than what came back."""
    a = directory(make)
    b = make("b", ".config/nvim/")
    b.resolve()
    a.shell("mv .config/nvim .config/nvim.bak")
    until(lambda: not (a.home / ".config/nvim.bak").is_symlink(), "copied out")
    b.shell("cd .config/nvim; echo newer > init.lua; echo more > more.lua")
    a.shell("echo changed > .config/nvim.bak/lua/mine.lua; mv .config/nvim.bak .config/nvim")
    until(lambda: a.linked(".config/nvim"), "linked")
    assert a.kept() == {
        ".config/nvim/init.lua": "newer\n",
        ".config/nvim/lua/mine.lua": "changed\n",
        ".config/nvim/more.lua": "more\n",
    }
    assert sorted(a.attic()) == ["mine\n", "old\n"]


def test_a_directory_that_is_still_being_filled_when_the_daemon_stops(make: Make) -> None:
    a = directory(make)
    a.shell("mv .config/nvim .config/nvim.bak")
    until(lambda: not (a.home / ".config/nvim.bak").is_symlink(), "copied out")
    a.shell("mkdir .config/nvim")
    with (a.home / ".config/nvim/init.lua").open("w") as file:
        file.write("new")
        file.flush()
        a.stop()
    assert a.kept() == {".config/nvim/init.lua": "new"}
    assert "mine\n" in a.attic()


def test_a_directory_with_a_socket_takes_the_place_of_another_one(make: Make) -> None:
    """It stays in the home, and is not replaced again at each look."""
    a = directory(make)
    a.shell("mv .config/nvim .config/nvim.bak")
    until(lambda: not (a.home / ".config/nvim.bak").is_symlink(), "copied out")
    a.shell("mkdir .config/nvim; mkfifo .config/nvim/fifo; echo new > .config/nvim/init.lua")
    until(lambda: a.kept() == {".config/nvim/init.lua": "new\n"}, "copied")
    assert a.command("resolve").returncode == 1
    a.shell("rm .config/nvim/fifo")
    a.resolve()
    replaced(a, "mine\n", "old\n")


def exchange(first: Path, second: Path) -> None:
    """renameat2(2) with RENAME_EXCHANGE, as `mv --exchange` does it."""
    kernel.exchange(AT_FDCWD, str(first), AT_FDCWD, str(second))


AT_FDCWD = -100


@pytest.mark.parametrize("way", ["at once", "by three renames", "slowly"])
@pytest.mark.parametrize("second", [".dir/b", ".b/"])
def test_two_declared_paths_are_exchanged(make: Make, second: str, way: str) -> None:
    a = linked(make, ".a", "A", second)
    b = second.rstrip("/")
    file = f"{second}x" if second.endswith("/") else second
    a.save(file, "B")
    until(lambda: a.linked(b) and a.volume_has(file, "B"), "the other is linked, too")
    if way == "at once":
        exchange(a.home / ".a", a.home / b)
    else:
        pause = "sleep 1.5" if way == "slowly" else ":"
        a.shell(f"mv .a .t; {pause}; mv {b} .a; {pause}; mv -T .t {b}")
    then = {file.replace(b, ".a"): "B", b: "A"}
    until(lambda: a.kept() == then, "exchanged on the volume")
    until(lambda: leads_to(a, ".a") and leads_to(a, b), "linked")
    # Slowly, the file is followed to each name, and a directory is made where one is declared.
    assert set(a.attic()) <= ({"A", ""} if way == "slowly" else set()), "nothing is displaced"
    a.stop()
    a.lose_container()
    a.declare(*then)
    a.resolve()
    assert {path: (a.home / path).read_text() for path in then} == then


@pytest.mark.parametrize("paused", [True, False])
@pytest.mark.parametrize("paths", [[".a", ".dir/b", ".c"], [".a", ".b/", ".c"], [".a", ".b", ".c/", ".d"]])
def test_declared_paths_change_places_in_turn(make: Make, paths: list[str], *, paused: bool) -> None:
    """As `mv a t; mv b a; mv c b; mv t c`."""
    a = linked(make, paths[0], paths[0], *paths[1:])
    for path in paths[1:]:
        a.save(f"{path}x" if path.endswith("/") else path, path)
    files = [path for path in paths[1:] if not path.endswith("/")]
    until(lambda: a.said().count("seeded") == len(files), "the daemon follows all of them")
    names = [path.rstrip("/") for path in paths]
    if paused:
        a.pause()
    moves = "; ".join(f"mv -T {later} {earlier}" for earlier, later in pairwise(names))
    a.shell(f"mv {names[0]} .t; {moves}; mv -T .t {names[-1]}")
    if paused:
        a.go_on()
    then = {
        f"{name}/x" if path.endswith("/") else name: path
        for name, path in zip(names, [*paths[1:], paths[0]], strict=True)
    }
    until(lambda: a.kept() == then, "changed on the volume")
    until(lambda: all(leads_to(a, name) for name in names), "linked")
    assert a.attic() == []
    assert {path: (a.home / path).read_text() for path in then} == then
    assert not a.problems()
    b = make("b", *then)
    b.resolve()
    assert {path: (b.home / path).read_text() for path in then} == then


def test_exchanged_with_a_file_that_is_not_declared(make: Make) -> None:
    a = linked(make, ".a", "old")
    (a.home / ".a.new").write_text("new")
    exchange(a.home / ".a", a.home / ".a.new")
    until(lambda: a.linked(".a") and a.kept() == {".a": "new"}, "healed")
    until(lambda: is_file(a.home / ".a.new", "old"), "the other name has the older one")


@pytest.mark.parametrize("then", ["watched", "paused", "stopped", "not running", "only resolved"])
@pytest.mark.parametrize("last", ["declared", "free", "not declared"])
@pytest.mark.parametrize("paths", [[".log", ".log.1"], [".a", ".dir/b", ".c/", ".d"]])
def test_a_row_of_declared_paths_is_rotated(make: Make, paths: list[str], last: str, then: str) -> None:
    """As `mv log.1 log.2; mv log log.1`, and a new log: nothing is one name behind, or lost."""
    a = linked(make, paths[0], paths[0], *paths[1:], *([] if last == "not declared" else [".last"]))
    with_content = [*paths[1:], *([".last"] if last == "declared" else [])]
    for path in with_content:
        a.save(f"{path}x" if path.endswith("/") else path, path)
    files = [path for path in with_content if not path.endswith("/")]
    until(lambda: a.said().count("seeded") == len(files), "the daemon follows all of them")
    names = [path.rstrip("/") for path in (*paths, ".last")]
    if then == "paused":
        a.pause()
    if then in ("not running", "only resolved"):
        a.kill()
    moves = "; ".join(f"mv -T {older} {newer}" for older, newer in [*pairwise(names)][::-1])
    a.shell(f"{moves}; printf new > {names[0]}")
    if then == "paused":
        a.go_on()
    if then == "stopped":
        a.stop()
    if then == "not running":
        a.start()
    if then == "only resolved":
        a.resolve()
    wanted = {names[0]: "new"}
    for path, name in zip(paths, names[1:], strict=True):
        wanted[f"{name}/x" if path.endswith("/") else name] = path
    home = {path: wanted[path] for path in wanted}
    if last == "not declared":
        del wanted[".last/x" if paths[-1].endswith("/") else ".last"]
    until(lambda: a.kept() == wanted, "renamed on the volume")
    until(lambda: {path: (a.home / path).read_text() for path in home} == home, "each has its own content")
    lost = {"declared": [".last"], "free": [], "not declared": [paths[-1]]}[last]
    assert a.attic() == lost, "what has no kept name any more"
    a.kill()
    a.lose_container()
    a.resolve()
    assert {path: (a.home / path).read_text() for path in wanted} == wanted


@pytest.mark.parametrize("seed", range(6))
def test_the_home_shows_what_ordinary_files_would_show(make: Make, seed: int) -> None:
    """Renames and saves in any order, also by way of a name that is not declared."""
    draw = random.Random(seed)
    declared = ("a", "b", "c", "d")
    a = make("a", *declared)
    expected = {name: name.upper() for name in declared}
    for name, text in expected.items():
        (a.home / name).write_text(text)
    a.resolve()
    a.start()
    for turn in range(3):
        paused = draw.random() < 1 / 3
        if paused:
            a.pause()
        for number in range(draw.randint(1, 5)):
            name, other = draw.sample([*declared, "t"], 2)
            if draw.random() < 3 / 4 and name in expected:
                (a.home / name).rename(a.home / other)
                expected[other] = expected.pop(name)
            else:
                expected[name] = f"{turn}.{number}"
                a.save(name, expected[name])
        if paused:
            a.go_on()
        until(partial(are_kept, a, {name: expected[name] for name in declared if name in expected}))
        until(partial(shows, a, expected))


@pytest.mark.parametrize("name", ["byte\udcff", "x\n.b\t"], ids=ascii)
def test_a_backup_with_any_name(name: str, make: Make) -> None:
    a = linked(make, ".conf", "older", ".b")
    (a.home / ".conf").rename(a.home / name)
    a.save(".conf", "newer")
    until(lambda: a.volume_has(".conf", "newer") and a.linked(".conf"), "saved")
    until(lambda: is_file(a.home / name, "older"), "the backup is a file")
    assert a.problems() == []
    assert a.attic() == ["older"]
