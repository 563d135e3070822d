"""Whether the declarations have changed since they were read."""

import os
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime.fs.file_system import is_local, type_of
from coder_ws_runtime.fs.revalidate import revalidate
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.files import user_files
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
        self._directory = layout.manifest_dir
        self._files = (layout.manifest_dir, *user_files(layout, session.id))

    def directories(self) -> list[int]:
        """Descriptors of the directories to watch; the caller closes all except `volume_directory`."""
        with suppress(FileNotFoundError):
            return [
                self.volume_directory,
                os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC),
            ]
        return [self.volume_directory]

    def signature(self) -> tuple[tuple[int, int, int], ...]:
        """A value that changes when the declarations change.

        Declarations are replaced by renames, so inode, time and size show a change.
        """
        if self.must_poll:
            with suppress(OSError):  # problems of the volume are reported for each path
                revalidate(self.volume_directory)
        places: tuple[int | Path, ...] = (self.volume_directory, *self._files)
        return tuple(_stamp(place) for place in places)

    def close(self) -> None:
        """Close the directory."""
        os.close(self.volume_directory)


def _stamp(place: int | Path) -> tuple[int, int, int]:
    try:
        found = os.stat(place)
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size
