"""Progress of long work: a bar on a terminal, otherwise a line every few seconds. And handling of Ctrl-C."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from coder_ws_runtime.cli import render
from coder_ws_runtime.cli.process import Interrupted
from coder_ws_runtime.cli.width import shorten
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.persist.monitor import Monitor
from coder_ws_runtime.text import plural

TYPE_CHECKING = False
if TYPE_CHECKING:
    import threading
    from typing import Any

_FIRST = 1.0
"""How many seconds work may take before anything is shown."""
_BAR_PERIOD = 0.2
_LINE_PERIOD = 5.0
_WIDE = 80
_BAR, _SHORT_BAR = 20, 6
"""Columns of the bar itself, on a wide terminal and on others."""
_BESIDE = 24
"""Columns of the rest of the line apart from the label: brackets, percentage, remaining time."""
_FLUSHING = ", waiting for the disk"
_ERASE = "\r\x1b[K\x1b[?25h"
"""Erases the line and shows the cursor, which click hides (console_codes(4))."""


class Progress(Monitor):
    """Shows the progress of long work.

    It uses a thread of its own: the last step, which may take long, is one system call that waits for the
    disk.

    Args:
        first: seconds before anything is shown.
        period: seconds between two lines if there is no terminal.
    """

    def __init__(self, *, first: float = _FIRST, period: float = _LINE_PERIOD) -> None:
        super().__init__()
        self._first = first
        self._bar_wanted = render.terminal(sys.stderr)
        self._period = _BAR_PERIOD if self._bar_wanted else period
        self._done = 0
        self._over: threading.Event | None = None
        self._thread: threading.Thread | None = None

    def advance(self, count: int) -> None:
        """This many more bytes, or files, are done."""
        self._done += count

    def begin(self, total: Callable[[], int] | None, *, files: bool) -> None:
        """Work on `at` starts."""
        import threading  # noqa: PLC0415 - most runs have nothing to show

        self._done = 0
        self._over = threading.Event()
        arguments = (self._over, self.at, total, files)
        self._thread = threading.Thread(target=self._show, args=arguments, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """That work has ended."""
        if self._over and self._thread:
            self._over.set()
            self._thread.join()
            self._thread = None

    def _show(
        self,
        over: threading.Event,
        what: str,
        total: Callable[[], int] | None,
        files: bool,  # noqa: FBT001 - of the thread
    ) -> None:
        if over.wait(self._first):
            return
        if total is None:
            render.note(f"{what}: waiting for the daemon or another command that works on it")
            return
        whole = max(total(), self._done, 1)
        if self._bar_wanted:
            self._show_bar(over, what, whole, files=files)
        else:
            self._show_lines(over, what, whole, files=files)

    def _show_bar(self, over: threading.Event, what: str, whole: int, *, files: bool) -> None:
        import click  # noqa: PLC0415 - slow to import, and only a terminal needs it

        columns = render.columns_of(sys.stderr)
        width = _BAR if columns >= _WIDE else _SHORT_BAR
        room = columns - width - _BESIDE
        much = f", {plural(whole, 'file')}" if files else f", {render.size(whole)}"
        label = shorten(what + much, room)
        bar: Any = click.progressbar(length=whole, label=label, file=sys.stderr, width=width)
        bar.start = time.time() - self._first
        shown = 0
        while not over.wait(self._period):
            done = min(self._done, whole)
            if done == whole:
                bar.label = shorten(what + _FLUSHING, room)
            bar.update(done - shown)
            bar.render_progress()
            shown = done
        # The command itself reports what was done; a bar that stays would show an outdated number.
        sys.stderr.write(_ERASE)
        sys.stderr.flush()

    def _show_lines(self, over: threading.Event, what: str, whole: int, *, files: bool) -> None:
        while True:
            done = min(self._done, whole)
            how = f"{done} of {whole} files" if files else f"{render.size(done)} of {render.size(whole)}"
            waits = ", waiting for the disk" if done == whole else ""
            render.note(f"{what}: {how}{waits}", {"done": done, "total": whole})
            if over.wait(self._period):
                return


@contextmanager
def show_progress(
    *, rerun: str, quiet: bool = False, interrupted: Callable[[], str] = str
) -> Iterator[Monitor]:
    """A monitor for the work of a command. Ctrl-C and SIGTERM end the work cleanly.

    Args:
        rerun: the command that continues the work.
        quiet: show nothing.
        interrupted: what else to tell a user who interrupted it; by default nothing.

    Raises:
        Interrupted: it was interrupted; the user has been told what is done and how to continue.
    """
    monitor = Monitor() if quiet else Progress()
    former = _let_sigterm_interrupt()
    try:
        yield monitor
    except KeyboardInterrupt:
        if render.terminal(sys.stderr):  # the line has ^C in it
            print(file=sys.stderr)  # noqa: T201 - only cli prints
        render.complain(
            UserError(
                _how_far(monitor),
                code="cli.interrupted",
                hint=f"nothing is lost; to continue: {rerun}{interrupted()}",
            )
        )
        raise Interrupted from None
    finally:
        if former is not None:
            signal.signal(signal.SIGTERM, former)


def _how_far(monitor: Monitor) -> str:
    at = f" at {monitor.at}" if monitor.at else ""
    if not monitor.paths:
        return f"interrupted{at}"
    return f"interrupted{at}; {monitor.settled} of {monitor.paths} paths are in place"


def _let_sigterm_interrupt() -> Any:  # noqa: ANN401 - what signal.signal returns
    """The former handler of SIGTERM; None if it was not changed."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        return signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not in the main thread
        return None
