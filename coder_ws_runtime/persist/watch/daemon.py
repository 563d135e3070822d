"""The daemon, which keeps the links in place while programs run.

Programs save by writing a new file and renaming it over the old one. If the path is a link, that replaces the
link. The daemon notices it, moves the new content to the volume and restores the link. Between events it
sleeps; only the sweep, which finds what events may have missed, wakes it.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType

from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import Declarations as Found
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.scope_changes import CODE, find_scope_changes, follow_scope_change
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.watch.change import Sign
from coder_ws_runtime.persist.watch.declarations import POLL, Declarations
from coder_ws_runtime.persist.watch.healer import Healer
from coder_ws_runtime.persist.watch.report import WatchReport
from coder_ws_runtime.persist.watch.size import is_small
from coder_ws_runtime.persist.watch.upkeep import Upkeep
from coder_ws_runtime.persist.watch.watches import Watches
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.system import journal

SWEEP = 300.0
"""The longest time between sweeps, in seconds; systemd's watchdog may require shorter ones."""

_UNWATCHED_SWEEP = 10.0
"""Seconds between sweeps if the kernel cannot report changes."""
_LOCK_WAIT = 0.2
"""How many seconds to wait for another workspace that works on the same path; other paths wait too."""
_TURN = 0.02
"""After this many seconds, a sweep is interrupted to handle events."""
_IDLE = 1.0
"""After this many seconds without an event, what may take a moment is done: no save should wait for it."""
_STOP = 12.0
"""How many seconds the last sweep may take; the unit's TimeoutStopSec is longer."""


