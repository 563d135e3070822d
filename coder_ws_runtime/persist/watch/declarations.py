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
"""Seconds between looks at declarations that another host may have changed: inotify reports only what this
kernel does."""


class Declarations:
    """The files and directories that declare paths.

    Args:
        layout: where they are.
        session: whose volume has the user's own ones.
    """

    def __init__(self, layout: Layout, session: Session) -> None:
        with session.volume.directory("manifests") as fd:
            self.volume_directory = os.dup(fd)
        self.must_poll = not is_local(type_of(self.volume_directory))
        """Whether the volume is on a file system that other hosts may write to, too."""
        self._directory = layout.manifest_dir
        self._files = (layout.manifest_dir, *user_files(layout, session.id))

    def directories(self) -> list[int]:
        """Descriptors of the directories to watch; the caller closes all but `volume_directory`."""
        with suppress(FileNotFoundError):
            return [
                self.volume_directory,
                os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC),
            ]
        return [self.volume_directory]

    def signature(self) -> tuple[tuple[int, int, int], ...]:
        """Changes when the declarations change.

        Declarations are replaced by rename, so inode, time and size tell.
        """
        if self.must_poll:
            with suppress(OSError):  # what is wrong with the volume is said of each path
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
