"""Walk several directories of a tree at the same time, where each file takes the file system long.

Our part of a file takes some 30 microseconds a walk. If a disk or a server takes longer than that, several
threads can wait for it at the same time. Where it is fast, they would wait for each other: only one at a time
runs Python.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK = 200
"""Entries from one look at the time to the next. A tree with fewer is walked by one thread, in order."""
SLOW = 0.0002
"""Seconds an entry."""
_MOST = 4
"""Threads that work."""
_DEEPEST = 8
"""Levels below the root at which a part may still go to another thread, which begins with an empty stack: so
a tree is as deep as one thread can walk, and not all its levels are open at once."""
NAME = "walker"
"""The start of the threads' names."""


class Walkers:
    """The threads of one walk; at first there is one. The first part that fails ends the walk."""

    def __init__(self) -> None:
        self.shared = threading.Lock()
        """For what entries of several directories have in common, such as hard links."""
        self._lock = threading.Lock()
        self._spare = 0
        self._failure: BaseException | None = None
        self._entries = 0
        self._looked = time.monotonic()

    def count(self) -> None:
        """Call this before each entry. Raises what has failed in another part of the walk."""
        self.check()
        self._entries += 1
        if self._entries == LOOK:
            self._look()

    def _look(self) -> None:
        """Allow more threads if the last entries took long; they stay allowed."""
        now = time.monotonic()
        if now - self._looked > LOOK * SLOW:
            self._spare = _MOST - 1
            return
        self._entries = 0
        self._looked = now

    @contextmanager
    def group(self) -> "Iterator[Group]":
        """Parts of the walk that have ended when this ends. Raises what failed in one of them."""
        group = Group(self)
        try:
            yield group
        except BaseException as error:  # noqa: BLE001 - raised below, when all parts have ended
            self.fail(error)
        group.wait()
        self.check()

    def check(self) -> None:
        """Raise what has failed in another part of the walk."""
        if self._failure is not None:
            raise self._failure

    def fail(self, error: BaseException) -> None:
        """End the walk. What interrupts it, as Ctrl-C does, counts more than what has failed before."""
        with self._lock:
            if self._failure is None or not isinstance(error, Exception):
                self._failure = error

    def take(self) -> bool:
        """Take a spare thread; False: there is none."""
        with self._lock:
            if self._spare <= 0:
                return False
            self._spare -= 1
            return True

    def give(self, count: int = 1) -> None:
        """Give back a thread that has ended; -1: take one in any case."""
        with self._lock:
            self._spare += count


class _Part:
    """A part of a walk that one thread does."""

    def __init__(self, work: Callable[[], None]) -> None:
        self.work = work
        self.ended = threading.Event()
        self._claim = threading.RLock()

    def claim(self) -> bool:
        """Whether the caller's thread has to do it: the first one that asks, also if it asks again."""
        return self._claim.acquire(blocking=False)


class Group:
    """Parts of a walk below one directory."""

    def __init__(self, walkers: Walkers) -> None:
        self._walkers = walkers
        self._parts: list[_Part] = []

    def run(self, path: str, work: Callable[[], None]) -> None:
        """Do a part: in another thread if there is a spare one, otherwise now.

        Args:
            path: the directory that this part walks, relative to the root.
            work: walks it.
        """
        if path.count("/") >= _DEEPEST or not self._walkers.take():
            work()
            return
        part = _Part(work)
        self._parts.append(part)
        # If a signal interrupts this before the thread has begun, `wait` does the part.
        try:
            threading.Thread(target=self._run, name=NAME, args=(part,), daemon=True).start()
        except RuntimeError:  # no more threads are allowed
            self._walkers.give()

    def _run(self, part: _Part) -> None:
        mine = part.claim()
        try:
            if mine:
                part.work()
        except BaseException as error:  # noqa: BLE001 - raised where the group ends
            self._walkers.fail(error)
        finally:
            self._walkers.give()
            if mine:
                part.ended.set()

    def wait(self) -> None:
        """Wait until all parts have ended, also if a signal interrupts that."""
        if not self._parts:
            return
        self._walkers.give()  # a thread that waits does not work
        while self._parts:
            try:
                self._wait(self._parts[-1])
                self._parts.pop()
            except BaseException as error:  # noqa: BLE001 - as above
                self._walkers.fail(error)
        self._walkers.give(-1)

    def _wait(self, part: _Part) -> None:
        if not part.ended.is_set() and part.claim():
            try:
                self._walkers.check()
                part.work()
            finally:
                part.ended.set()
        part.ended.wait()
