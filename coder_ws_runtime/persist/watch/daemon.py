"""The daemon: it keeps the links true while programs run.

Programs save by writing a new file and renaming it over the old one; over a link, that replaces the
link. The daemon sees it, moves the new content to the volume and puts the link back. Between events
it sleeps; only the sweep, which catches what events may miss, wakes it.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType

from coder_ws_runtime import settings
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.failures import failure_of
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.manifest.files import user_files
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.reconcile.event import LINK_DELETED, NO_EVENT
from coder_ws_runtime.persist.reconcile.settle import Outcome, save, settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_items import prune
from coder_ws_runtime.persist.store.lease import Lease
from coder_ws_runtime.persist.watch.report import WatchReport
from coder_ws_runtime.persist.watch.schedule import Schedule
from coder_ws_runtime.persist.watch.watches import Watches
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.system import journal

SWEEP = 300.0
"""Seconds between sweeps at the most; systemd's watchdog may ask for more often."""

_BLIND_SWEEP = 10.0
"""Seconds between sweeps where the kernel cannot tell us of changes."""
_BUSY = frozenset({"path.in-use", "path.busy"})


class Daemon:
    """`home-persist watch`.

    Args:
        layout: where everything is.
        load: gives the settings, and says itself what is wrong with them.
        env: the environment: ``WATCHDOG_USEC`` of sd_watchdog_enabled(3).
    """

    def __init__(self, layout: Layout, load: Callable[[], Settings], env: Mapping[str, str]) -> None:
        self.layout = layout
        self.load = load
        watchdog = int(env.get("WATCHDOG_USEC") or 0) / 1_000_000
        self.normal_period = min(SWEEP, watchdog / 2) if watchdog else SWEEP
        self.env = env
        self.entries: dict[str, Entry] = {}
        self.schedule = Schedule()
        self.report = WatchReport(layout.watch_report)
        self.signature: tuple[int, ...] = ()
        self.pruned = 0
        """How many things had been put into the attic when it was last kept within its bounds."""
        self.stopping = False
        self.reload = False

    @property
    def period(self) -> float:
        """Seconds between sweeps."""
        return min(_BLIND_SWEEP, self.normal_period) if self.watches.blind else self.normal_period

    def run(self) -> None:
        """Watch until SIGTERM or SIGINT; SIGHUP reads the declarations anew.

        Raises:
            UserError: no home, or no usable volume.
        """
        values = self.load()
        with Session(self.layout, values) as session:
            self.session = session
            session.wait_for_locks = False  # the watchdog does not wait either
            self.workspace_id = values.workspace.id
            lease = Lease(session.volume, self.workspace_id, session.attic.workspace)
            self.watches = Watches(session.home)
            try:
                self._watch_declarations()
                self._loop(lease)
            finally:
                self.watches.close()
                lease.close()

    def _watch_declarations(self) -> None:
        with self.session.volume.directory("manifests") as fd:
            self.watches.watch_manifests(fd)
        with suppress(FileNotFoundError):
            fd = os.open(self.layout.manifest_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self.watches.watch_manifests(fd)
            finally:
                os.close(fd)

    def _loop(self, lease: Lease) -> None:
        wake = self._signals()
        self._declare()
        self._sweep(lease)
        self.session.relink = False
        journal.notify("READY=1")
        swept = time.monotonic()
        while not self.stopping:
            wait = self.schedule.next(swept + self.period) - time.monotonic()
            select.select([wake, *self.watches.descriptors], [], [], max(0.0, wait))
            with suppress(BlockingIOError):
                os.read(wake, 64)
            change = self.watches.changes()
            if change.above:
                self._arm()
            self.schedule.note(change, self.entries, time.monotonic())
            if self.reload or change.manifests:
                self.reload = False
                self._declare()
            if change.overflow:
                journal.log("events were lost, looking at every path", journal.NOTICE)
            if change.overflow or time.monotonic() >= swept + self.period:
                self._sweep(lease)
                swept = time.monotonic()
            self._settle_due()
        journal.notify("STOPPING=1")
        self._last_sweep()

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

    # What is declared -----------------------------------------------------------------------------

    def _declare(self) -> None:
        """Read the declarations and watch for them; new paths are settled at once."""
        self.signature = self._signature()
        self._validate()
        found = load_declarations(self.layout, self.load())
        for error in found.refused:
            journal.log(str(error), journal.WARNING, {"code": error.code, "place": error.place})
        before = self.entries
        self.entries = {entry.path: entry for entry in found.entries}
        for path in before.keys() - self.entries.keys():
            self.schedule.drop(path)
            self.report.forget(path)
        self._arm()
        for path in self.entries.keys() - before.keys():
            self.schedule.at_once(path)

    def _arm(self) -> None:
        """Watch for all paths, and say so when the kernel cannot tell of changes, or can again."""
        before = self.watches.blind
        self.watches.arm(self.entries)
        if self.watches.blind != before:
            text = f"{self.watches.blind}: looking at every path every {self.period:.0f} s instead"
            journal.log(text if self.watches.blind else "changes are told again", journal.WARNING)

    def _declare_anew(self) -> None:
        """Read the declarations if they changed.

        `home-persist remove` takes a path out of them before it puts content in the place of the link:
        that is no save. So this is asked before each path, and not once for a sweep that may take long.
        """
        if self._signature() != self.signature:
            self._declare()

    def _validate(self) -> None:
        """Let a child validate what is new, so that pydantic does not stay in our memory."""
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                load_declarations(self.layout, settings.load(self.layout, self.env))
            os._exit(0)
        os.waitpid(child, 0)

    def _signature(self) -> tuple[int, ...]:
        """Changes when the declarations change."""
        seen: list[int] = []
        for file in (self.layout.manifest_dir, *user_files(self.layout, self.workspace_id)):
            try:
                seen.append(file.stat().st_mtime_ns)
            except OSError:
                seen.append(0)
        return tuple(seen)

    # What happened --------------------------------------------------------------------------------

    def _settle_due(self) -> None:
        for path in self.schedule.ready(time.monotonic()):
            self._declare_anew()
            if self.schedule.drop(path) and path in self.entries:
                alone = not self.schedule.went_with_its_directory(path)
                self._settle(self.entries[path], deleted=alone)

    def _settle(self, entry: Entry, *, deleted: bool = False) -> Outcome:
        began = time.monotonic()
        event = LINK_DELETED if deleted else NO_EVENT
        outcome = settle(self.session, entry, event=event, progress=self.report.alive)
        ended = time.monotonic()
        if outcome.changed and outcome.error is None:
            self.schedule.healed(entry.path, ended)
            self.report.healed(outcome, ended - began)
        self.report.note(entry.path, outcome)
        if outcome.error and outcome.error.code in _BUSY:
            self.schedule.retry(entry.path, ended)
        return outcome

    # Sweeps ---------------------------------------------------------------------------------------

    def _sweep(self, lease: Lease) -> None:
        """Look at every path."""
        self._declare_anew()
        for path in list(self.entries):
            self._declare_anew()
            if path in self.entries:
                self.schedule.drop(path)
                self._settle(self.entries[path])
        if self.watches.blind:
            self._arm()
        try:
            lease.renew()
            self.session.volume.clear_staging()
        except OSError as error:  # what is wrong with the volume is said of each path
            journal.log(str(failure_of(str(self.session.volume.path), error)), journal.WARNING)
        if self.session.attic.count > self.pruned:
            self.pruned = self.session.attic.count
            with suppress(OSError):
                prune(self.session.volume, time.time())
        self._report()

    def _last_sweep(self) -> None:
        """Keep what was saved last; what is still being written is copied as it is."""
        self._declare_anew()
        for entry in self.entries.values():
            outcome = self._settle(entry)
            if outcome.error and outcome.error.code in _BUSY:
                try:
                    save(self.session, entry)
                except (OSError, UserError) as error:
                    journal.log(f"~/{entry.path}: not saved: {error}", journal.ERROR, {"path": entry.path})
        self._report()

    def _report(self) -> None:
        self.report.publish(len(self.entries), self.period, self.watches.blind)
