"""Let several processes do the parts of a large walk: of several threads, only one at a time runs Python."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coder_ws_runtime.fs.division import Division, Result

ENTRIES = 1000
"""A walk is divided after this many entries: to start the children takes some 5 ms. It is divided
again in the directories above; a child does its part alone."""
WIDE = 200
"""So many names of one directory are divided, whatever they are, or WIDE_DIRECTORIES that are directories."""
WIDE_DIRECTORIES = 2
PROCESSES = 4
"""How many work; more than there are cores, because some of them wait for the disk."""


class Divided:
    """A walk of a tree.

    Args:
        results: where it collects what it finds, in any order. What a child found is added.
        advance: called with a number of bytes that were copied, also by children.
        divide: whether children may take part.
    """

    def __init__(
        self, *results: Result, advance: Callable[[int], None] = lambda _: None, divide: bool = True
    ) -> None:
        self._results = results
        self._walked = 0
        self._may_divide = divide
        self._division: Division | None = None
        self.advance = advance

    def each(self, fd: int, names: Sequence[str], work: Callable[[str], None]) -> None:
        """Do some work for each name in a directory; in any order, if the walk is divided.

        Args:
            fd: the directory.
            names: in it.
            work: what is done; it changes nothing but the file systems and the results. A partial of a method
                is better than a lambda: each frame counts in a deep tree.

        Raises:
            ChildProcessError: a child was killed.
            BaseException: the first that `work` raised. The work for other names may be done.
        """
        looked = False
        for index, name in enumerate(names):
            if self._walked >= ENTRIES and self._may_divide and not looked:
                looked = True
                if _is_wide(fd, names[index:]):
                    self._divide(names[index:], work)
                    return
            if self._division is not None:
                self._division.check()
            self._walked += 1
            work(name)

    def _divide(self, names: Sequence[str], work: Callable[[str], None]) -> None:
        from coder_ws_runtime.fs.division import Division, EndedElsewhereError  # noqa: PLC0415 - most walks are small

        self._may_divide = False
        try:
            division = Division(len(names), PROCESSES, self.advance)
        except OSError:  # it may open nothing else: one process does all
            self.each(-1, names, work)
            return
        alone = self.advance
        with division:
            self._division, self.advance = division, division.advance
            try:
                for _ in range(min(PROCESSES, len(names)) - 1):
                    division.start(lambda: self._as_child(division, names, work))
                self._take_turns(division, names, work)
                division.wait(self._results)
            except EndedElsewhereError:
                division.wait(self._results)
                raise
            finally:
                self._division, self.advance = None, alone
        self._may_divide = True

    def _as_child(
        self, division: Division, names: Sequence[str], work: Callable[[str], None]
    ) -> tuple[Result, ...]:
        for result in self._results:
            result.clear()
        self._take_turns(division, names, work)
        return self._results

    def _take_turns(self, division: Division, names: Sequence[str], work: Callable[[str], None]) -> None:
        for part in division.turns():
            for name in names[part]:
                division.check()
                work(name)


def path_below(above: str | None, name: str) -> str:
    """The path within a tree of a name in its directory `above`; None: in what contains the whole tree."""
    return f"{above}/{name}" if above else "" if above is None else name


def _is_wide(fd: int, names: Sequence[str]) -> bool:
    if len(names) >= WIDE:
        return True
    directories = 0
    for name in names:
        with suppress(OSError):  # the work says what is wrong
            directories += stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode)
    return directories >= WIDE_DIRECTORIES
