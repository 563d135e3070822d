"""What is declared, from all sources together: one row, one case."""

import json

import pytest

from coder_ws_runtime.dataclass import dataclass, field, replace
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.persist.manifest.entry import Child
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
    """Each as a place and a code."""
    warnings: list[str] = field(default_factory=list)
    children: list[str] = field(default_factory=list)
    """Each as a path, and the workspace whose own it is, or ``-`` if it is not kept."""
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
        refused=["two.json:$.paths[0] manifest.conflict"],
    ),
    "the same path as a file": Case(
        [".x/ owner one"],
        image={"one": [".x/"]},
        template=[".x"],
        refused=["workspace.json:$.home_persist_paths[0] manifest.conflict"],
    ),
    "below a directory of the same scope: covered": Case(
        [".x/ owner two"], image={"one": [".x/y/", ".x/z"], "two": [".x/"]}
    ),
    "below a directory of another scope": Case(
        [".x/ workspace one"],
        image={"one": [OWN], "two": [".x/y"]},
        refused=["two.json:$.paths[0] manifest.conflict"],
    ),
    "below a file": Case(
        [".x owner one"],
        image={"one": [".x", ".x/y"]},
        refused=["one.json:$.paths[1] manifest.conflict"],
    ),
    "of a name that only begins alike": Case(
        [".x/ workspace one", ".xy/ owner one"], image={"one": [OWN, ".xy/"]}
    ),
    "a bad manifest: the others count": Case(
        [".a/ owner one", ".c/ owner user"],
        image={"one": [".a/"], "bad": BROKEN},
        user={"paths": [".c/"]},
        refused=["bad.json:$.pahts manifest.unknown-key"],
    ),
    "one bad path refuses its manifest": Case(
        [".a/ owner one"],
        image={"one": [".a/"], "two": [".b/", "/etc/x"]},
        refused=["two.json:$.paths[1] path.refused"],
    ),
    "one bad path of the template: its others count": Case(
        [".b owner template"],
        template=["../x", ".b"],
        refused=["workspace.json:$.home_persist_paths[0] path.refused"],
    ),
    "an unknown key in a manifest of the user's, which another version wrote": Case(
        [".a/ owner one", ".b/ owner user", ".c/ owner user"],
        image={"one": [".a/"]},
        user={"pahts": [], "paths": [".b/", {"path": ".c/", "quota": 3}]},
        warnings=[
            "user.json:$.paths[1].quota manifest.unknown-key",
            "user.json:$.pahts manifest.unknown-key",
        ],
    ),
    "null in a manifest of the user's": Case(
        [".b/ owner user"],
        user={"paths": [".b/"], "except": None, "enable": None, "scope": None, "migrations": None},
    ),
    "bad items of a manifest of the user's are refused one by one": Case(
        [".b/ owner user"],
        user={
            "paths": ["../x", None, 3, {"pth": ".y"}, {"path": ".z", "mode": "rwx"}, ".b/"],
            "except": [1, ".."],
        },
        refused=[
            "user.json:$.paths[1] manifest.invalid",
            "user.json:$.paths[2] manifest.invalid",
            "user.json:$.paths[3] manifest.invalid",
            "user.json:$.paths[4].mode manifest.invalid",
            "user.json:$.except[0] manifest.invalid",
            "user.json:$.except[1] path.refused",
            "user.json:$.paths[0] path.refused",
        ],
        warnings=["user.json:$.paths[3].pth manifest.unknown-key"],
    ),
    "a list of the user's manifest that is none": Case(
        [".a/ owner one"],
        image={"one": [".a/"]},
        user={"paths": ".x", "enable": {}},
        refused=["user.json:$.paths manifest.invalid", "user.json:$.enable manifest.invalid"],
    ),
    "bad items of the template are refused one by one": Case(
        [".b/ owner template", ".c/ workspace template"],
        template=[
            None,
            ".b/",
            3,
            [],
            {"path": ".c/", "scope": "workspace", "team": "x"},
            {"path": ".d", "scope": "all"},
        ],
        refused=[
            "workspace.json:$.home_persist_paths[0] manifest.invalid",
            "workspace.json:$.home_persist_paths[2] manifest.invalid",
            "workspace.json:$.home_persist_paths[3] manifest.invalid",
            "workspace.json:$.home_persist_paths[5].scope manifest.invalid",
        ],
        warnings=["workspace.json:$.home_persist_paths[4].team manifest.unknown-key"],
    ),
    "the workspace's own below the owner's directory": Case(
        [".x/ owner one"],
        image={"one": [".x/", {"path": ".x/y/z/", "scope": "workspace"}]},
        children=[".x/y/z/ w1"],
    ),
    "… declared by another source, and before it": Case(
        [".x/ owner two"],
        image={"one": [{"path": ".x/y/", "scope": "workspace"}], "two": [".x/"]},
        children=[".x/y/ w1"],
    ),
    "… as a file": Case(
        [".x/ owner one"],
        image={"one": [".x/"], "two": [{"path": ".x/y", "scope": "workspace"}]},
        refused=["two.json:$.paths[0] manifest.conflict"],
    ),
    "… and below that": Case(
        [".x/ owner one"],
        image={
            "one": [".x/", {"path": ".x/y/", "scope": "workspace"}, {"path": ".x/y/z", "scope": "workspace"}]
        },
        children=[".x/y/ w1"],
    ),
    "… and the owner's below that": Case(
        [".x/ owner one"],
        image={"one": [".x/", {"path": ".x/y/", "scope": "workspace"}], "two": [".x/y/z/"]},
        children=[".x/y/ w1"],
        refused=["two.json:$.paths[0] manifest.conflict"],
    ),
    "… and no id: it is not kept, and the rest of the manifest counts": Case(
        [".x/ owner one"],
        image={"one": [".x/", {"path": ".x/y/", "scope": "workspace"}]},
        id="",
        children=[".x/y/ -"],
    ),
    "… and no id, and the directory is taken out": Case(
        [],
        image={"one": [".x/", {"path": ".x/y/", "scope": "workspace"}]},
        user={"except": [".x/"]},
        id="",
        refused=["one.json:$.paths[1] manifest.no-workspace-id"],
    ),
    "a directory below a kept one that is not to be kept": Case(
        [".x/ owner one", ".z/ workspace one"],
        image={
            "one": {
                "source": "one",
                "paths": [".x/", {"path": ".z/", "scope": "workspace"}],
                "except": [".x/y/", ".z/y/"],
            }
        },
        children=[".x/y/ -", ".z/y/ -"],
    ),
    "… as a program writes it, without a slash: nothing": Case(
        [".x/ owner one"], image={"one": [".x/"]}, user={"except": [".x/y"]}
    ),
    "… below nothing that is kept: nothing": Case([], user={"except": [".x/y/"]}),
    "the scope workspace, and no id": Case(
        [".a/ owner one"],
        image={"one": [".a/"], "two": [".b/", OWN]},
        refused=["two.json:$.paths[1] manifest.no-workspace-id"],
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
    assert _coded(found.refused) == sorted(case.refused)
    assert _coded(found.warnings) == sorted(case.warnings)
    children = [f"{one.entry.path}/ {_whose(one)}" for one in found.children]
    assert children == case.children
    assert all(error.hint for error in (*found.refused, *found.warnings))


def _coded(errors: tuple[UserError, ...]) -> list[str]:
    found = []
    for error in errors:
        file, mark, path = error.place.partition(":$")
        found.append(f"{file.rpartition('/')[2]}{mark}{path} {error.code}")
    return sorted(found)


def _whose(child: Child) -> str:
    return child.entry.on_volume.split("/")[1] if child.kept else "-"
