"""When the attic's limits are kept: what may fill the volume at once, everything else when it is due."""

import errno
import os

import pytest

from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store import attic_pruning
from coder_ws_runtime.persist.store.attic_bounds import Bounds
from tests.harness.tree import Tree

ADDED_TO_BE_DUE = Bounds().versions // 5 + 2
"""The first has the attic listed."""


def is_due(session: Session) -> bool:
    return session.attic.is_due


def put_in(session: Session, count: int) -> None:
    """Put empty files in: they take no space, and count all the same."""
    for _ in range(count):
        with session.attic.place("saved") as (fd, name):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        session.attic.keep_bounds()


def test_it_is_due_after_a_number_of_items(tree: Tree) -> None:
    with Session(tree.layout, tree.settings) as session:
        put_in(session, ADDED_TO_BE_DUE - 1)
        assert not is_due(session)
        put_in(session, 1)
        assert is_due(session)
        session.attic.keep_bounds(always=True)
        assert not is_due(session)


def test_it_is_not_due_again_at_once_if_the_volume_cannot_be_read(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon would wake up for it every second."""
    with Session(tree.layout, tree.settings) as session:
        put_in(session, ADDED_TO_BE_DUE)
        assert is_due(session)

        def fail(*_: object, **__: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(attic_pruning, "prune", fail)
        session.attic.keep_bounds(always=True)
        assert not is_due(session)
