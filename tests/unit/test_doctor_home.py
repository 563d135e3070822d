"""The check of links on a tree: what a run that was killed has left is found, and mended."""

import json

import pytest

from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Status, Verdict
from tests.harness.tree import Tree, write

LINKS = next(item for item in CHECKS if item.id == "home.links")

LEFT = {
    "the content, beside our link": {"f": "->{volume}/f", ".f.home-persist": "older"},
    "the link, beside the content": {"f": "newer", ".f.home-persist": "->{volume}/f"},
    "the content, and the link is gone": {".f.home-persist": "older"},
}


def look(tree: Tree) -> Verdict:
    return LINKS.function(Context.of(tree.layout.root, {"CODER_WORKSPACE_ID": "w1"}))


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_an_interrupted_run(left: dict[str, str], tree: Tree) -> None:
    document = json.dumps({"version": 1, "workspace": {"id": "w1", "name": "dev"}})
    write(tree.layout.root, {"etc/coder/workspace.json": document})
    tree.manifest("f")
    write(tree.volume, {"f": "volume"})
    write(tree.home, {path: text.replace("{volume}", str(tree.volume)) for path, text in left.items()})
    found = look(tree)
    assert found.status is Status.FAILURE
    assert "was left half done by an interrupted run" in found.summary
    assert tree.resolve().errors == []
    assert look(tree).status is Status.OK
