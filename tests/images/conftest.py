"""The images of the stacks, built once for all tests from the mirror of stand-ins."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from devtools import images, mirror
from devtools.engine import Engine
from devtools.shell import ROOT
from devtools.stacks import stacks


@dataclass(frozen=True)
class Mirror:
    """The mirror of stand-ins, while it runs."""

    tree: Path
    args: dict[str, str]


@pytest.fixture(scope="module")
def standin(engine: Engine) -> Iterator[Mirror]:
    with mirror.stand_ins(engine, mirror.recipes(stacks())) as args:
        yield Mirror(mirror.TREE, args)


@pytest.fixture(scope="module")
def image(engine: Engine) -> Callable[[str], str]:
    """Builds a stack on the base image that is there, from stand-ins, and returns the image's name."""

    def build(stack: str) -> str:
        if stack == "base":
            return images.tag(stack)
        with mirror.stand_ins(engine, mirror.recipes([stack])) as args:
            return images.build(engine, stack, args)

    return build


Recipe = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def recipe(engine: Engine, standin: Mirror) -> Recipe:
    """Runs a recipe as a build does, in a container of an image."""

    def run(tool: str, image: str, *, then: str = "true", **arguments: str) -> CompletedProcess[str]:
        words = ["--rm", "--network=host", "-e", "PYTHONPATH=/dev/tools/lib"]
        words += ["-v", f"{ROOT}/images/tools:/dev/tools:ro"]
        words += ["-v", f"{ROOT}/images/tools.lock:/dev/tools.lock:ro"]
        for name, value in {**standin.args, **arguments}.items():
            words += ["-e", f"{name}={value}"]
        script = f"/dev/tools/{tool}/install && {then}"
        return engine.docker("run", *words, image, "bash", "-c", script, check=False)

    return run


@pytest.fixture(scope="session")
def faults(engine: Engine) -> Callable[..., str]:
    """What an image has against its files of assertions; empty if nothing."""

    def check(image: str, *stacks: str) -> str:
        mount = f"{ROOT}/tests/images/assertions:/dev/assertions:ro"
        files = [f"/dev/assertions/{stack}.toml" for stack in stacks]
        words = ["run", "--rm", "-v", mount, image, "python3", "/dev/assertions/check.py", *files]
        done = engine.docker(*words, check=False)
        return done.stderr if done.returncode else ""

    return check
