"""images/stacks.toml is the source; what repeats it says the same."""

import re
from pathlib import Path

import pytest

from devtools.shell import ROOT
from devtools.stacks import ENGINE, Stack, images, lineage, stacks

STACKS = stacks()
CHILDREN = [stack for stack in STACKS.values() if stack.parent]


def instructions(stack: Stack) -> list[str]:
    """The lines of a stack's Dockerfile that are no comment."""
    text = (ROOT / "images" / stack.name / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_there_is_one_root_and_parents_come_first() -> None:
    seen: set[str] = set()
    for stack in STACKS.values():
        assert stack.parent is None or stack.parent in seen
        seen.add(stack.name)
    assert [stack.name for stack in STACKS.values() if stack.parent is None] == ["base"]


def test_each_stack_has_a_dockerfile_and_each_dockerfile_a_stack() -> None:
    found = {file.parent.name for file in (ROOT / "images").glob("*/Dockerfile")}
    assert found == {*STACKS, "engine"}


def test_an_image_with_an_engine_is_built_on_its_stack_s() -> None:
    engines = {name: image for name, image in images().items() if name.endswith(ENGINE)}
    assert list(engines) == [f"{stack.name}{ENGINE}" for stack in STACKS.values() if stack.engine]
    assert {image.dockerfile.parent.name for image in engines.values()} == {"engine"}
    assert lineage("cpp-engine") == ["base", "cpp", "cpp-engine"]


@pytest.mark.parametrize("stack", CHILDREN, ids=lambda stack: stack.name)
def test_a_stack_is_built_from_the_base_that_it_is_given(stack: Stack) -> None:
    """So that the publish workflow passes the digest of the same commit, and ./dev what it has built."""
    lines = instructions(stack)
    assert re.fullmatch(rf"ARG BASE=\S+/coder-workspace:{stack.parent}", lines[0])
    assert lines[1] == "FROM ${BASE}"
    assert not [line for line in lines[2:] if line.startswith("FROM ")]


def test_the_template_offers_exactly_the_stacks() -> None:
    text = (ROOT / "main.tf").read_text()
    block = re.search(
        r'^data "coder_parameter" "workspace_image" \{\n(.*?)^\}', text, re.DOTALL | re.MULTILINE
    )
    assert block
    options = [
        sorted(re.findall(r'^\s+(\w+)\s+= "([^"]*)"$', option, re.MULTILINE))
        for option in re.findall(r"^  option \{\n(.*?)^  \}", block[1], re.DOTALL | re.MULTILINE)
    ]
    assert options == [
        [
            ("description", stack.description),
            ("icon", stack.icon),
            ("name", stack.title),
            ("value", stack.name),
        ]
        for stack in STACKS.values()
    ]


def test_the_workflow_publishes_exactly_the_stacks() -> None:
    """The base, then its children in parallel. A grandchild would need a job of its own."""
    text = Path(ROOT / ".github/workflows/publish-workspaces.yml").read_text()
    assert re.findall(r"^ +stack: (\w+)$", text, re.MULTILINE) == ["base"]
    assert re.findall(r"^ +stack: \[(.*)\]$", text, re.MULTILINE) == [
        ", ".join(stack.name for stack in CHILDREN),
        ", ".join(stack.name for stack in STACKS.values() if stack.engine),
    ]
    assert {stack.parent for stack in CHILDREN} == {"base"}
