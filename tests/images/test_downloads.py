"""What a recipe does with a download that is not what it should be."""

import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devtools import mirror
from devtools.engine import Engine
from devtools.shell import ROOT, DevError
from tests.images import standins
from tests.images.conftest import Mirror, Recipe

ARCHIVES = {
    "cmake": "github.com/Kitware/CMake/releases/download/v*/cmake-*-linux-*.tar.gz",
    "nvm": "nodejs.org/dist/v*/node-v*-linux-*.tar.gz",
    "rtk": "github.com/rtk-ai/rtk/releases/download/v*/rtk-*.tar.gz",
    "sccache": "github.com/mozilla/sccache/releases/download/v*/sccache-*.tar.gz",
    "web-shell": "github.com/SoureCode/web-shell/releases/download/v*/web-shell-*.tgz",
}
# npm checks what it downloads by itself.
CLAUDE = "registry.npmjs.org/@anthropic-ai/claude-code/-/claude-code-*.tgz"
DOWN = "http://127.0.0.1:1"


@pytest.fixture(scope="module")
def base(image: Callable[[str], str]) -> str:
    return image("base")


@pytest.fixture
def own(standin: Mirror) -> Iterator[tuple[Path, str]]:
    """A mirror of one's own, to break: its tree, and its address."""
    with tempfile.TemporaryDirectory(dir=standin.tree.parent) as directory:
        tree = Path(directory)
        for host in ("api.github.com", "github.com", "nodejs.org", "raw.githubusercontent.com"):
            # Links, as some are large: whoever harms a file replaces it.
            shutil.copytree(standin.tree / host, tree / host, copy_function=os.link)
        with mirror.serve(tree) as address:
            yield tree, address


def replace(file: Path, content: bytes) -> None:
    file.unlink()
    file.write_bytes(content)


def corrupt(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    replace(file, bytes(content))


def truncate(file: Path) -> None:
    replace(file, file.read_bytes()[:-100])


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
    replace(sums, sums.read_bytes().replace(b"linux", b"other"))
    done = recipe("cmake", base, MIRROR=address)
    assert done.returncode == 1
    assert "is not in its publisher's file of checksums" in done.stderr


def test_a_script_that_is_not_the_locked_one(own: tuple[Path, str], recipe: Recipe, base: str) -> None:
    """nvm has no file of checksums: our lock file has them."""
    tree, address = own
    (script,) = tree.glob("raw.githubusercontent.com/nvm-sh/nvm/v*/nvm.sh")
    replace(script, script.read_bytes() + b"# one more line\n")
    done = recipe("nvm", base, MIRROR=address)
    assert done.returncode == 1
    assert "error: nvm: nvm.sh: this is another file" in done.stderr


def test_a_node_without_long_term_support(own: tuple[Path, str], recipe: Recipe, base: str) -> None:
    tree, address = own
    (archive,) = tree.glob(ARCHIVES["nvm"])
    program = tree / "bin/node"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho null\n")
    program.chmod(0o755)
    for unwanted in ("include", "share"):
        (tree / unwanted).mkdir()
    name = archive.name.removesuffix(".tar.gz")
    archive.unlink()
    standins.pack(tree, name, archive, ["bin", "include", "share"])
    replace(archive.with_name("SHASUMS256.txt"), f"{standins.sha256(archive)}  {archive.name}\n".encode())
    done = recipe("nvm", base, MIRROR=address)
    assert done.returncode == 1
    assert re.search(r"error: nvm: Node v[\d.]+ has no long-term support", done.stderr)


def test_a_package_of_npm_that_is_another_one(own: tuple[Path, str], recipe: Recipe, base: str) -> None:
    tree, address = own
    version = json.loads((ROOT / "images/tools.lock").read_text())["claude-code"]["version"]
    archive = tree / CLAUDE.replace("*", version)
    archive.parent.mkdir(parents=True)
    archive.write_bytes(b"another")
    done = recipe("claude-code", base, MIRROR=address)
    assert done.returncode == 1
    assert "EINTEGRITY" in done.stderr
    assert re.search(r"wanted sha512-\S+ .*but got sha512-", done.stderr)


@pytest.mark.parametrize("tool", ["claude-code", "rtk"])
def test_a_mirror_that_is_down_is_asked_again_and_then_named(tool: str, recipe: Recipe, base: str) -> None:
    """Five times, with pauses of 15 s in all."""
    began = time.monotonic()
    done = recipe(tool, base, MIRROR=DOWN)
    assert done.returncode == 1
    assert time.monotonic() - began > 15
    assert DOWN.removeprefix("http://") in done.stderr
    assert f"error: {tool}: " in done.stderr


def test_a_build_ends_with_the_reason(
    engine: Engine, own: tuple[Path, str], recipe: Recipe, base: str
) -> None:
    """As whoever builds sees it."""
    tree, address = own
    (archive,) = tree.glob(ARCHIVES["sccache"])
    corrupt(archive)
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
