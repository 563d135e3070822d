"""When the daemon checks which path. Pure: the caller provides the time."""

from coder_ws_runtime.persist.watch.change import Sign

QUIET = 0.05
"""A save is healed after this many seconds without an event, so a program can read its own file back."""
AT_MOST = 1.0
"""A save is healed after this many seconds, even if more events follow."""
# A path is checked this many seconds after an event. A new file is still being written, and a new directory
# being filled; no event says when they are ready. What was deleted may come back: after a rename at once, and
# a user's own link some seconds after the file that it replaces.
_DELAYS = {
    Sign.SAVED: QUIET,
    Sign.CREATED: 1.0,
    Sign.FILLING: 2.0,
    Sign.DELETED: 10.0,
    Sign.MOVED: 0.2,
    Sign.ABOVE: 2.0,
}
# A path may be healed this often in a row; then once in this many seconds, so that a program that saves
# without end does not flood the attic.
_BURST = 60
_REFILL = 1.0
_FIRST_RETRY = 0.25
_LONGEST_RETRY = 300.0
# Failed attempts to settle something large may take at most one part in this many of the time.
_SHARE = 20.0


class Schedule:
    """The paths to check. All times are in seconds, on one monotonic clock."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._first_save: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}
        self._budgets: dict[str, tuple[float, float]] = {}

    def note(self, path: str, sign: Sign, now: float) -> None:
        """Check a path soon, because of an event."""
        due = now + _DELAYS[sign]
        if sign is Sign.SAVED:
            due = min(due, self._first_save.setdefault(path, now) + AT_MOST)
        elif sign in {Sign.DELETED, Sign.MOVED}:
            self._first_save.pop(path, None)
        elif sign is Sign.ABOVE:
            due = min(due, self._due.get(path, due))
        due = max(due, self._not_before.get(path, 0.0), now + self._exhausted(path, now))
        self._due[path] = due

    def look_now(self, path: str) -> None:
        """Check a path as soon as possible."""
        self._due[path] = 0.0

    def retry(self, path: str, now: float, cost: float) -> None:
        """Check a path again later, because it could not be settled. The pauses grow.

        Args:
            path: the path.
            now: the present time.
            cost: for how long the attempt used the disk, in seconds. Costly attempts are not repeated often,
                whatever events report.
        """
        failures = self._failures.get(path, 0)
        self._failures[path] = failures + 1
        self._not_before[path] = now + cost * _SHARE
        pause = min(_LONGEST_RETRY, _FIRST_RETRY * 2 ** min(failures, 16))
        again = max(now + pause, self._not_before[path])
        self._due[path] = min(self._due.get(path, again), again)

    def settled(self, path: str, now: float, *, changed: bool) -> None:
        """A path is as declared; if something had to be done, that uses up some of its budget."""
        self._failures.pop(path, None)
        self._not_before.pop(path, None)
        if changed:
            left, then = self._budgets.get(path, (_BURST, now))
            self._budgets[path] = (left - 1, then)

    def take(self, path: str) -> bool:
        """A path is checked now; returns whether it was due at all."""
        self._first_save.pop(path, None)
        return self._due.pop(path, None) is not None

    def forget(self, path: str) -> None:
        """A path is no longer declared."""
        for known in (self._due, self._first_save, self._failures, self._not_before, self._budgets):
            known.pop(path, None)

    def ready(self, now: float) -> list[str]:
        """The paths to check now, in the order in which they became due."""
        return sorted((path for path, due in self._due.items() if due <= now), key=self._due.__getitem__)

    def is_due(self, path: str) -> bool:
        """Whether a path is due at some time."""
        return path in self._due

    def next(self, otherwise: float) -> float:
        """When the next path is due, at the latest at `otherwise`."""
        return min([otherwise, *self._due.values()])

    def _exhausted(self, path: str, now: float) -> float:
        """Seconds until a path may be healed again: 0 while some of its budget is left."""
        left, then = self._budgets.get(path, (_BURST, now))
        left = min(_BURST, left + (now - then) / _REFILL)
        self._budgets[path] = (left, now)
        return 0.0 if left >= 1 else (1 - left) * _REFILL
