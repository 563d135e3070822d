"""What home-persist keeps for itself is there and usable; the doctor says so before a save is lost."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from coder_ws_runtime.doctor.catalogue import CHECKS
from coder_ws_runtime.doctor.checks import own_state
from coder_ws_runtime.doctor.context import Context
from coder_ws_runtime.doctor.findings import Verdict
from coder_ws_runtime.persist.manifest.load import load_declarations
from tests.harness.tree import Tree, write

USER = os.geteuid()
FORMATS = {
    "home.volume-format-newer": '{"format": 99, "oldest_reader": 99}',
    "home.volume-format-unreadable": "{",
}


def codes(tree: Tree, uid: int = USER) -> list[str]:
    return [item.code for item in own_state.problems(Context.of(tree.layout.root, {}), uid)]


def look(tree: Tree, check: str) -> Verdict:
    function = next(item for item in CHECKS if item.id == check).function
    return function(Context.of(tree.layout.root, {"CODER_WORKSPACE_ID": "w1"}))


@pytest.fixture
def used(tree: Tree) -> Tree:
    """A tree on which home-persist has worked."""
    tree.manifest("f")
    write(tree.home, {"f": "content"})
    tree.resolve()
    return tree


def test_what_home_persist_has_made_is_well(used: Tree) -> None:
    assert codes(used) == []


def test_a_ledger_that_is_gone(tmp_path: Path) -> None:
    env = {name: str(tmp_path) for name in ("HOME", "HOME_PERSIST_STATE")}
    context = Context.of(Path("/"), {**env, "HOME_PERSIST_LEDGER_DIR": str(tmp_path / "gone")})
    found = list(own_state.problems(context, USER))
    assert found[0].code == "home.state-missing"
    assert f"{tmp_path}/gone: no such directory" in found[0].evidence


def test_another_user_s(used: Tree) -> None:
    assert codes(used, USER + 1) == ["home.state-foreign"]


@pytest.fixture(params=["the ledger", "the volume's locks"])
def closed(request: pytest.FixtureRequest, used: Tree) -> Iterator[Path]:
    directory = used.layout.ledger_dir if request.param == "the ledger" else used.layout.state / "locks"
    directory.chmod(0o500)
    yield directory
    directory.chmod(0o700)


def test_one_that_the_user_may_not_write(closed: Path, used: Tree) -> None:
    (found,) = own_state.problems(Context.of(used.layout.root, {}), USER)
    assert found.code == "home.state-closed"
    assert found.evidence == (f"{closed}: mode 0500",)


@pytest.mark.parametrize(("code", "text"), FORMATS.items(), ids=FORMATS)
def test_a_format_that_stops_every_change(code: str, text: str, used: Tree) -> None:
    (used.layout.state / "format.json").write_text(text)
    verdict = look(used, "home.volume")
    assert [item.code for item in verdict.findings] == [code]


def test_manifests_that_cannot_be_listed_are_not_none(used: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.listdir

    def refused(path: Path) -> list[str]:
        if path == used.layout.manifest_dir:
            raise PermissionError(13, os.strerror(13), str(path))
        return real(path)

    monkeypatch.setattr(os, "listdir", refused)  # root may list everything
    (error,) = load_declarations(used.layout, used.settings).refused
    assert (error.code, error.place) == ("manifest.directory-unreadable", str(used.layout.manifest_dir))
    assert [item.code for item in look(used, "home.manifests").findings] == ["home.manifests-closed"]


def test_an_image_need_not_have_manifests(tree: Tree) -> None:
    tree.layout.manifest_dir.rmdir()
    assert not load_declarations(tree.layout, tree.settings).refused
