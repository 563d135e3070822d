"""What is declared, from all sources together: one row, one case."""

import json
from dataclasses import dataclass, field, replace

import pytest

from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.settings import Workspace
from tests.harness.tree import Tree, write


@dataclass(frozen=True)
class Case:
    """What each source says, and what counts then: path, scope and source; and what is refused, and why."""

    counts: list[str]
    image: dict[str, object] = field(default_factory=dict)
    """Manifests by name: a list is its paths."""
    template: list[object] = field(default_factory=list)
    user: dict[str, object] = field(default_factory=dict)
    workspace: dict[str, object] = field(default_factory=dict)
    """The user's for this workspace."""
    refused: list[str] = field(default_factory=list)
    id: str = "w1"


OWN = {"path": ".x/", "scope": "workspace"}
BROKEN = {"source": "bad", "pahts": []}

TABLE = {
    "the image, the template, the user": Case(
        [".a/ owner one", ".b owner template", ".c/ owner user", ".d/ workspace user"],
        image={"one": [".a/"]},
        template=["~/.b"],
        user={"paths": ["$HOME/.c/"]},
        workspace={"scope": "workspace", "paths": [".d/"]},
    ),
    "manifests count in the order of their names": Case(
        [".x/ owner 10-b"], image={"20-a": [".x/"], "10-b": [".x/"]}
    ),
    "the same path twice is one, the first": Case(
        [".x/ owner one"], image={"one": [".x/"]}, template=["~/.x/"], user={"paths": [".x/"]}
    ),
    "written in two ways": Case([".x/ owner one"], image={"one": ["~/.x/", "./.x//"]}),
    "the same path with another scope": Case(
        [".x/ owner one"],
        image={"one": [".x/"], "two": [OWN]},
        refused=["two.json:$.paths[0]: path '.x' is declared with the scope 'owner'"],
    ),
    "the same path as a file": Case(
        [".x/ owner one"],
        image={"one": [".x/"]},
        template=[".x"],
        refused=["workspace.json:$.home_persist_paths[0]: path '.x' is declared as a directory"],
    ),
    "below a directory of the same scope: covered": Case(
        [".x/ owner two"], image={"one": [".x/y/", ".x/z"], "two": [".x/"]}
    ),
    "below a directory of another scope": Case(
        [".x/ workspace one"],
        image={"one": [OWN], "two": [".x/y"]},
        refused=["two.json:$.paths[0]: path '.x/y' lies below '.x', which has the scope 'workspace'"],
    ),
    "below a file": Case(
        [".x owner one"],
        image={"one": [".x", ".x/y"]},
        refused=["one.json:$.paths[1]: path '.x/y' lies below '.x', which is declared as a file"],
    ),
    "of a name that only begins alike": Case(
        [".x/ workspace one", ".xy/ owner one"], image={"one": [OWN, ".xy/"]}
    ),
    "a bad manifest: the others count": Case(
        [".a/ owner one", ".c/ owner user"],
        image={"one": [".a/"], "bad": BROKEN},
        user={"paths": [".c/"]},
        refused=["bad.json:$.pahts: unknown key 'pahts'"],
    ),
    "one bad path refuses its manifest": Case(
        [".a/ owner one"],
        image={"one": [".a/"], "two": [".b/", "/etc/x"]},
        refused=["two.json:$.paths[1]: path '/etc/x' is absolute"],
    ),
    "one bad path of the template: its others count": Case(
        [".b owner template"],
        template=["../x", ".b"],
        refused=["workspace.json:$.home_persist_paths[0]: path '../x' leads upwards"],
    ),
    "a bad manifest of the user's": Case(
        [".a/ owner one"],
        image={"one": [".a/"]},
        user={"pahts": []},
        refused=["user.json:$.pahts: unknown key 'pahts'"],
    ),
    "the scope workspace, and no id": Case(
        [".a/ owner one"],
        image={"one": [".a/"], "two": [".b/", OWN]},
        refused=["two.json:$.paths[1]: path '.x' has the scope 'workspace', and the workspace's id is not"],
        id="",
    ),
    "the user takes out what the image declares": Case(
        [".b/ owner one"], image={"one": [".a/", ".b/"]}, user={"except": [".a/"]}
    ),
    "the user takes out what the template declares": Case([], template=[".a/"], user={"except": ["~/.a"]}),
    "an earlier manifest takes nothing out of a later": Case(
        [".a/ owner one", ".b/ owner two"],
        image={"one": {"source": "one", "paths": [".a/"], "except": [".b/"]}, "two": [".b/"]},
    ),
    "what is taken out in this workspace alone": Case(
        [], image={"one": [".a/"]}, workspace={"except": [".a/"]}
    ),
}


@pytest.mark.parametrize("case", TABLE.values(), ids=TABLE)
def test_row(tree: Tree, case: Case) -> None:
    for name, said in case.image.items():
        document = said if isinstance(said, dict) else {"source": name, "paths": said}
        write(tree.layout.manifest_dir, {f"{name}.json": json.dumps(document)})
    for name, document in (("user", case.user), ("workspace-w1", case.workspace)):
        if document:
            text = json.dumps({"source": "user", **document})
            write(tree.layout.state, {f"manifests/{name}.json": text})
    settings = replace(
        tree.settings, home_persist_paths=tuple(case.template), workspace=Workspace(id=case.id, name="dev")
    )

    found = load_declarations(tree.layout, settings)

    assert [f"{one.path}{one.slash} {one.scope.value} {one.source}" for one in found.entries] == case.counts
    assert len(found.refused) == len(case.refused)
    for error, words in zip(found.refused, case.refused, strict=True):
        assert words in str(error).replace(f"{tree.layout.root}", "")
        assert error.hint
