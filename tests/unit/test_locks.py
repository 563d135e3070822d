"""Locks of paths: who holds one is known, and no wait is without end."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from coder_ws_runtime.fs.anchored import Owner
from coder_ws_runtime.persist.store import locks
from coder_ws_runtime.persist.store.locks import HeldElsewhereError
from coder_ws_runtime.persist.store.volume import Volume
from tests.harness.scenario_parts import paused
from tests.harness.tree import Tree, content, write


def volume_of(tree: Tree, workspace: str) -> Volume:
    return Volume(tree.volume, Owner(os.getuid(), os.getgid()), workspace=workspace)


@contextmanager
def paused_holder(tree: Tree, *paths: str) -> Iterator[int]:
    """Another process that holds locks and is paused, as by ``docker pause``."""

    def hold(stack: ExitStack) -> None:
        volume = stack.enter_context(volume_of(tree, "other"))
        for path in paths:
            stack.enter_context(volume.lock(path))

    with paused(hold) as child:
        yield child


@pytest.fixture(autouse=True)
def _patient_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "WAIT", 0.2)


def test_a_paused_holder_is_named_after_a_while(tree: Tree) -> None:
    with paused_holder(tree, ".x") as child, volume_of(tree, "ours") as volume:
        began = time.monotonic()
        with pytest.raises(HeldElsewhereError) as refused, volume.lock(".x"):
            pass
        assert 0.2 <= time.monotonic() - began < 2
        holder = refused.value.holder
        assert holder is not None
        assert (holder.workspace, holder.host, holder.pid) == ("other", os.uname().nodename, child)
        assert abs(time.time() - holder.since) < 60


def test_other_paths_are_not_held_up(tree: Tree) -> None:
    with paused_holder(tree, ".x"), volume_of(tree, "ours") as volume, volume.lock(".y"):
        pass


def test_a_boot_goes_on_without_the_path(tree: Tree) -> None:
    tree.manifest(".a/", ".x", ".z/")
    write(tree.home, {".a/f": "a", ".x": "x", ".z/f": "z"})
    with paused_holder(tree, ".x"):
        report = tree.resolve()
    (error,) = report.errors
    assert (error.place, error.code) == ("~/.x", "path.busy-elsewhere")
    assert "workspace 'other'" in error.message
    assert "resume or stop it" in error.hint
    assert content(tree.volume) == {".a/f": "a", ".z/f": "z"}
    assert (tree.home / ".x").read_text() == "x"
    assert tree.resolve().errors == [], "the holder is gone"
    assert content(tree.volume) == {".a/f": "a", ".x": "x", ".z/f": "z"}


def test_the_manifests_of_the_user_have_a_lock_of_their_own(tree: Tree) -> None:
    from coder_ws_runtime.persist.manifest.user import editing

    with (
        paused_holder(tree, ".home-persist/manifests"),
        volume_of(tree, "ours") as volume,
        pytest.raises(HeldElsewhereError),
        editing(tree.layout, volume, "w1"),
    ):
        pass


def test_the_holder_before_is_not_taken_for_the_holder_now(tree: Tree) -> None:
    with volume_of(tree, "a-long-name-of-a-workspace") as volume, volume.lock(".x"):
        pass
    with volume_of(tree, "b") as volume, volume.lock(".x"):
        (file,) = (tree.layout.state / "locks").iterdir()
        assert json.loads(file.read_text())["workspace"] == "b"


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"workspace": 1}', b"\xff\xfe"], ids=repr)
def test_a_holder_that_cannot_be_read_is_nobody(tree: Tree, text: bytes) -> None:
    """An older version writes nothing into the file."""
    file = tree.layout.root / "lock"
    file.write_bytes(text)
    fd = os.open(file, os.O_RDWR)
    try:
        assert locks.read_holder(fd) is None
    finally:
        os.close(fd)
