"""A link that the user put in the place of ours is a decision: it stays, and the owner's file too."""

import os
import time

import pytest

from coder_ws_runtime.persist.watch import schedule
from coder_ws_runtime.persist.watch.change import Sign
from tests.harness.watched import Watched, until
from tests.watch.conftest import Make

GRACE = schedule._DELAYS[Sign.DELETED]  # noqa: SLF001 - the seconds after which a deletion counts


def with_dotfiles(make: Make) -> Watched:
    made = make("a", ".gitconfig")
    (made.home / ".gitconfig").write_text("mine")
    (made.home / "dotfiles").mkdir()
    (made.home / "dotfiles/gitconfig").write_text("of the dotfiles")
    made.resolve()
    made.start()
    return made


def is_users(a: Watched) -> bool:
    return os.path.islink(a.home / ".gitconfig") and (a.home / ".gitconfig").read_text() == "of the dotfiles"


@pytest.mark.parametrize("pause", [0, 0.3, 3])
def test_rm_and_ln(make: Make, pause: float) -> None:
    """As Coder's dotfiles module and a hundred install scripts do, with a clone in between."""
    a = with_dotfiles(make)
    b = make("b", ".gitconfig")
    b.resolve()
    a.shell(f"rm .gitconfig; sleep {pause}; ln -s ~/dotfiles/gitconfig .gitconfig")
    time.sleep(2)
    assert is_users(a)
    assert (b.home / ".gitconfig").read_text() == "mine", "nothing happened to the owner's file"
    a.stop()
    assert is_users(a)
    assert a.kept() == {".gitconfig": "mine"}


def test_rm_and_ln_after_the_deletion_counted(make: Make) -> None:
    """The file went to the attic meanwhile; the link says that it was not meant, and it comes back."""
    a = with_dotfiles(make)
    b = make("b", ".gitconfig")
    b.resolve()
    a.shell("rm .gitconfig")
    until(lambda: a.attic() == ["mine"], "the deletion counts")
    a.shell("ln -s ~/dotfiles/gitconfig .gitconfig")
    until(lambda: a.kept() == {".gitconfig": "mine"}, "the owner's file is back")
    assert (b.home / ".gitconfig").read_text() == "mine"
    assert is_users(a)


def test_ln_over_it(make: Make) -> None:
    a = with_dotfiles(make)
    a.shell("ln -sfn ~/dotfiles/gitconfig .gitconfig")
    time.sleep(2)
    a.stop()
    assert is_users(a)
    assert a.kept() == {".gitconfig": "mine"}


def test_a_save_through_a_users_link_is_the_users(make: Make) -> None:
    """`sed -i` replaces the user's link by a file: that is a save like any other."""
    a = with_dotfiles(make)
    a.shell("ln -sfn ~/dotfiles/gitconfig .gitconfig; sleep 1; echo through > .gitconfig")
    assert (a.home / "dotfiles/gitconfig").read_text() == "through\n"
    a.shell("sed -i s/through/in-place/ .gitconfig")
    until(lambda: a.linked(".gitconfig") and a.kept() == {".gitconfig": "in-place\n"}, "kept")
    assert "mine" in a.attic()


def test_a_deletion_counts(make: Make) -> None:
    a = with_dotfiles(make)
    began = time.monotonic()
    a.shell("rm .gitconfig")
    until(lambda: a.attic() == ["mine"], "the deletion counts")
    assert time.monotonic() - began > GRACE
    assert a.kept() == {}


@pytest.mark.parametrize("how", ["renamed over the link", "through the link"])
def test_saved_elsewhere_after_the_deletion(make: Make, how: str) -> None:
    """The deletion is of what was there then. It counts seconds later, and another workspace saved since."""
    a = with_dotfiles(make)
    b = make("b", ".gitconfig")
    b.resolve()
    b.start()
    a.shell("rm .gitconfig")
    time.sleep(GRACE / 2)
    if how == "through the link":
        b.shell("echo newer > .gitconfig")
    else:
        b.save(".gitconfig", "newer\n")
    until(lambda: a.linked(".gitconfig"), "linked again")
    assert a.kept() == {".gitconfig": "newer\n"}
    assert (a.home / ".gitconfig").read_text() == (b.home / ".gitconfig").read_text() == "newer\n"
    assert a.attic() == (["mine"] if how == "renamed over the link" else [])


def test_what_was_deleted_and_restored_is_in_the_home_and_stays(make: Make) -> None:
    a = with_dotfiles(make)
    a.shell("rm .gitconfig")
    until(lambda: a.attic() == ["mine"], "the deletion counts")
    done = a.command("attic", "restore", ".gitconfig")
    assert done.returncode == 0, done.stderr
    assert (a.linked(".gitconfig"), a.kept()) == (True, {".gitconfig": "mine"})
    time.sleep(1)
    a.stop()
    assert (a.linked(".gitconfig"), a.kept(), a.attic()) == (True, {".gitconfig": "mine"}, [])


def test_a_deletion_right_before_the_stop_counts(make: Make) -> None:
    a = with_dotfiles(make)
    a.shell("rm .gitconfig")
    a.stop()
    assert a.kept() == {}
    assert a.attic() == ["mine"]


def test_a_deletion_and_a_sweep(make: Make) -> None:
    """A sweep within the grace neither puts the link back nor takes its absence for a deletion."""
    a = with_dotfiles(make)
    a.shell("rm .gitconfig")
    a.declare(".gitconfig", "another")  # reads the declarations and looks at what is new
    time.sleep(1)
    assert not os.path.lexists(a.home / ".gitconfig")
    assert a.kept() == {".gitconfig": "mine"}


def test_a_parent_that_went_deletes_nothing(make: Make) -> None:
    a = make("a", ".config/tool/state")
    (a.home / ".config/tool").mkdir(parents=True)
    (a.home / ".config/tool/state").write_text("mine")
    a.resolve()
    a.start()
    a.shell("rm -r .config; mkdir -p .config/tool")
    time.sleep(GRACE + 2)
    a.stop()
    assert a.kept() == {".config/tool/state": "mine"}
    assert a.attic() == []


def test_a_deletion_that_nobody_saw_is_none(make: Make) -> None:
    a = with_dotfiles(make)
    a.stop()
    a.shell("rm .gitconfig")
    a.start()
    a.stop()
    assert a.kept() == {".gitconfig": "mine"}
    assert (a.home / ".gitconfig").read_text() == "mine"


@pytest.mark.parametrize("restarted", [False, True])
def test_the_users_link_is_deleted(make: Make, *, restarted: bool) -> None:
    """As `stow -D`: what is deleted is that link, and the owner's file is linked again, for everybody."""
    a = with_dotfiles(make)
    b = make("b", ".gitconfig")
    b.resolve()
    a.shell("ln -sfn ~/dotfiles/gitconfig .gitconfig")
    until(lambda: "is your own link" in a.said(), "it is seen")
    if restarted:
        a.stop()
        a.start()
    a.shell("rm .gitconfig")
    until(lambda: a.linked(".gitconfig"), "linked again")
    assert (a.home / ".gitconfig").read_text() == "mine"
    assert (b.home / ".gitconfig").read_text() == "mine"
    assert (a.kept(), a.attic()) == ({".gitconfig": "mine"}, [])
