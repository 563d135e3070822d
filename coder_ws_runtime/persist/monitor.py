"""Reports of work that may be long. The core reports, and does not know whether anything shows it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.fs.usage import measure


class Monitor:
    """Takes the reports and shows nothing; a subclass shows them."""

    def __init__(self) -> None:
        self.settled = 0
        """How many of the paths are done."""
        self.paths = 0
        """How many there are; 0 if they are not counted."""
        self.at = ""
        """What is being worked on, as the user writes it; empty if nothing is."""

    def advance(self, count: int) -> None:
        """So many bytes, or files, more are done."""

    def begin(self, total: Callable[[], int] | None, *, files: bool) -> None:
        """Work begins at `at`.

        Args:
            total: counts what there is to do; called from another thread, and only if somebody looks.
                None: another process is at work, and we wait for it.
            files: whether files are counted, not bytes.
        """

    def end(self) -> None:
        """That work has ended, however it did."""

    @contextmanager
    def work(self, what: str, total: Callable[[], int] | None, *, files: bool = False) -> Iterator[None]:
        """Tell of one piece of work while it lasts; arguments as for `begin`."""
        self.at = what
        self.begin(total, files=files)
        try:
            yield
        finally:
            self.end()
        self.at = ""


def amount(sides: Iterable[tuple[Anchor, str]]) -> int:
    """How many bytes a copy of some trees reads: each is an anchor and a path; what is gone is 0."""
    total = 0
    for anchor, path in sides:
        with suppress(OSError), anchor.parent(path) as (fd, name):
            total += measure(fd, name).length
    return total
