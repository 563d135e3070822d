"""`home-persist available`, `enable` and `disable`: optional manifests."""

import json

import pytest

from coder_ws_runtime.persist.optional import available
from tests.harness.tree import Tree, content, read, write
from tests.unit.conftest import Command

OWN = "manifests/user.json"


@pytest.fixture
def image(tree: Tree) -> Tree:
    """An image that has `docker` and `npm` to offer, and `git` on for everybody."""
    offered = {"docker": [".docker/"], "npm": [".npm/", ".npmrc"]}
    for name, paths in offered.items():
        document = {"source": name, "description": f"the {name} tool", "paths": paths}
        write(tree.layout.available, {f"{name}.json": json.dumps(document)})
    tree.manifest(".gitconfig", name="git")
    return tree


def own(tree: Tree, file: str = OWN) -> object:
    return json.loads((tree.layout.state / file).read_text()).get("enable")


@pytest.mark.parametrize("words", [["available"], ["enable"]], ids=" ".join)
def test_the_list(image: Tree, run: Command, words: list[str]) -> None:
    run("enable", "npm")
    told = run(*words)
    assert [" ".join(line.split()) for line in told.out.splitlines()] == [
        "NAME STATE PATHS WHAT",
        "docker off ~/.docker/ the docker tool",
        "npm on ~/.npm/ ~/.npmrc the npm tool",
        "2 optional, 1 on; home-persist enable NAME",
    ]


def test_one_of_them_says_why(image: Tree, run: Command) -> None:
    paths = [{"path": ".aws/", "why": "The login is the person's."}, {"path": ".c/", "scope": "workspace"}]
    write(image.layout.available, {"aws.json": json.dumps({"source": "aws", "paths": paths})})
    told = run("available", "aws")
    assert [" ".join(line.split()) for line in told.out.splitlines()] == [
        "NAME STATE PATH SCOPE WHY",
        "aws off ~/.aws/ owner The login is the person's.",
        "aws off ~/.c/ workspace -",
        "1 optional, 0 on; home-persist enable NAME",
    ]
    (item,) = json.loads(run("available", "--json", "aws").out)["manifests"]
    assert item["paths"] == [
        {"path": ".aws", "scope": "owner", "why": "The login is the person's."},
        {"path": ".c", "scope": "workspace", "why": None},
    ]


def test_on_and_off(image: Tree, run: Command) -> None:
    write(image.home, {".npm/x": "1", ".npmrc": "2"})
    told = run("enable", "npm")
    assert (told.status, told.out) == (0, "npm: is on\n~/.npm/: seeded\n~/.npmrc: seeded\n")
    assert (own(image), content(image.volume)) == (["npm"], {".npm/x": "1", ".npmrc": "2"})
    assert run("enable", "npm").out == "npm: is already on\n"
    image.lose_container()
    image.resolve()
    assert (image.home / ".npm/x").read_text() == "1", "it lasts"
    told = run("disable", "npm")
    assert (told.status, own(image)) == (0, [])
    assert told.out.startswith("npm: is off\n~/.npm: is no longer kept; its content is back in the home")
    assert {path: text for path, text in read(image.home).items() if "npm" in path} == {
        ".npm/x": "1",
        ".npmrc": "2",
    }
    image.resolve()
    assert not (image.home / ".npm").is_symlink()


def test_in_this_workspace_alone(image: Tree, run: Command) -> None:
    run("enable", "--scope", "workspace", "npm")
    assert own(image, "manifests/workspace-w1.json") == ["npm"]
    assert not (image.layout.state / OWN).exists()


def test_a_newer_image_knows_better(image: Tree, run: Command) -> None:
    run("enable", "docker")
    newer = {"source": "docker", "paths": [".docker/", ".config/docker/"]}
    write(image.layout.available, {"docker.json": json.dumps(newer)})
    image.resolve()
    assert (image.home / ".config/docker").is_symlink()


def test_an_image_without_it(image: Tree, run: Command) -> None:
    """The owner's other workspaces may have other images: no fault, and it can be disabled."""
    run("enable", "docker")
    (image.layout.available / "docker.json").unlink()
    image.lose_container()
    assert image.resolve().errors == []
    assert run("disable", "docker").status == 0
    assert own(image) == []


REFUSED = {
    "a typo": (["enable", "dokcer"], "optional.unknown", "did you mean 'docker'?"),
    "unknown": (["enable", "zzz"], "optional.unknown", "known: docker, npm"),
    "a typo of what is asked": (["available", "nmp"], "optional.unknown", "did you mean 'npm'?"),
    "on for everybody": (["enable", "git"], "optional.always", "home-persist status shows its paths"),
    "not on": (["disable", "npm"], "optional.not-enabled", "home-persist available shows what is"),
    "a typo of what is to go": (["disable", "nmp"], "optional.unknown", "did you mean 'npm'?"),
}


