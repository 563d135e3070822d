"""A time limit for a search that may end early, of which a busy machine takes nothing.

Measured by the clock alone, a search would see less where other programs, or other threads of this one, have
the processor: the same tree would give another answer from one run to the next.
"""

import time

_PATIENCE = 5.0
"""How many times as long it may take by the clock: waiting for a disk is no processor time."""


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
