"""When the daemon looks at which path. Pure: the caller tells the time."""

from collections.abc import Container

from coder_ws_runtime.fs import inotify
from coder_ws_runtime.persist.watch.watches import Change

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


class Schedule:
    """The paths that are to be looked at. All times are in seconds, of one monotonic clock."""

    def __init__(self) -> None:
        self._due: dict[str, float] = {}
        self._above: set[str] = set()
        self._budgets: dict[str, tuple[float, float]] = {}

    def note(self, change: Change, known: Container[str], now: float) -> None:
        """Note what events mean for the paths that are known."""
        self._above |= change.above
        for path, mask in change.paths.items():
            if path not in known:
                continue
            if mask & inotify.DIRECTORY:
                self._due[path] = now + _AFTER_DIRECTORY
                continue
            if mask & (inotify.MOVED_TO | inotify.CLOSE_WRITE):
                delay = 0.0
            elif mask & (inotify.DELETE | inotify.MOVED_FROM):
                delay = _AFTER_DELETE
            else:
                delay = _AFTER_CREATE
            when = now + max(delay, self._wait(path, now))
            self._due[path] = min(self._due.get(path, when), when)

    def at_once(self, path: str) -> None:
        """Look at a path as soon as can be."""
        self._due[path] = 0.0

    def retry(self, path: str, now: float) -> None:
        """Look at a path again in a while: it was in use."""
        self._due[path] = now + _PAUSE

    def drop(self, path: str) -> bool:
        """It needs no look any more; whether it did."""
        return self._due.pop(path, None) is not None

    def ready(self, now: float) -> list[str]:
        """What is to be looked at now."""
        return [path for path, when in self._due.items() if when <= now]

    def next(self, otherwise: float) -> float:
        """When the next path is due, at the latest at `otherwise`."""
        return min([otherwise, *self._due.values()])

    def went_with_its_directory(self, path: str) -> bool:
        """Whether something happened above a path since it was looked at; a link may be gone by that."""
        gone = path in self._above
        self._above.discard(path)
        return gone

    def healed(self, path: str, now: float) -> None:
        """Take a heal off the path's budget."""
        left, then = self._budgets.get(path, (_BURST, now))
        self._budgets[path] = (left - 1, then)

    def _wait(self, path: str, now: float) -> float:
        """Seconds until a path may be healed again: 0 while it has some of its budget left."""
        left, then = self._budgets.get(path, (_BURST, now))
        left = min(_BURST, left + (now - then) / _PAUSE)
        self._budgets[path] = (left, now)
        return 0.0 if left >= 1 else (1 - left) * _PAUSE
