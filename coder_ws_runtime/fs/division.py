"""The processes that divide one directory's names among them.

They are children (fork(2)) of the process that walks. Each takes some of the names at a time, until there are
none left, and sends what it has found. A failure in one of them ends the work of all, and so does a signal: a
child never outlives its walk, not even if its parent is killed.
"""

from __future__ import annotations

import errno
import mmap
import os
import pickle
import select
import signal
import time
from contextlib import contextmanager, suppress

from coder_ws_runtime.fs import kernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Self

    Result = dict[Any, Any] | set[Any] | list[Any]
    """What a walk has found; its items can be pickled."""

_TURNS = 1000
"""The most parts of a directory. Their numbers have to fit into an empty pipe, and the kernel promises no
more than a page to a user who has many pipes (pipe(7))."""
_NUMBER = 4
"""Bytes."""
_PARENT = 1
"""The place of the parent's bytes among those of all processes. The place before has no bytes."""
_LOOK = 200
"""Milliseconds between two looks at how far the children are."""
_PATIENCE = 2.0
"""Seconds after which a child is killed that has to end, e.g. because its disk does not answer."""
_PAUSE = 0.001
"""Seconds between two looks at whether a child has ended."""
_FOR_THE_PARENT = (signal.SIGINT, signal.SIGTERM)
"""Ctrl-C and systemd send them to children, too, which leave it to the parent to end them."""


class EndedElsewhereError(Exception):
    """Another process of this walk has failed."""


class _Child:
    def __init__(self, process: int, fd: int) -> None:
        self.process = process
        self.fd = fd
        """What it sends is read here."""


class Division:
    """The children of a process, and what it shares with them.

    Args:
        count: how many names are divided.
        processes: how many processes work at most, with this one.
        advance: called in this process with the bytes that all of them have copied.

    Raises:
        OSError: this process may have no more descriptors or memory.
    """

    def __init__(self, count: int, processes: int, advance: Callable[[int], None]) -> None:
        self._size = -(-count // _TURNS)
        self._children: list[_Child] = []
        self._tell = advance
        # Whether one has failed, and how many bytes each has copied.
        self._shared = memoryview(mmap.mmap(-1, 8 * (processes + _PARENT))).cast("q")
        self._told = 0
        self._mine = _PARENT
        self._parent = os.getpid()
        self._turns, writing = os.pipe2(os.O_CLOEXEC)
        turns = range(-(-count // self._size))
        os.write(writing, b"".join(turn.to_bytes(_NUMBER, "little") for turn in turns))
        os.close(writing)
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:  # as inherited: nobody could wait for children
            with suppress(ValueError):  # not in the main thread
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End all children that have not ended: they put back the modes of directories, if they can."""
        with _later():
            self.fail()
            for child in self._children:
                os.close(child.fd)
            deadline = time.monotonic() + _PATIENCE
            for child in self._children:
                while os.waitpid(child.process, os.WNOHANG)[0] == 0:
                    if time.monotonic() > deadline:
                        os.kill(child.process, signal.SIGKILL)
                    time.sleep(_PAUSE)
            os.close(self._turns)

    def turns(self) -> Iterator[slice]:
        """The parts that no other process has taken, one after the other."""
        while number := os.read(self._turns, _NUMBER):
            begin = int.from_bytes(number, "little") * self._size
            yield slice(begin, begin + self._size)

    def check(self) -> None:
        """Raise `EndedElsewhereError` if another process has failed."""
        if self._shared[0]:
            raise EndedElsewhereError

    def fail(self) -> None:
        """Let the others end, too."""
        self._shared[0] = 1

    def advance(self, count: int) -> None:
        """That many more bytes are copied. Raises as `check` does."""
        self.check()
        self._shared[self._mine] += count
        self._look()

    def _look(self) -> None:
        """In the parent: tell how many more bytes all have copied."""
        if self._mine != _PARENT:
            return
        total = sum(self._shared[_PARENT:])
        if total > self._told:
            self._tell(total - self._told)
            self._told = total

    def start(self, work: Callable[[], tuple[Result, ...]]) -> None:
        """Start a child; where none can be started, the others do its part."""
        with _later(), suppress(OSError):
            reading, writing = os.pipe2(os.O_CLOEXEC)
            try:
                process = os.fork()
            except OSError:
                os.close(reading)
                os.close(writing)
                raise
            if process == 0:
                self._mine = len(self._children) + _PARENT + 1
                try:
                    self._run(work, writing)
                finally:
                    # None of the parent's cleanup may run here, and no traceback appear.
                    os._exit(0)
            os.close(writing)
            self._children.append(_Child(process, reading))

    def _run(self, work: Callable[[], tuple[Result, ...]], writing: int) -> None:
        signal.set_wakeup_fd(-1)
        for number in _FOR_THE_PARENT:
            signal.signal(number, signal.SIG_IGN)
        kernel.end_with_parent()
        if os.getppid() != self._parent:
            return
        try:
            answer: tuple[object, object] = (None, work())
        except EndedElsewhereError as error:
            answer = (error, ())
        except BaseException as error:  # noqa: BLE001 - the parent raises it
            self.fail()
            answer = (_to_send(error), ())
        with suppress(BrokenPipeError), open(writing, "wb") as sending:
            pickle.dump(answer, sending, pickle.HIGHEST_PROTOCOL)

    def wait(self, results: Sequence[Any]) -> None:
        """Wait for all children, and add what they have found. Raises what one of them raised."""
        failure: BaseException | None = None
        for child in self._children:
            try:
                error, found = pickle.loads(self._read(child))  # noqa: S301 - our own child's
            except (EOFError, pickle.UnpicklingError):
                self.fail()
                failure = failure or OSError(errno.ECHILD, "a process of this run was killed")
                continue
            if error is None:
                for mine, its in zip(results, found, strict=True):
                    (mine.extend if isinstance(mine, list) else mine.update)(its)
            elif failure is None and not isinstance(error, EndedElsewhereError):
                failure = error
        if failure is not None:
            raise failure

    def _read(self, child: _Child) -> bytes:
        poll = select.poll()
        poll.register(child.fd, select.POLLIN)
        parts: list[bytes] = []
        while not parts or parts[-1]:
            if poll.poll(_LOOK):
                parts.append(os.read(child.fd, 1 << 20))
            self._look()
        return b"".join(parts)


def _to_send(error: BaseException) -> BaseException:
    """The error, or what a pipe can take of it."""
    with suppress(Exception):
        pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
        return error
    if isinstance(error, OSError):
        return OSError(error.errno, error.strerror, error.filename)
    return OSError(errno.EIO, str(error))


@contextmanager
def _later() -> Iterator[None]:
    """What a signal interrupts is interrupted after this: no child may be forgotten.

    Not by blocking signals: another thread would take them, and Python's handler would run here all the same.
    """
    arrived: list[int] = []
    former: dict[int, Any] = {}
    try:
        for one in _FOR_THE_PARENT:
            with suppress(ValueError):  # not in the main thread, where no handler runs
                former[one] = signal.signal(one, lambda number, _frame: arrived.append(number))
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        for number in arrived:
            signal.raise_signal(number)
