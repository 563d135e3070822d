"""What holds for each stack's image."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from devtools import mirror
from devtools.engine import Engine
from devtools.images import tag
from devtools.shell import ROOT
from devtools.stacks import ENGINE, Stack, images, stacks

STACKS = list(stacks().values())
RUNTIME_BUDGET_MIB = 30


def layers(engine: Engine, image: str) -> list[str]:
    found: list[str] = engine.inspect(image)["RootFS"]["Layers"]
    return found


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_it_has_what_its_assertions_say(
    stack: Stack, image: Callable[[str], str], faults: Callable[..., str]
) -> None:
    names = [stack.name]
    while parent := stacks()[names[0]].parent:
        names.insert(0, parent)
    assert faults(image(stack.name), *names) == ""


@pytest.mark.parametrize("stack", STACKS, ids=lambda stack: stack.name)
def test_it_keeps_to_its_budget(stack: Stack, image: Callable[[str], str], engine: Engine) -> None:
    assert engine.inspect(image(stack.name))["Size"] <= stack.budget_mib << 20


def test_an_image_with_an_engine(
    image: Callable[[str], str], faults: Callable[..., str], engine: Engine
) -> None:
    """One of them: all are built by the same Dockerfile."""
    name = f"base{ENGINE}"
    assert faults(image(name), "engine") == ""
    assert engine.inspect(image(name))["Size"] <= images()[name].budget_mib << 20


def test_it_is_built_from_the_layers_of_its_parent(image: Callable[[str], str], engine: Engine) -> None:
    base = layers(engine, image("base"))
    for stack in STACKS:
        assert layers(engine, image(stack.name))[: len(base)] == base


def test_a_second_build_changes_nothing(image: Callable[[str], str], engine: Engine) -> None:
    before = engine.inspect(image("cpp"))["Id"]
    assert engine.inspect(image("cpp"))["Id"] == before


def test_a_recipe_that_changes_rebuilds_its_layer_and_the_later_ones(
    image: Callable[[str], str], engine: Engine, tmp_path: Path
) -> None:
    before = layers(engine, image("cpp"))
    base = len(layers(engine, image("base")))
    shutil.copytree(ROOT / "images", tmp_path / "images", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "images/tools/cmake/install").open("a") as recipe:
        recipe.write("# changed\n")
    name = f"{tag('cpp')}-changed"
    try:
        with mirror.stand_ins(engine, mirror.recipes(["cpp"])) as args:
            args["BASE"] = tag("base")
            engine.build(tmp_path / "images/cpp/Dockerfile", name, tmp_path, args=args)
        after = layers(engine, name)
    finally:
        engine.docker("rmi", "-f", name, check=False)
    llvm = base + 1
    assert after[:llvm] == before[:llvm]
    assert len(after) == len(before) == llvm + 2
    assert not set(after[llvm:]) & set(before[llvm:])


def test_the_runtime_is_small(image: Callable[[str], str], engine: Engine) -> None:
    """What it needs beside Python, with itself; and all of it with Python, as a registry keeps it."""
    script = (ROOT / "tests/images/runtime_size.py").read_text()
    done = engine.docker("run", "--rm", image("base"), "python3", "-c", script)
    _, beside, packed = map(int, done.stdout.split())
    assert 0 < beside <= RUNTIME_BUDGET_MIB << 10
    assert 0 < packed <= RUNTIME_BUDGET_MIB << 10
