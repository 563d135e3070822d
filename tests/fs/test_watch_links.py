"""A link that is held open says where it is, on each kind of file system that a home may be on."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.persist.link_search import LinkSearch
from coder_ws_runtime.persist.watch.links import Links, State, Whereabouts
from tests.conftest import missing

TARGET = "/mnt/home-persist/f"


@pytest.fixture(params=["disk", "tmpfs", "overlay"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A home; on overlay, the link and a directory come from the image's layer."""
    if request.param == "overlay":
        yield from _overlay()
        return
    base = Path(tempfile.mkdtemp(dir="/dev/shm")) if request.param == "tmpfs" else tmp_path
    _fill(base / "home")
    yield base / "home"
    shutil.rmtree(base)


def _fill(home: Path) -> None:
    (home / "sub/deep").mkdir(parents=True)
    (home / "f").symlink_to(TARGET)


def _overlay() -> Iterator[Path]:
    if os.geteuid() != 0:
        missing("root is needed to mount")
    base = Path(tempfile.mkdtemp(dir="/dev/shm"))
    for name in ("lower", "upper", "work", "merged"):
        (base / name).mkdir()
    _fill(base / "lower/home")
    options = f"lowerdir={base}/lower,upperdir={base}/upper,workdir={base}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(base / "merged")], check=True)
    yield base / "merged/home"
    subprocess.run(["umount", str(base / "merged")], check=True)
    shutil.rmtree(base)


@pytest.fixture
def links(home: Path) -> Iterator[Links]:
    with Anchor(home) as anchor:
        made = Links(anchor, LinkSearch(Path(TARGET).parent, lambda: [home]))
        made.follow("f", TARGET)
        yield made
        made.close()


def test_renames(home: Path, links: Links) -> None:
    assert links.find("f") == Whereabouts(State.THERE)
    (home / "f").rename(home / "sub/deep/g")
    assert links.find("f") == Whereabouts(State.MOVED, "sub/deep/g")
    if home.parent.name != "merged":  # a directory of the image's layer cannot be renamed
        (home / "sub").rename(home / "other")
        assert links.find("f") == Whereabouts(State.MOVED, "other/deep/g")
    assert list(links.moved()) == ["f"]
    (home / ("sub/deep/g" if (home / "sub").exists() else "other/deep/g")).rename(home / "f")
    assert links.find("f") == Whereabouts(State.THERE)
    (home / "f").rename(home.parent / "outside")
    assert links.find("f") == Whereabouts(State.MOVED, "")


def test_gone(home: Path, links: Links) -> None:
    (home / "new").write_text("saved")
    (home / "new").rename(home / "f")
    assert links.find("f") == Whereabouts(State.GONE)
    links.follow("f", TARGET)
    assert links.find("f") == Whereabouts(State.UNKNOWN), "a file is no link"
    (home / "f").unlink()
    (home / "f").symlink_to("/somewhere/else")
    links.follow("f", TARGET)
    assert links.find("f") == Whereabouts(State.UNKNOWN), "nor is the user's own link ours"
    (home / "f").unlink()
    (home / "f").symlink_to(TARGET)
    links.follow("f", TARGET)
    (home / "f").unlink()
    assert links.find("f") == Whereabouts(State.GONE)


def test_a_link_that_was_moved_is_not_the_one_that_took_its_place(home: Path, links: Links) -> None:
    (home / "f").rename(home / "f.bak")
    (home / "f").symlink_to(TARGET)
    assert links.find("f") == Whereabouts(State.MOVED, "f.bak")
    links.follow("f", TARGET)
    assert links.find("f") == Whereabouts(State.THERE)


def test_names_with_everything_in_them(home: Path, links: Links) -> None:
    for number, name in enumerate(["a b", "new\nline", "back\\slash", "(deleted)", "ü\udcff"]):
        (home / "f").rename(home / name)
        assert links.find("f") == Whereabouts(State.MOVED, name), number
        (home / name).rename(home / "f")


def test_a_mount_below_the_home_can_still_be_unmounted(home: Path) -> None:
    if os.geteuid() != 0:
        missing("root is needed to mount")
    (home / "mnt").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(home / "mnt")], check=True)
    (home / "mnt/f").symlink_to(TARGET)
    with Anchor(home) as anchor:
        links = Links(anchor, LinkSearch(Path(TARGET).parent, lambda: [home]))
        links.follow("mnt/f", TARGET)
        subprocess.run(["umount", str(home / "mnt")], check=True)
        assert links.find("mnt/f") == Whereabouts(State.UNKNOWN)


def test_no_descriptor_left(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then events are all that there is; nothing fails."""

    def refuse(*_: object, **__: object) -> int:
        raise OSError(24, "Too many open files")

    with Anchor(home) as anchor:
        links = Links(anchor, LinkSearch(Path(TARGET).parent, lambda: [home]))
        monkeypatch.setattr(os, "open", refuse)
        links.follow("f", TARGET)
        monkeypatch.undo()
        assert links.find("f") == Whereabouts(State.UNKNOWN)
