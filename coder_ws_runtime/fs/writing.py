"""Write a file whole or not at all."""

import contextlib
import os
from pathlib import Path

from coder_ws_runtime.fs.anchored import sync_directory


def replace_file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Put `content` at `path`, so that at any time, also after a crash, the old or the new is there.

    A file that is there keeps its mode; a link is followed, and stays. Parents are made.

    Args:
        path: the file.
        content: all of it.
        mode: of a new file.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        mode = target.stat().st_mode & 0o7777
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(content)
            os.fchmod(fd, mode)
            file.flush()
            os.fsync(fd)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    parent = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_directory(parent)
    finally:
        os.close(parent)
