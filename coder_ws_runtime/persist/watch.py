"""The daemon: it keeps the links true while programs run.

Programs save by writing a new file and renaming it over the old one; over a link, that replaces the
link. The daemon sees it, moves the new content to the volume and puts the link back. Between events
it sleeps; only the sweep, which catches what events may miss, wakes it.
"""

import json
import os
import select
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import FrameType

from coder_ws_runtime import journal, settings
from coder_ws_runtime.errors import UserError
from coder_ws_runtime.fs import inotify
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.attic_items import prune
from coder_ws_runtime.persist.entries import Entry
from coder_ws_runtime.persist.lease import Lease
from coder_ws_runtime.persist.manifest import declared, user_files
from coder_ws_runtime.persist.plan import Row
from coder_ws_runtime.persist.resolve import Outcome, Workspace
from coder_ws_runtime.persist.watches import Change, Watches
from coder_ws_runtime.settings import Settings

SWEEP = 300.0
"""Seconds between sweeps at the most; systemd's watchdog may ask for more often."""

# Seconds after an event until its path is looked at. A rename or the close of a written file is the
# end of a save. A new file is still being written, a new directory being filled, and a name that is
# gone may come back at once.
_AFTER_CREATE = 1.0
_AFTER_DELETE = 1.0
_AFTER_DIRECTORY = 2.0
# A path may be healed this often at once; then once in so many seconds, so that a program that saves
# without end does not flood the attic.
_BURST = 60
_PAUSE = 1.0
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
        self.period = min(SWEEP, watchdog / 2) if watchdog else SWEEP
        self.env = env
        self.entries: dict[str, Entry] = {}
        self.due: dict[str, float] = {}
        self.above: set[str] = set()
        self.budgets: dict[str, tuple[float, float]] = {}
        self.errors: dict[str, str] = {}
        self.heals = 0
        self.last_heal: dict[str, object] | None = None
        self.started = time.time()
        self.signature: tuple[int, ...] = ()
        self.pinged = 0.0
        self.stopping = False
        self.reload = False

    def run(self) -> None:
        """Watch until SIGTERM or SIGINT; SIGHUP reads the declarations anew.

        Raises:
            UserError: no home, or no usable volume.
        """
        values = self.load()
        with Workspace(self.layout, values) as workspace:
            self.workspace = workspace
            workspace.patient = False  # the watchdog does not wait either
            self.workspace_id = values.workspace.id
            lease = Lease(workspace.volume, self.workspace_id, workspace.attic.workspace)
            self.watches = Watches(workspace.home)
            try:
                self._watch_declarations()
                self._loop(lease)
            finally:
                self.watches.close()
                lease.close()

    def _watch_declarations(self) -> None:
        with self.workspace.volume.directory("manifests") as fd:
            self.watches.watch_manifests(fd)
        with suppress(FileNotFoundError):
            fd = os.open(self.layout.manifest_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                self.watches.watch_manifests(fd)
            finally:
                os.close(fd)

    def _loop(self, lease: Lease) -> None:
        wake = self._signals()
        poll = select.poll()
        poll.register(self.watches.inotify.fd, select.POLLIN)
        poll.register(wake, select.POLLIN)
        self._declare()
        self._sweep(lease, running=False)
        journal.notify("READY=1")
        next_sweep = time.monotonic() + self.period
        while not self.stopping:
            wait = min([next_sweep, *self.due.values()]) - time.monotonic()
            poll.poll(max(0.0, wait) * 1000)
            with suppress(BlockingIOError):
                os.read(wake, 64)
            change = self.watches.changes()
            self._take(change)
            if self.reload or change.manifests:
                self.reload = False
                self._declare()
            if change.overflow:
                journal.log("events were lost, looking at every path", journal.NOTICE)
            if change.overflow or time.monotonic() >= next_sweep:
                self._sweep(lease, running=True)
                next_sweep = time.monotonic() + self.period
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
        found = declared(self.layout, self.load())
        for error in found.refused:
            journal.log(str(error), journal.WARNING, {"code": error.code, "place": error.place})
        before = self.entries
        self.entries = {entry.path: entry for entry in found.entries}
        for path in before.keys() - self.entries.keys():
            self.due.pop(path, None)
            self.errors.pop(path, None)
        self.watches.arm(self.entries)
        for path in self.entries.keys() - before.keys():
            self.due[path] = 0.0

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
                declared(self.layout, settings.load(self.layout, self.env))
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

    def _take(self, change: Change) -> None:
        """Note when the paths of events are to be looked at."""
        now = time.monotonic()
        if change.above:
            self.watches.arm(self.entries)
            self.above |= change.above
        for path, mask in change.paths.items():
            if path not in self.entries:
                continue
            if mask & inotify.DIRECTORY:
                self.due[path] = now + _AFTER_DIRECTORY
                continue
            if mask & (inotify.MOVED_TO | inotify.CLOSE_WRITE):
                delay = 0.0
            elif mask & (inotify.DELETE | inotify.MOVED_FROM):
                delay = _AFTER_DELETE
            else:
                delay = _AFTER_CREATE
            when = now + max(delay, self._wait(path, now))
            self.due[path] = min(self.due.get(path, when), when)

    def _settle_due(self) -> None:
        now = time.monotonic()
        paths = [path for path, when in self.due.items() if when <= now]
        for path in paths:
            self._declare_anew()
            if self.due.pop(path, None) is not None and path in self.entries:
                # A link that went with its directory was not deleted by itself.
                self._settle(self.entries[path], running=path not in self.above)
                self.above.discard(path)

    def _settle(self, entry: Entry, *, running: bool) -> Outcome:
        began = time.monotonic()
        outcome = self.workspace.settle(entry, running=running, progress=self._alive)
        ended = time.monotonic()
        if outcome.changed and outcome.error is None:
            self._healed(outcome, began, ended)
        self._note(entry.path, outcome)
        if outcome.error and outcome.error.code in _BUSY:
            self.due[entry.path] = ended + _PAUSE
        return outcome

    def _alive(self, _: int) -> None:
        """Tell systemd during a long copy that we are alive."""
        now = time.monotonic()
        if now - self.pinged > 1:
            self.pinged = now
            journal.notify("WATCHDOG=1")

    def _wait(self, path: str, now: float) -> float:
        """Seconds until a path may be healed again: 0 while it has some of its budget left."""
        left, then = self.budgets.get(path, (_BURST, now))
        left = min(_BURST, left + (now - then) / _PAUSE)
        self.budgets[path] = (left, now)
        return 0.0 if left >= 1 else (1 - left) * _PAUSE

    def _healed(self, outcome: Outcome, began: float, ended: float) -> None:
        path = outcome.entry.path
        left, then = self.budgets.get(path, (_BURST, ended))
        self.budgets[path] = (left - 1, then)
        if outcome.row is Row.LINKED:
            return
        self.heals += 1
        milliseconds = round((ended - began) * 1000, 1)
        self.last_heal = {"path": path, "row": outcome.row.name.lower(), "time": time.time()}
        fields = {"path": path, "row": outcome.row.name.lower(), "milliseconds": milliseconds}
        if outcome.attic:
            fields["attic"] = outcome.attic
        journal.log(f"~/{path}: {outcome.row.value}", journal.INFO, fields)

    def _note(self, path: str, outcome: Outcome) -> None:
        """Say what is wrong with a path, once, and when it is well again."""
        text = str(outcome.error) if outcome.error else outcome.problem
        if text == self.errors.get(path, ""):
            return
        if text:
            self.errors[path] = text
            journal.log(text, journal.WARNING, {"path": path, "row": outcome.row.name.lower()})
        else:
            del self.errors[path]
            journal.log(f"~/{path}: well again", journal.INFO, {"path": path})

    # Sweeps ---------------------------------------------------------------------------------------

    def _sweep(self, lease: Lease, *, running: bool) -> None:
        """Look at every path."""
        self._declare_anew()
        for path in list(self.entries):
            self._declare_anew()
            if path in self.entries:
                self.due.pop(path, None)
                self._settle(self.entries[path], running=running)
        lease.renew()
        self.workspace.volume.clear_staging()
        if self.workspace.attic.used:
            self.workspace.attic.used = False
            with suppress(OSError):
                prune(self.workspace.volume, time.time())
        self._report()

    def _last_sweep(self) -> None:
        """Keep what was saved last; what is still being written is copied as it is."""
        self._declare_anew()
        for entry in self.entries.values():
            outcome = self._settle(entry, running=False)
            if outcome.error and outcome.error.code in _BUSY:
                try:
                    self.workspace.save(entry)
                except (OSError, UserError) as error:
                    journal.log(f"~/{entry.path}: not saved: {error}", journal.ERROR, {"path": entry.path})
        self._report()

    def _report(self) -> None:
        """Tell systemd and the doctor how it goes."""
        count = len(self.entries)
        state = f"{count} paths, {self.heals} healed, {len(self.errors)} with problems"
        journal.notify(f"WATCHDOG=1\nSTATUS={state}")
        document = {
            "version": 1,
            "pid": os.getpid(),
            "started": self.started,
            "last_sweep": time.time(),
            "period": self.period,
            "paths": count,
            "heals": self.heals,
            "last_heal": self.last_heal,
            "problems": self.errors,
        }
        file = self.layout.watch_report
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_suffix(".tmp")
            temporary.write_text(json.dumps(document))
            temporary.replace(file)
