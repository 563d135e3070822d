"""The last save of a path that programs still write: it changes while it is looked at."""

import pytest

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.fs.errors import BusyError, ChangedError
from coder_ws_runtime.persist.manifest.entry import Entry, Kind, Scope
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.observe import look
from coder_ws_runtime.persist.reconcile.save import save_open
from coder_ws_runtime.persist.reconcile.settle import Outcome
from coder_ws_runtime.persist.session import Session
from tests.harness.tree import Tree, content, write

FILE = Entry("f", Kind.FILE, Scope.OWNER, "", "", "f")
IN_USE = RefusedError("a program writes it", code="path.in-use", place="~/f")


@pytest.mark.parametrize(
    ("error", "times", "kept"),
    [
        (ChangedError, 2, {"f": "last"}),
        (ChangedError, 100, {}),
        (FileNotFoundError, 2, {"f": "last"}),
        (BusyError, 1, {}),
        (RuntimeError, 1, {}),
    ],
)
def test_it_is_tried_again(
    error: type[Exception], times: int, kept: dict[str, str], tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it raises would end the daemon, and with it the saves of all later paths."""
    left = [error("f")] * times

    def changing(*args: object, **named: object) -> object:
        if left:
            raise left.pop()
        return look(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr("coder_ws_runtime.persist.reconcile.save.look", changing)
    monkeypatch.setattr("time.sleep", lambda _: None)
    write(tree.home, {"f": "last"})
    with Session(tree.layout, tree.settings) as session:
        told = save_open(session, Outcome(FILE, Decision.FAILED, error=IN_USE))
    assert content(tree.volume) == kept
    assert told.code == ("path.in-use" if kept else "path.not-saved")
