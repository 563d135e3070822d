"""Write a file whole or not at all."""

import contextlib
import os
from pathlib import Path

from coder_ws_runtime.fs.anchored import sync_directory


def replace_users_file(path: Path, content: bytes) -> None:
    """Replace a file that users or their programs edit too. Raises as :func:`replace_file`.

    A file that is there keeps its mode, a new one has 0644; a link is followed, and stays.

    Args:
        path: the file.
        content: all of it.
    """
    target = Path(os.path.realpath(path))
    mode = 0o644
    with contextlib.suppress(FileNotFoundError):
        mode = target.stat().st_mode & 0o7777
    replace_file(target, content, durable=True, mode=mode)


def replace_file(path: Path, content: bytes, *, durable: bool, mode: int | None = None) -> None:
    """Put `content` at `path`, so that a reader finds the old or the new content at any time, and all of it.

    A link at `path` is replaced, and not followed. Parents are made.

    Args:
        path: the file.
        content: all of it.
        durable: whether that holds after a crash of the machine, too; it costs two calls of fsync(2).
        mode: its mode; by default what the umask leaves of 0666.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)  # a process of the same number was killed
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o666 if mode is None else 0o600)
    try:
        with open(fd, "wb") as file:
            file.write(content)
            if mode is not None:
                os.fchmod(fd, mode)
            file.flush()
            if durable:
                os.fsync(fd)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable:
        _sync_parent(path)


def _sync_parent(path: Path) -> None:
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync_directory(parent)
    finally:
        os.close(parent)