@pytest.mark.parametrize(("words", "code", "remedy"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(image: Tree, run: Command, words: list[str], code: str, remedy: str) -> None:
    told = run(*words, "--json")
    (error,) = told.errors
    assert (told.status, error["code"], error["remedy"]) == (1, code, remedy)
    assert repr(words[-1]) in error["message"], "the name is in it"


def test_a_path_of_it(image: Tree, run: Command) -> None:
    run("enable", "npm")
    (error,) = run("remove", "--json", ".npm").errors
    assert error["code"] == "path.not-yours"
    assert error["remedy"].startswith("home-persist disable npm, or: home-persist remove --switch-off ")


def test_what_another_keeps_stays(image: Tree, run: Command) -> None:
    image.manifest(".npm/", name="first")
    image.resolve()
    run("enable", "npm")
    run("disable", "npm")
    assert (image.home / ".npm").is_symlink()
    assert not (image.home / ".npmrc").is_symlink()


def test_an_interrupted_disable_is_ended_by_the_next(image: Tree, run: Command) -> None:
    write(image.home, {".npm/x": "1", ".npmrc": "2"})
    run("enable", "npm")
    write(image.layout.state, {OWN: '{"source": "user"}'})  # as if killed after it was forgotten
    assert run("disable", "npm").status == 0
    assert not (image.home / ".npm").is_symlink()


def test_a_bad_one(image: Tree, run: Command) -> None:
    write(image.layout.available, {"bad.json": '{"source": "bad", "pahts": []}'})
    told = run("available", "--json")
    (error,) = told.errors
    assert (told.status, error["code"]) == (1, "manifest.unknown-key")
    assert "'paths'" in error["remedy"]
    assert run("available").status == 1
    assert [item.name for item in available(image.layout, image.settings)] == ["bad", "docker", "npm"]
    assert run("enable", "bad").status == 1
    assert not (image.layout.state / OWN).exists()


def test_an_image_that_offers_nothing(tree: Tree, run: Command) -> None:
    assert run("available").out == "0 optional, 0 on; home-persist enable NAME\n"
    (error,) = run("enable", "--json", "npm").errors
    assert (error["code"], error["remedy"]) == ("optional.unknown", "this image has none")


def test_json(image: Tree, run: Command) -> None:
    assert json.loads(run("enable", "--json", "npm").out)["manifests"][0] == {
        "name": "npm",
        "changed": True,
        "paths": [".npm", ".npmrc"],
        "errors": [],
    }
    assert [item["enabled"] for item in json.loads(run("available", "--json").out)["manifests"]] == [
        False,
        True,
    ]


def test_what_is_on_here_can_be_on_everywhere(image: Tree, run: Command) -> None:
    run("enable", "--scope", "workspace", "docker")
    assert run("enable", "docker").out.startswith("docker: is on\n")
    assert own(image) == ["docker"]
    assert own(image, f"manifests/workspace-{image.settings.workspace.id}.json") == []
    assert run("enable", "docker").out == "docker: is already on\n"


def test_the_status_of_what_can_be_enabled_says_so(image: Tree, run: Command) -> None:
    told = run("status", "--json", "~/.npm/_cacache")
    (error,) = told.errors
    assert (told.status, error["code"]) == (1, "path.not-declared")
    assert error["remedy"].endswith(": home-persist enable npm")


def test_one_path_of_it_is_taken_out_in_this_workspace(image: Tree, run: Command) -> None:
    """As the help of `disable` says."""
    run("enable", "npm")
    write(image.volume, {".npmrc": "key"})
    assert run("remove", "--switch-off", "--scope", "workspace", ".npmrc").status == 0
    assert read(image.home)[".npmrc"] == "key"
    assert (image.home / ".npm").is_symlink()
    image.resolve()
    assert read(image.home)[".npmrc"] == "key", "it is not linked again"
    assert own(image) == ["npm"], "in other workspaces it counts"


def test_a_trap_is_named_when_it_is_enabled(tree: Tree, run: Command) -> None:
    write(
        tree.layout.available, {"kubectl.json": json.dumps({"source": "kubectl", "paths": [".kube/config"]})}
    )
    told = run("enable", "kubectl")
    assert told.status == 0
    assert told.err.startswith("warning: path '.kube/config': ")
