"""`home-persist` with a bug: whatever is done with the path `bad` raises what nobody foresaw."""

from typing import Any
from unittest.mock import patch

from coder_ws_runtime.cli import loading

# Before the commands are imported: each of them takes the name from there.
loading.refuse_root = lambda layout: None

from coder_ws_runtime.cli.home_persist import entry as home_persist  # noqa: E402 - as above
from coder_ws_runtime.persist.manifest.entry import Entry  # noqa: E402
from coder_ws_runtime.persist.reconcile import settle  # noqa: E402
from coder_ws_runtime.persist.reconcile.observation import Observation  # noqa: E402
from coder_ws_runtime.persist.reconcile.observe import look  # noqa: E402
from coder_ws_runtime.persist.session import Session  # noqa: E402


def look_or_fail(session: Session, entry: Entry, *words: Any, **more: Any) -> Observation:  # noqa: ANN401 - passed on
    if entry.path == "bad":
        raise ZeroDivisionError("a bug")
    return look(session, entry, *words, **more)


if __name__ == "__main__":
    with patch.object(settle, "look", look_or_fail):
        home_persist.main()
