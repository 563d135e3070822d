"""Settle the paths of which the kernel reported something, and know what became of their links."""

import os
import time
from collections.abc import Mapping
from contextlib import suppress

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.fs.usage import measure
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.reconcile.actions import Decision
from coder_ws_runtime.persist.reconcile.event import (
    LINK_DELETED,
    LINK_DEPARTED,
    NO_EVENT,
    Fate,
    LinkEvent,
    link_moved,
)
from coder_ws_runtime.persist.reconcile.settle import Outcome, save, settle
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_items import restore
from coder_ws_runtime.persist.watch.links import Links, State
from coder_ws_runtime.persist.watch.report import WatchReport
from coder_ws_runtime.persist.watch.schedule import Schedule
from coder_ws_runtime.persist.watch.search import has_new_link, mount_points
from coder_ws_runtime.persist.watch.size import is_small
from coder_ws_runtime.persist.watch.watches import Change, Sign
from coder_ws_runtime.persist.watch.worker import Worker
from coder_ws_runtime.system import journal

_PATIENCE = 1.0
"""Seconds in which an interrupted worker discards its partial copy."""
_IN_USE = frozenset({"path.in-use", "path.busy"})


class Healer:
    """What is known of each path between events and the time when it is settled.

    Args:
        session: home and volume, opened.
        report: where it says what it did.
    """

    def __init__(self, session: Session, report: WatchReport) -> None:
        self.session = session
        self.report = report
        self.schedule = Schedule()
        self.links = Links(session.home)
        self.worker = Worker()
        self.entries: Mapping[str, Entry] = {}
        self._signs: dict[str, Sign] = {}
        """The latest event of a path itself, since it was settled."""
        self._renamed: dict[str, str] = {}
        self._above: set[str] = set()
        self._departed: set[str] = set()
        """Paths whose link may be somewhere else."""
        self._queue: dict[str, None] = {}
        """Paths that wait for the worker, in their order."""
        self._deleted: dict[str, str] = {}
        """The batch of the attic with what the owner lost by a deletion here."""
        self._work_event = NO_EVENT
        self._work_sign: Sign | None = None

    def declare(self, entries: Mapping[str, Entry]) -> None:
        """These paths are declared, and no others."""
        for path in self.entries.keys() - entries.keys():
            self.schedule.forget(path)
            self.links.forget(path)
            self.report.forget(path)
            self._queue.pop(path, None)
            self._take_events(path)
        self.entries = entries

    # What happened --------------------------------------------------------------------------------

    def note(self, change: Change, now: float) -> None:
        """Note what events said."""
        above = change.above & self.entries.keys()
        self._above |= above
        self._departed |= above
        for path, sign in change.signs.items():
            if path not in self.entries:
                continue
            if sign is not Sign.ABOVE:
                self._signs[path] = sign
                self._renamed.pop(path, None)
            if sign is Sign.MOVED:
                self._departed.add(path)
            self.schedule.note(path, sign, now)
        for path, place in change.renamed.items():
            if path in self.entries:
                self._renamed[path] = place

    def find_moved(self) -> None:
        """Look for links that were moved, all of them: events may have been lost."""
        self._departed.update(self.links.moved())

    def look_if_there(self, path: str) -> None:
        """Look at a path whose directory was not watched until now, if something is there."""
        try:
            there = self.session.home.status(path) is not None
        except OSError:
            there = True
        if there and path in self.entries:
            self.schedule.note(path, Sign.SAVED, time.monotonic())

    def _event(self, path: str) -> LinkEvent:
        """What became of the link of a path."""
        found = self.links.find(path)
        sign = self._signs.get(path)
        if found.state is State.MOVED:
            return self._moved(found.path)
        if found.state is State.THERE:
            return NO_EVENT
        if sign is Sign.MOVED:
            # What was renamed is not the link that was followed: a save had replaced that.
            return self._moved(self._renamed.get(path, ""))
        if sign is Sign.DELETED and path not in self._above:
            return LINK_DEPARTED if self._was_copied(path) else LINK_DELETED
        return NO_EVENT

    def _was_copied(self, path: str) -> bool:
        """Whether a link that was deleted is on another file system now: mv(1) makes a new one there."""
        on_volume = self.entries[path].on_volume
        if self._exists(self.session.home, path) or not self._exists(self.session.volume.anchor, on_volume):
            return False  # then nothing is at stake
        directories = [entry.on_volume for entry in self.entries.values() if entry.kind is Kind.DIRECTORY]
        volume = self.session.volume.path
        roots = [self.session.home.path, *(volume / name for name in directories), *mount_points()]
        return has_new_link(f"{volume}/{on_volume}", roots)

    @staticmethod
    def _exists(anchor: Anchor, path: str) -> bool:
        with suppress(OSError):
            return anchor.status(path) is not None
        return False

    def _moved(self, place: str) -> LinkEvent:
        return link_moved(place, self.entries.get(place)) if place else LINK_DEPARTED

    def _take_events(self, path: str) -> None:
        """What events said of a path counts no longer."""
        self._signs.pop(path, None)
        self._renamed.pop(path, None)
        self._above.discard(path)
        self._departed.discard(path)

    # Settling -------------------------------------------------------------------------------------

    def is_waiting(self, path: str) -> bool:
        """Whether a path is going to be looked at anyway."""
        at_work = self.worker.entry is not None and self.worker.entry.path == path
        return at_work or path in self._queue or self.schedule.is_due(path)

    def settle(self, entry: Entry) -> None:
        """Make one path true: at once if it is small, else as soon as the worker is free."""
        self._settle_sources(entry.path)
        self.schedule.take(entry.path)
        event = self._event(entry.path)
        if self._is_small(entry, event):
            began = time.monotonic()
            self._note_outcome(self._try(entry, event), event, time.monotonic() - began)
        else:
            self._queue[entry.path] = None
            self.run_worker()

    def run_worker(self) -> None:
        """Take the worker's outcome if it has ended, and give it what waits."""
        if self.worker.entry is not None:
            if not self.worker.has_ended():
                return
            self._note_work(self.worker.finish())
        for path in list(self._queue):
            del self._queue[path]
            if path in self.entries:
                self._start_work(self.entries[path], last=False)
                return

    def _start_work(self, entry: Entry, *, last: bool) -> None:
        event = self._work_event = self._event(entry.path)
        self._work_sign = self._signs.get(entry.path)
        self._take_events(entry.path)
        self.worker.start(entry, lambda: self._in_child(entry, event, last=last))

    def _note_work(self, outcome: Outcome) -> None:
        if outcome.error and self._work_sign:
            self._signs.setdefault(outcome.entry.path, self._work_sign)
        self._note_outcome(outcome, self._work_event, self.worker.seconds, in_worker=True)

    def _settle_sources(self, path: str) -> None:
        """Settle first what was renamed to this path: the link that is here belongs to that."""
        for source in list(self._departed):
            found = self.links.find(source)
            if found.state is State.MOVED and found.path == path and source != path:
                self._departed.discard(source)
                self.settle(self.entries[source])

    def _is_small(self, entry: Entry, event: LinkEvent) -> bool:
        """Whether a path takes a moment only: a link, nothing, or little content."""
        with suppress(OSError):  # `settle` says what is wrong
            if event.fate is Fate.MOVED and not is_small(self.session.volume.anchor, entry.on_volume):
                return False
            return is_small(self.session.home, entry.path)
        return True

    def _try(self, entry: Entry, event: LinkEvent) -> Outcome:
        try:
            return settle(self.session, entry, event=event)
        except Exception as error:  # noqa: BLE001 - whatever it is, it ends this path and not the daemon
            return _unforeseen(entry, error)

    def _in_child(self, entry: Entry, event: LinkEvent, *, last: bool) -> Outcome:
        with Session(self.session.layout, self.session.settings) as session:
            session.wait_for_locks = self.session.wait_for_locks
            session.volume.lock_wait = self.session.volume.lock_wait
            session.relink = self.session.relink
            try:
                outcome = settle(session, entry, event=event)
            except Exception as error:  # noqa: BLE001 - as above
                return _unforeseen(entry, error)
            return _save_what_is_open(session, outcome) if last else outcome

    def _note_outcome(
        self, outcome: Outcome, event: LinkEvent, seconds: float, *, in_worker: bool = False
    ) -> None:
        """Go on from what became of a path.

        Args:
            outcome: of `settle`.
            event: what was given to it.
            seconds: how long it took.
            in_worker: whether the worker did it: events may have come since, and it took the disk's time.
        """
        path, now = outcome.entry.path, time.monotonic()
        if path not in self.entries:
            return
        self.links.follow(path, f"{self.session.volume.path}/{outcome.entry.on_volume}")
        self.report.note(path, outcome)
        if outcome.error:
            self.schedule.retry(path, now, seconds if in_worker else 0.0)
            return
        if not in_worker:
            self._take_events(path)
        self._undo_deletion(outcome)
        self.schedule.settled(path, now, changed=outcome.changed)
        if outcome.changed:
            self.report.healed(outcome, seconds)
        if event.entry is not None:
            self.schedule.look_now(event.path)

    def _undo_deletion(self, outcome: Outcome) -> None:
        """Give the owner's file back when a user's own link replaces it: it was not meant to be deleted."""
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
                journal.log(f"~/{path}: is your own link now; the volume's copy is back", journal.NOTICE)
        elif outcome.changed:
            self._deleted.pop(path, None)

    # The end --------------------------------------------------------------------------------------

    def finish(self, until: float) -> None:
        """Settle everything before the daemon ends, small things first; what is open is copied as it is.

        Args:
            until: when it has to be over, in seconds of the monotonic clock.
        """
        if self.worker.entry is not None:
            self._note_work(self.worker.interrupt(_PATIENCE))
        self.find_moved()
        large: list[Entry] = []
        for path in sorted(self.entries, key=lambda path: path not in self._signs):
            entry = self.entries[path]
            event = self._event(path)
            if time.monotonic() > until or not self._is_small(entry, event):
                large.append(entry)
                continue
            self._settle_sources(path)
            outcome = _save_what_is_open(self.session, self._try(entry, self._event(path)))
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
            "too large to be saved before the workspace stops; what is in the home alone is lost with it",
            code="path.not-saved",
            place=f"~/{entry.path}",
        )
        self.report.note(entry.path, Outcome(entry, Decision.FAILED, error=error))

    def _size(self, entry: Entry) -> int:
        """Bytes of what the home has of a path."""
        with suppress(OSError), self.session.home.parent(entry.path) as (fd, name):
            return measure(fd, name).size
        return 0

    def close(self) -> None:
        """Close what it has open."""
        if self.worker.entry is not None:
            self.worker.interrupt(_PATIENCE)
        self.links.close()


def _save_what_is_open(session: Session, outcome: Outcome) -> Outcome:
    """Copy what a program is still writing, and return what is to be said of the path."""
    if outcome.error is None or outcome.error.code not in _IN_USE:
        return outcome
    try:
        save(session, outcome.entry)
    except (OSError, UserError) as error:
        place = f"~/{outcome.entry.path}"
        failure = RefusedError(f"not saved: {error}", code="path.not-saved", place=place)
        return Outcome(outcome.entry, Decision.FAILED, error=failure)
    return outcome


def _unforeseen(entry: Entry, error: Exception) -> Outcome:
    """An exception that nobody foresaw, as the outcome of its path."""
    import traceback  # noqa: PLC0415 - takes memory, and is seldom needed

    where = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(where.filename)}:{where.lineno}"
    failure = RefusedError(
        f"{type(error).__name__}: {error} ({place}); left as it was",
        code="path.unforeseen",
        place=f"~/{entry.path}",
        hint="this is a bug: report it with the output of ws-doctor bundle",
    )
    return Outcome(entry, Decision.FAILED, error=failure)
