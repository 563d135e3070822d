"""What a recipe does with a download that is not what it should be."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import mirror
from tests.harness.engine import Engine
from tests.images.conftest import Mirror, Recipe

ARCHIVES = {
    "cmake": "github.com/Kitware/CMake/releases/download/v*/cmake-*-linux-*.tar.gz",
    "sccache": "github.com/mozilla/sccache/releases/download/v*/sccache-*.tar.gz",
}


@pytest.fixture(scope="module")
def base(image: Callable[[str], str]) -> str:
    return image("base")


@pytest.fixture
def own(standin: Mirror, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A mirror of one's own, to break: its tree, and its address."""
    shutil.copytree(standin.tree / "github.com", tmp_path / "github.com", copy_function=shutil.copy)
    with mirror.serve(tmp_path, port=0) as address:
        yield tmp_path, address


def corrupt(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1000])


@pytest.mark.parametrize("harm", [corrupt, truncate])
@pytest.mark.parametrize("tool", list(ARCHIVES))
def test_another_file_than_the_publisher_s(
    tool: str, harm: Callable[[Path], None], own: tuple[Path, str], recipe: Recipe, base: str
) -> None:
    tree, address = own
    (archive,) = tree.glob(ARCHIVES[tool])
    harm(archive)
    done = recipe(tool, base, MIRROR=address)
    assert done.returncode == 1
    assert f"error: {tool}: {archive.name}: this is another file" in done.stderr
    assert "  expected  sha256 " in done.stderr
    assert "  found     sha256 " in done.stderr


@pytest.mark.parametrize("tool", list(ARCHIVES))
def test_a_file_that_is_not_there(tool: str, own: tuple[Path, str], recipe: Recipe, base: str) -> None:
    tree, address = own
    (archive,) = tree.glob(ARCHIVES[tool])
    archive.unlink()
    done = recipe(tool, base, MIRROR=address)
    assert done.returncode == 1
    assert f"error: {tool}: {archive.name}: HTTP 404 " in done.stderr
    assert "  expected  sha256 " in done.stderr


def test_a_file_that_its_publisher_does_not_list(own: tuple[Path, str], recipe: Recipe, base: str) -> None:
    tree, address = own
    (sums,) = tree.glob("github.com/Kitware/CMake/releases/download/v*/*-SHA-256.txt")
    sums.write_text(sums.read_text().replace("linux", "other"))
    done = recipe("cmake", base, MIRROR=address)
    assert done.returncode == 1
    assert "is not in its publisher's file of checksums" in done.stderr


def test_a_build_ends_with_the_reason(
    engine: Engine, own: tuple[Path, str], recipe: Recipe, base: str
) -> None:
    """As whoever builds sees it."""
    tree, address = own
    (archive,) = tree.glob(ARCHIVES["sccache"])
    corrupt(archive)
    from tests.harness.shell import ROOT, DevError

    dockerfile = tree / "Dockerfile"
    text = (ROOT / "images/cpp/Dockerfile").read_text()
    # The layers before take a minute, and are not what is looked at.
    head, _, _ = text.partition("RUN ")
    _, last, step = text.rpartition("RUN ")
    dockerfile.write_text(head + last + step)
    with pytest.raises(DevError, match="this is another file") as failed:
        engine.build(dockerfile, "cws-test-broken", ROOT, args={"BASE": base, "MIRROR": address})
    assert archive.name in str(failed.value)
    assert "expected  sha256" in str(failed.value)
