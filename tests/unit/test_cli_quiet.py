"""`--quiet`: each command that may work long says nothing of what went well, and all of what did not."""

import json

import pytest

from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.lease import Lease
from tests.harness.tree import Tree, write
from tests.unit.conftest import Command

QUIET = {
    "resolve": ["resolve"],
    "add": ["add", ".new/"],
    "add what is kept already": ["add", ".tool/"],
    "remove": ["remove", ".mine"],
    "remove what was not there": ["remove", ".none"],
    "enable": ["enable", "demo"],
    "enable what is on": ["enable", "on"],
    "disable": ["disable", "on"],
    "migrate": ["migrate"],
    "gc": ["gc"],
    "gc --yes": ["gc", "--yes"],
}


@pytest.fixture
def used(tree: Tree) -> Tree:
    tree.manifest(".tool/", migrations=[{"id": "m", "remove": ".old/"}])
    for name in ("demo", "on"):
        document = {"source": name, "paths": [f".{name}/"]}
        write(tree.layout.available, {f"{name}.json": json.dumps(document)})
    own = {"source": "user", "paths": [".mine", ".none"], "enable": ["on"]}
    write(tree.layout.state, {"manifests/user.json": json.dumps(own)})
    write(tree.home, {".tool/x": "1", ".mine": "1", ".on/x": "1"})
    write(tree.volume, {".old/x": "1"})
    return tree


@pytest.mark.parametrize("words", QUIET.values(), ids=QUIET)
def test_what_went_well_is_not_said(used: Tree, run: Command, words: list[str]) -> None:
    assert used.home.exists()
    told = run(*words, "--quiet")
    assert (told.status, told.out, told.err) == (0, "", "")


WRONG = {
    "resolve": (["resolve"], "manifest.conflict"),
    "add": (["add", "/etc"], "path.refused"),
    "remove": (["remove", ".nothing"], "path.not-declared"),
    "enable": (["enable", "nothing"], "optional.unknown"),
    "disable": (["disable", "demo"], "optional.not-enabled"),
    "migrate": (["migrate"], "manifest.conflict"),
}


@pytest.mark.parametrize(("words", "code"), WRONG.values(), ids=WRONG)
def test_what_did_not_is(used: Tree, run: Command, words: list[str], code: str) -> None:
    used.manifest(".x", ".x/", name="bad")
    (error,) = run(*words, "--json").errors
    assert error["code"] == code
    told = run(*words, "-q")
    assert (told.status, told.out) == (1, "")
    assert error["message"] in told.err


def test_what_stays_because_of_others_is_said(used: Tree, run: Command) -> None:
    used.resolve()
    with Session(used.layout, used.settings) as session:
        lease = Lease(session.volume, "w2", "two")
        told = run("remove", "-q", ".mine")
        lease.close()
    assert told.out == ""
    assert told.err.startswith(
        "warning: ~/.mine: 1 other workspace of yours is running, so the volume's copy"
    )
