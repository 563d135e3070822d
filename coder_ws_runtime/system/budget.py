"""A time limit for a search that may end early. Other programs that use the processor do not shorten it.

Measured by the clock alone, a search would see less where other programs, or other threads of this one, have
the processor: the same tree would give another answer from one run to the next.
"""

import time

_PATIENCE = 5.0
"""The limit by the clock, as a multiple: a search that waits for a disk uses no processor time."""


class Budget:
    """Processor time of the thread that makes it.

    Args:
        seconds: how much.
    """

    def __init__(self, seconds: float) -> None:
        self._until = time.thread_time() + seconds
        self._end = time.monotonic() + _PATIENCE * seconds

    @property
    def is_used_up(self) -> bool:
        """Whether the search has to end."""
        return time.thread_time() > self._until or time.monotonic() > self._end
