"""The directory above the last path, kept open: paths that are handled together often share it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from coder_ws_runtime.fs.anchored import Anchor


class Parents:
    """Opens the directories above paths like an anchor, but closes one only when another is asked for.

    Use it for looks and for steps that only create: if a directory is replaced, the former one stays open.

    Args:
        anchor: the home, or the volume.
    """

    def __init__(self, anchor: Anchor) -> None:
        self._anchor = anchor
        self._open: AbstractContextManager[tuple[int, str]] | None = None
        self._directory = ""
        self._fd = -1

    def parent(
        self, relative: str, make: Callable[[], None] | None = None
    ) -> AbstractContextManager[tuple[int, str]]:
        """As `Anchor.parent`, for use until the next call.

        Args:
            relative: as there.
            make: makes the directory if it does not exist.
        """
        directory, _, name = relative.rpartition("/")
        if self._open is None or directory != self._directory or name == "..":  # the anchor refuses that
            self.close()
            try:
                self._enter(relative)
            except FileNotFoundError:
                if make is None:
                    raise
                make()
                self._enter(relative)
            self._directory = directory
        return nullcontext((self._fd, name))

    def _enter(self, relative: str) -> None:
        opened = self._anchor.parent(relative)
        self._fd, _ = opened.__enter__()
        self._open = opened

    def close(self) -> None:
        """Close what is open."""
        if self._open is not None:
            self._open.__exit__(None, None, None)
            self._open = None
