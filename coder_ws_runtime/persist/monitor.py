"""Progress of work that may take long. The core reports it, and does not know whether anything shows it."""

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
        """How many paths there are; 0 if they are not counted."""
        self.at = ""
        """What is being worked on, in the user's notation; empty if nothing is."""

    def advance(self, count: int) -> None:
        """This many more bytes, or files, are done."""

    def begin(self, total: Callable[[], int] | None, *, files: bool) -> None:
        """Work on `at` starts.

        Args:
            total: counts the work to do; called from another thread, and only if it is shown.
                None: another process works, and we wait for it.
            files: whether it counts files, not bytes.
        """

    def end(self) -> None:
        """That work has ended, with or without success."""

    @contextmanager
    def work(self, what: str, total: Callable[[], int] | None, *, files: bool = False) -> Iterator[None]:
        """Report one piece of work while it lasts; arguments like `begin`."""
        self.at = what
        self.begin(total, files=files)
        try:
            yield
        finally:
            self.end()
        self.at = ""


def amount(sides: Iterable[tuple[Anchor, str]]) -> int:
    """The bytes that a copy of some trees reads: each is an anchor and a path; a missing one counts 0."""
    total = 0
    for anchor, path in sides:
        with suppress(OSError), anchor.parent(path) as (fd, name):
            total += measure(fd, name).length
    return total
