"""The declarations while the daemon runs: whether they have changed since they were read."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime import settings
from coder_ws_runtime.fs.file_system import is_local, type_of
from coder_ws_runtime.fs.revalidate import revalidate
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.files import user_files
from coder_ws_runtime.persist.manifest.load import load_declarations
from coder_ws_runtime.persist.session import Session

POLL = 10.0
"""Seconds between checks of declarations that another host may change: inotify reports only changes by this
kernel."""


class Declarations:
    """The files and directories that declare paths.

    Args:
        layout: says where they are.
        session: its volume has the user's own declarations.
    """

    def __init__(self, layout: Layout, session: Session) -> None:
        with session.volume.directory("manifests") as fd:
            self.volume_directory = os.dup(fd)
        self.must_poll = not is_local(type_of(self.volume_directory))
        """Whether the volume is on a file system to which other hosts may write too."""
        self._layout = layout
        self._files = (layout.manifest_dir, *user_files(layout, session.id))

    def directories(self) -> list[int]:
        """Descriptors of the directories to watch, which the caller closes."""
        found = [os.dup(self.volume_directory)]
        with suppress(FileNotFoundError):
            found.append(os.open(self._layout.manifest_dir, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        return found

    def signature(self) -> tuple[tuple[int, int, int], ...]:
        """A value that changes when the declarations change.

        Declarations are replaced by renames, so inode, time and size show a change.
        """
        if self.must_poll:
            with suppress(OSError):  # problems of the volume are reported for each path
                revalidate(self.volume_directory)
        places: tuple[int | Path, ...] = (self.volume_directory, *self._files)
        return tuple(_stamp(place) for place in places)

    def validate(self, env: Mapping[str, str]) -> None:
        """Have a child process validate new manifests, so that pydantic does not stay in our memory."""
        child = os.fork()
        if child == 0:
            with suppress(BaseException):
                load_declarations(self._layout, settings.load(self._layout, env))
            os._exit(0)
        os.waitpid(child, 0)

    def close(self) -> None:
        """Close the directory."""
        os.close(self.volume_directory)


def _stamp(place: int | Path) -> tuple[int, int, int]:
    try:
        found = os.stat(place)
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size
