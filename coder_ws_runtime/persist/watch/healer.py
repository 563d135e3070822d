"""Settle the paths for which the kernel reported events: small ones at once, large ones in the worker."""

import time
from collections.abc import Mapping
from contextlib import suppress

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.usage import measure
from coder_ws_runtime.persist.manifest.entry import Child, Entry
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.event import NO_EVENT, Fate, LinkEvent
from coder_ws_runtime.persist.reconcile.refusals import unforeseen_error
from coder_ws_runtime.persist.reconcile.settle import Outcome
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_items import restore
from coder_ws_runtime.persist.watch.change import Change, Sign
from coder_ws_runtime.persist.watch.children import settle_with_children
from coder_ws_runtime.persist.watch.link_events import LinkEvents
from coder_ws_runtime.persist.watch.report import WatchReport
from coder_ws_runtime.persist.watch.schedule import Schedule
from coder_ws_runtime.persist.watch.size import is_small
from coder_ws_runtime.persist.watch.worker import Worker
from coder_ws_runtime.system import journal

_PATIENCE = 1.0
"""How many seconds an interrupted worker may take to discard its partial copy."""


class Healer:
    """What is known about each path from an event until it is settled.

    Args:
        session: home and volume, opened.
        report: takes what was done.
    """

    def __init__(self, session: Session, report: WatchReport) -> None:
        self.session = session
        self.report = report
        self.schedule = Schedule()
        self.events = LinkEvents(session)
        self.worker = Worker()
        self.entries: Mapping[str, Entry] = {}
        self.children: tuple[Child, ...] = ()
        """Directories inside shared ones that are this workspace's own."""
        self.awaited: dict[str, str] = {}
        """Files that neither side has, by declared path: their path on the volume."""
        self._queue: dict[str, None] = {}
        """Paths that wait for the worker, in order."""
        self._deleted: dict[str, str] = {}
        """The attic's batch with what the owner lost because of a deletion here."""
        self.has_news = False
        """Whether the last path was left because of an event that is still to be read."""
        self._work_event = NO_EVENT
        self._work_sign: Sign | None = None

    def declare(self, entries: Mapping[str, Entry]) -> None:
        """Set the declared paths."""
        for path in self.entries.keys() - entries.keys():
            self.schedule.forget(path)
            self.events.forget(path)
            self.report.forget(path)
            self._queue.pop(path, None)
            self.awaited.pop(path, None)
        self.entries = self.events.entries = entries

    # What happened --------------------------------------------------------------------------------

    def note(self, change: Change, now: float) -> None:
        """Record what events said."""
        self.events.note(change)
        for path, sign in change.signs.items():
            if path in self.entries:
                self.schedule.note(path, sign, now)

    def look_if_there(self, path: str) -> None:
        """Check a path whose directory was not watched until now, if something is there."""
        try:
            there = self.session.home.status(path) is not None
        except OSError:
            there = True
        if there and path in self.entries:
            self.schedule.note(path, Sign.SAVED, time.monotonic())

    # Settling -------------------------------------------------------------------------------------

    def is_waiting(self, path: str) -> bool:
        """Whether a path will be checked anyway."""
        return self._is_at_work(path) or self.schedule.is_due(path)

    def _is_at_work(self, path: str) -> bool:
        return path in self._queue or (self.worker.entry is not None and self.worker.entry.path == path)

    def settle(self, entry: Entry) -> None:
        """Settle one path: at once if it is small, otherwise when the worker is free."""
        self._settle_before(entry.path)
        place = self.events.next_place(entry.path)
        if self._is_at_work(place):  # it is making room
            self._queue[entry.path] = None
        elif place in self.entries and self.events.next_place(place):  # it could not make room
            self.schedule.retry(entry.path, time.monotonic(), 0.0)
        else:
            self._settle_one(entry)

    def _settle_one(self, entry: Entry) -> None:
        self.schedule.take(entry.path)
        event = self.events.event(entry.path)
        if self._is_small(entry, event):
            self.has_news, began = False, time.monotonic()
            outcome = self._try(entry, event)
            if outcome.changed or not self.has_news:
                self._note_outcome(outcome, event, time.monotonic() - began)
            if self.has_news:  # it has ended before all was done
                self.schedule.look_now(entry.path)
        else:
            self._queue[entry.path] = None
            self.run_worker()

    def run_worker(self) -> None:
        """Take the worker's result if it has ended, and give it the next path."""
        if self.worker.entry is not None:
            if not self.worker.has_ended():
                return
            self._note_work(self.worker.finish())
        for path in list(self._queue):
            del self._queue[path]
            if self.session.has_news(path):
                self.schedule.look_now(path)
            elif path in self.entries:
                self._start_work(self.entries[path], last=False)
                return

    def _start_work(self, entry: Entry, *, last: bool) -> None:
        event = self._work_event = self.events.event(entry.path)
        self._work_sign = self.events.sign(entry.path)
        self.events.take(entry.path)
        self.worker.start(entry, lambda: self._in_child(entry, event, last=last))

    def _note_work(self, outcome: Outcome) -> None:
        if outcome.error and self._work_sign:
            self.events.note_again(outcome.entry.path, self._work_sign)
        self._note_outcome(outcome, self._work_event, self.worker.seconds, in_worker=True)

    def _settle_before(self, path: str) -> None:
        """First settle what was renamed in the same turn: `mv log.1 log.2; mv log log.1`.

        The content of a path makes room before another's is renamed to it. A link that was renamed to this
        path belongs to the other one.
        """
        place = self.events.next_place(path)
        if place in self.entries and self.events.next_place(place):
            self.settle(self.entries[place])
        sources = list(self.events.sources(path))
        if sources and place:
            self._settle_one(self.entries[path])
        for source in sources:
            self.settle(self.entries[source])

    def _is_small(self, entry: Entry, event: LinkEvent) -> bool:
        """Whether a path can be settled in a moment: a link, nothing, or little content."""
        with suppress(OSError):  # `settle` reports the error
            copied = event.fate is Fate.MOVED and event.entry is None  # otherwise it is renamed
            if copied and not is_small(self.session.volume.anchor, entry.on_volume):
                return False
            return is_small(self.session.home, entry.path)
        return True

    def _try(self, entry: Entry, event: LinkEvent) -> Outcome:
        self.session.ledger.refresh()  # commands make links, too
        try:
            return settle_with_children(self.session, entry, self.children, event)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this path and not the daemon
            return Outcome(entry, Decision.FAILED, error=unforeseen_error(entry, error))

    def _in_child(self, entry: Entry, event: LinkEvent, *, last: bool) -> Outcome:
        with Session(self.session.layout, self.session.settings) as session:
            session.wait_for_locks = self.session.wait_for_locks
            session.volume.lock_wait = self.session.volume.lock_wait
            session.relink = self.session.relink
            try:
                outcome = settle_with_children(session, entry, self.children, event)
            except Exception as error:  # noqa: BLE001 - as above
                return Outcome(entry, Decision.FAILED, error=unforeseen_error(entry, error))
            if not last:
                return outcome
            from coder_ws_runtime.persist.reconcile.save import save_open  # noqa: PLC0415 - only at the end

            return save_open(session, outcome)

    def _note_outcome(
        self, outcome: Outcome, event: LinkEvent, seconds: float, *, in_worker: bool = False
    ) -> None:
        """Continue from the result for a path.

        Args:
            outcome: from `settle`.
            event: the event that `settle` was given.
            seconds: how long it took.
            in_worker: whether the worker did it: new events may have come since, and it used the disk.
        """
        path, now = outcome.entry.path, time.monotonic()
        if path not in self.entries:
            return
        diverted = outcome.decision is Decision.DIVERTED and outcome.error is None
        link = f"{self.session.volume.path}/{outcome.entry.on_volume}"
        self.events.note_settled(path, link, diverted=diverted)
        self.report.note(path, outcome)
        if outcome.decision is Decision.WAIT:
            self.awaited[path] = outcome.entry.on_volume
        else:
            self.awaited.pop(path, None)
        if outcome.error:
            self.schedule.retry(path, now, seconds if in_worker else 0.0)
            return
        if not in_worker:
            self.events.take(path)
        self._undo_deletion(outcome)
        self.schedule.settled(path, now, changed=outcome.changed)
        if outcome.changed:
            self.report.healed(outcome, seconds)
        for other in event.turn:
            self.schedule.look_now(other.path)

    def _undo_deletion(self, outcome: Outcome) -> None:
        """Restore the owner's file if a user's own link replaced it: its deletion was not intended."""
        path = outcome.entry.path
        if outcome.decision is Decision.DELETED and outcome.attic:
            self._deleted[path] = outcome.attic
        elif outcome.decision is Decision.DIVERTED and path in self._deleted:
            batch = self._deleted.pop(path)
            try:
                restore(self.session.attic, batch, path, outcome.entry.on_volume, force=False)
            except UserError as error:
                journal.log(str(error), journal.WARNING, {"path": path, "code": error.code})
            else:
                journal.log(f"~/{path}: is your own link now; the volume's copy was restored", journal.NOTICE)
        elif outcome.changed:
            self._deleted.pop(path, None)

    # The end --------------------------------------------------------------------------------------

    def finish(self, until: float) -> None:
        """Settle everything before the daemon ends, small paths first; open files are copied as they are.

        Args:
            until: when it has to end, in seconds on the monotonic clock.
        """
        from coder_ws_runtime.persist.reconcile.save import save_open  # noqa: PLC0415 - only at the end

        if self.worker.entry is not None:
            self._note_work(self.worker.interrupt(_PATIENCE))
        self.events.find_moved()
        large: list[Entry] = []
        for path in sorted(self.entries, key=lambda path: self.events.sign(path) is None):
            entry = self.entries[path]
            event = self.events.event(path)
            if time.monotonic() > until or not self._is_small(entry, event):
                large.append(entry)
                continue
            self._settle_before(path)
            outcome = save_open(self.session, self._try(entry, self.events.event(path)))
            self._note_outcome(outcome, event, 0.0)
        for entry in sorted(large, key=self._size):
            self._finish_large(entry, until)

    def _finish_large(self, entry: Entry, until: float) -> None:
        left = until - time.monotonic()
        if left > 0:
            self._start_work(entry, last=True)
            if self.worker.wait(left):
                self._note_work(self.worker.finish())
                return
            self.worker.interrupt(_PATIENCE)
        error = RefusedError(
            "too large to be saved before the workspace stops; what is only in the home is lost with it",
            code="path.not-saved",
            place=f"~/{entry.path}",
        )
        self.report.note(entry.path, Outcome(entry, Decision.FAILED, error=error))

    def _size(self, entry: Entry) -> int:
        """The bytes that the home has of a path."""
        with suppress(OSError), self.session.home.parent(entry.path) as (fd, name):
            return measure(fd, name).size
        return 0

    def close(self) -> None:
        """Close the descriptors."""
        if self.worker.entry is not None:
            self.worker.interrupt(_PATIENCE)
        self.events.links.close()
