"""What the daemon says of its work: to the journal, to systemd, and to the doctor."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime.persist.reconcile.plan import Decision
from coder_ws_runtime.persist.reconcile.settle import Outcome
from coder_ws_runtime.system import journal


class WatchReport:
    """What was healed, and what is wrong.

    Args:
        file: where the doctor reads it.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: dict[str, str] = {}
        """By path."""
        self.heals = 0
        self.last_heal: dict[str, object] | None = None
        self.started = time.time()
        self.pinged = 0.0

    def alive(self, _: int = 0) -> None:
        """Tell systemd during a long copy that we are alive."""
        now = time.monotonic()
        if now - self.pinged > 1:
            self.pinged = now
            journal.notify("WATCHDOG=1")

    def healed(self, outcome: Outcome, seconds: float) -> None:
        """A path was made true, which took so long."""
        if outcome.decision is Decision.LINKED:
            return
        path, row = outcome.entry.path, outcome.decision.name.lower()
        self.heals += 1
        self.last_heal = {"path": path, "row": row, "time": time.time()}
        fields = {"path": path, "row": row, "milliseconds": round(seconds * 1000, 1)}
        if outcome.attic:
            fields["attic"] = outcome.attic
        journal.log(f"~/{path}: {outcome.decision.text}", journal.INFO, fields)

    def note(self, path: str, outcome: Outcome) -> None:
        """Say what is wrong with a path, once, and when it is well again."""
        text = str(outcome.error) if outcome.error else outcome.problem
        if text == self.problems.get(path, ""):
            return
        if text:
            self.problems[path] = text
            journal.log(text, journal.WARNING, {"path": path, "row": outcome.decision.name.lower()})
        else:
            del self.problems[path]
            journal.log(f"~/{path}: well again", journal.INFO, {"path": path})

    def forget(self, path: str) -> None:
        """A path is declared no more."""
        self.problems.pop(path, None)

    def publish(self, paths: int, period: float, blind: str) -> None:
        """Tell systemd and the doctor how it goes.

        Args:
            paths: how many are declared.
            period: seconds between looks at all of them.
            blind: why the kernel does not tell of changes; empty if it does.
        """
        state = f"{paths} paths, {self.heals} healed, {len(self.problems)} with problems"
        journal.notify(f"WATCHDOG=1\nSTATUS={state}{f'; {blind}' if blind else ''}")
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
            "blind": blind,
        }
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True)
            temporary = self.file.with_suffix(".tmp")
            temporary.write_text(json.dumps(document))
            temporary.replace(self.file)
