"""A declared file that nobody has written yet: who writes it first writes it for all workspaces."""

import os
import time

from coder_ws_runtime.persist.watch import daemon
from tests.harness.watched import until
from tests.watch.conftest import Make


def test_what_another_workspace_writes_first_is_linked_at_once(make: Make) -> None:
    a, b = make("a", ".conf"), make("b", ".conf")
    for workspace in (a, b):
        workspace.resolve()
        workspace.start()
    (a.home / ".conf").write_text("of a")
    until(lambda: a.volume_has(".conf", "of a"), "it is kept")
    until(lambda: b.linked(".conf"), "the other has it")
    b.save(".conf", "of b, later")
    until(lambda: a.volume_has(".conf", "of b, later"), "the newest save counts")
    assert (a.home / ".conf").read_text() == "of b, later"


def test_a_link_that_was_renamed_is_not_awaited(make: Make) -> None:
    """The volume's copy waits for a new save at the old name: the program wanted nothing there."""
    a = make("a", ".conf")
    (a.home / ".conf").write_text("first")
    a.resolve()
    a.start()
    a.shell("mv .conf .conf.bak")
    time.sleep(3 * daemon._AWAITED)  # noqa: SLF001 - what the daemon waits between two looks
    assert not os.path.lexists(a.home / ".conf")
    assert (a.home / ".conf.bak").read_text() == "first"
    assert a.volume_has(".conf", "first")
