"""The daemon's reports of its work: to the journal, to systemd, and to the doctor."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime.fs.writing import replace_file
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.settle import Outcome
from coder_ws_runtime.system import journal


class WatchReport:
    """What was healed, and what is wrong.

    Args:
        file: the doctor reads it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: dict[str, str] = {}
        """By path."""
        self.heals = 0
        self.last_heal: dict[str, object] | None = None
        self.started = time.time()

    def healed(self, outcome: Outcome, seconds: float) -> None:
        """Report what was done for a path, and how long it took."""
        if outcome.decision is Decision.LINKED:
            return
        path = outcome.entry.path
        self.heals += 1
        self.last_heal = {"path": path, "outcome": outcome.code, "time": time.time()}
        fields = {"path": path, "outcome": outcome.code, "milliseconds": round(seconds * 1000, 1)}
        if outcome.attic:
            fields["attic"] = outcome.attic
        if not outcome.problem:  # which `note` reports
            journal.log(f"~/{path}: {outcome.decision.text}", journal.INFO, fields)

    def note(self, path: str, outcome: Outcome) -> None:
        """Report what is wrong with a path, once; and when nothing is wrong any longer."""
        text = str(outcome.error) if outcome.error else outcome.problem
        if text == self.problems.get(path, ""):
            return
        if text:
            self.problems[path] = text
            journal.log(text, journal.WARNING, {"path": path, "outcome": outcome.code})
        else:
            del self.problems[path]
            journal.log(f"~/{path}: ok again", journal.INFO, {"path": path})

    def forget(self, path: str) -> None:
        """Forget a path that is no longer declared."""
        self.problems.pop(path, None)

    def publish(self, paths: int, period: float, inotify_error: str) -> None:
        """Report the state to systemd and the doctor.

        Args:
            paths: how many are declared.
            period: seconds between checks of all paths.
            inotify_error: why the kernel does not report changes; empty if it does.
        """
        document = {
            "version": 1,
            "pid": os.getpid(),
            "started": self.started,
            "last_sweep": time.time(),
            "period": period,
            "paths": paths,
            "heals": self.heals,
            "last_heal": self.last_heal,
            "problems": self.problems,
            "inotify_error": inotify_error,
        }
        with suppress(OSError):
            replace_file(self.file, json.dumps(document).encode(), durable=False)
        # After the report: to the doctor, a status without a report means that this was lost.
        state = f"{paths} paths, {self.heals} healed, {len(self.problems)} with problems"
        journal.notify(f"WATCHDOG=1\nSTATUS={state}{f'; {inotify_error}' if inotify_error else ''}")