class Daemon:
    """`home-persist watch`.

    Args:
        layout: the workspace's.
        load: returns the settings, and reports what is wrong with them.
        env: the environment: ``WATCHDOG_USEC`` of sd_watchdog_enabled(3).
    """

    def __init__(self, layout: Layout, load: Callable[[], Settings], env: Mapping[str, str]) -> None:
        self.layout = layout
        self.load = load
        watchdog = int(env.get("WATCHDOG_USEC") or 0) / 1_000_000
        self.normal_period = min(SWEEP, watchdog / 2) if watchdog else SWEEP
        self.env = env
        self.entries: dict[str, Entry] = {}
        self.report = WatchReport(layout.watch_report)
        self.signature: object = None
        self.swept = 0.0
        """When every path was last checked, in seconds on the monotonic clock."""
        self.stopping = False
        self.reload = False

    @property
    def period(self) -> float:
        """Seconds between sweeps."""
        return min(_UNWATCHED_SWEEP, self.normal_period) if self.watches.inotify_error else self.normal_period

    def run(self) -> None:
        """Watch until SIGTERM or SIGINT; SIGHUP reads the declarations again.

        Raises:
            UserError: no home, or no usable volume.
        """
        with Session(self.layout, self.load()) as session:
            self.session = session
            session.wait_for_locks = False  # a locked path is tried again later
            session.volume.lock_wait = _LOCK_WAIT
            self.declarations = Declarations(self.layout, session)
            self.watches = Watches(session.home, session.volume.anchor)
            self.healer = Healer(session, self.report)
            session.has_news = self._has_news
            session.follow_link = self.healer.events.follow_new
            self.upkeep = Upkeep(session)
            try:
                for fd in self.declarations.directories():
                    self.watches.watch_manifests(fd)
                self._loop()
            finally:
                self.healer.close()
                self.watches.close()
                self.declarations.close()
                self.upkeep.close(stopped=self.stopping)

    def _loop(self) -> None:
        wake = self._signals()
        self._declare()
        self.healer.events.find_renamed(deep=True)
        self._sweep()
        self.session.relink = False  # from now on, events say why a link is missing
        journal.notify("READY=1")
        self.swept = polled = time.monotonic()
        while not self.stopping:
            until = self.healer.schedule.next(self.swept + self.period)
            if self.declarations.must_poll:
                until = min(until, polled + POLL)
            idle = time.monotonic() + _IDLE if self.upkeep.attic_is_due else until
            if not self._wait(wake, min(until, idle)) and idle < until:
                self.upkeep.keep_bounds()
            self._take_events()
            now = time.monotonic()
            if self.reload:
                self.reload = False
                self._declare()
            elif self.declarations.must_poll and now >= polled + POLL:
                polled = now
                self.upkeep.check_lease()
                self._declare_if_changed()
            if now >= self.swept + self.period:
                self._sweep()
                self.swept = time.monotonic()
            self._heal()
        journal.notify("STOPPING=1")
        self._stop()

    def _signals(self) -> int:
        """Let signals wake the loop; returns the descriptor that becomes readable."""
        reading, writing = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

        def stop(_: int, __: FrameType | None) -> None:
            self.stopping = True

        def reload(_: int, __: FrameType | None) -> None:
            self.reload = True

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGHUP, reload)
        return reading

    def _wait(self, wake: int, until: float) -> bool:
        """Sleep until a signal, an event, the end of the worker, or a time on the monotonic clock.

        Returns whether something happened, and not only time passed.
        """
        poll = select.poll()
        for fd in (wake, self.healer.worker.fd, *self.watches.descriptors):
            if fd >= 0:
                poll.register(fd, select.POLLIN)
        if self.watches.has_unread:  # the kernel does not tell about it again
            until = 0.0
        happened = poll.poll(max(0, int((until - time.monotonic()) * 1000)))
        if not happened:  # poll(2) takes whole milliseconds
            time.sleep(max(0.0, until - time.monotonic()))
        with suppress(BlockingIOError):
            os.read(wake, 64)
        return bool(happened) or self.watches.has_unread

    # What is declared -----------------------------------------------------------------------------

    def _declare(self) -> None:
        """Read the declarations and watch for them; new paths are settled at once."""
        self.signature = self.declarations.signature()
        self.declarations.validate(self.env)
        try:
            found = load_declarations(self.layout, self.load())
        except Exception as bug:  # noqa: BLE001 - what was declared before still counts
            text = f"the declarations cannot be read: {type(bug).__name__}: {bug}"
            journal.log(text, journal.ERROR, {"code": "watch.unforeseen"})
            return
        for error in found.refused:
            journal.log(str(error), journal.WARNING, {"code": error.code, "place": error.place})
        self._follow_scope_changes(found)
        before = self.entries
        self.entries = {entry.path: entry for entry in found.entries}
        self.healer.declare(self.entries)
        self.upkeep.children = self.healer.children = found.children
        self._watch(None)
        for path in self.entries.keys() - before.keys():
            self.healer.schedule.look_now(path)
        self.swept = 0.0  # a sweep follows

    def _follow_scope_changes(self, found: Found) -> None:
        """Let content follow a changed scope, or it is gone from sight; what is large waits for a resolve."""
        try:
            for change in list(find_scope_changes(self.session, found)):
                if is_small(self.session.volume.anchor, change.former):
                    done = follow_scope_change(self.session, change, found)
                    text = f"~/{change.entry.path}: its scope is {change.entry.scope.value} now"
                    level = journal.WARNING if done.error else journal.NOTICE
                    journal.log(str(done.error) if done.error else text, level, {"code": CODE})
        except Exception as bug:  # noqa: BLE001 - the next resolve reports it
            journal.log(f"scopes: {type(bug).__name__}: {bug}", journal.ERROR, {"code": "watch.unforeseen"})

    def _declare_if_changed(self) -> None:
        """Read the declarations if they changed.

        `home-persist remove` removes a path from them before it replaces the link with content, which is not
        a save. So they are read before each path, not once for a sweep that may take long.
        """
        if self.declarations.signature() != self.signature:
            self._declare()

    def _watch(self, stale: set[str] | None) -> None:
        """Watch for all paths, or below some directories again; report if inotify fails, or works again."""
        before = self.watches.inotify_error
        if stale is None:
            self.watches.watch(self.entries)
        else:
            for path in self.watches.watch_again(stale):
                self.healer.look_if_there(path)
        if self.watches.inotify_error != before:
            text = f"{self.watches.inotify_error}: checking all paths every {self.period:.0f} s instead"
            journal.log(
                text if self.watches.inotify_error else "the kernel reports changes again",
                journal.WARNING,
                {"code": "watch.inotify"},
            )

    # What happened --------------------------------------------------------------------------------

    def _has_news(self, path: str) -> bool:
        """As `Session.has_news`."""
        unread = self.watches.peek(path)
        # The rename of another path may explain it, too: the link was renamed more than once.
        renamed = bool(unread.moved) or unread.overflow
        self.healer.has_news = renamed or unread.signs.get(path) is Sign.DELETED
        return self.healer.has_news

    def _take_events(self) -> None:
        """Record what the kernel reported."""
        now = time.monotonic()
        change = self.watches.changes()
        if change.stale:
            self._watch(change.stale)
        if change.overflow:
            journal.log("events were lost, checking all paths", journal.NOTICE, {"code": "watch.events-lost"})
            self._watch(None)
            self.healer.events.find_moved()
            for path in self.entries:
                if not self.healer.is_waiting(path):
                    self.healer.schedule.look_now(path)
        self.healer.note(change, now)
        for path in change.arrived & self.entries.keys():
            self.healer.schedule.look_now(path)
        if change.manifests:
            self._declare()

    def _heal(self) -> None:
        """Settle what is due: small paths here, the others one after another in the worker."""
        self.healer.run_worker()
        for path in self.healer.schedule.ready(time.monotonic()):
            self._declare_if_changed()
            if path in self.entries:
                self.healer.settle(self.entries[path])
        for path in self.watches.await_files(self.healer.awaited):
            self.healer.schedule.look_now(path)

    # Sweeps ---------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Check every path that is not due anyway, and maintain our own files."""
        if self.watches.inotify_error:
            self._watch(None)
        self.upkeep.hold_lease()
        self._declare_if_changed()
        self.healer.events.find_moved()
        turn = time.monotonic()
        for path in list(self.entries):
            if self.stopping:
                return
            if time.monotonic() > turn + _TURN:
                self._take_events()
                self._heal()
                turn = time.monotonic()
            self._declare_if_changed()
            if path in self.entries and not self.healer.is_waiting(path):
                self.healer.settle(self.entries[path])
        self._heal()
        self.upkeep.run()
        self._report()

    def _stop(self) -> None:
        """Keep what was saved last."""
        self._declare_if_changed()
        self.healer.note(self.watches.changes(), time.monotonic())
        self.session.has_news = lambda _: False  # no event is read after these
        self.healer.finish(time.monotonic() + _STOP)
        self.upkeep.settle_children()  # later, another workspace may have written there
        self._report()

    def _report(self) -> None:
        self.report.publish(len(self.entries), self.period, self.watches.inotify_error)
