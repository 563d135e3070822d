"""Write a file or a link completely or not at all."""

import contextlib
import os
from pathlib import Path

from coder_ws_runtime.fs.anchored import sync_directory


def replace_users_file(path: Path, content: bytes) -> None:
    """Replace a file that users or their programs also edit. Raises like :func:`replace_file`.

    An existing file keeps its mode, a new one gets 0644. A link is followed, and stays.

    Args:
        path: the file.
        content: the whole content.
    """
    target = Path(os.path.realpath(path))
    mode = 0o644
    with contextlib.suppress(FileNotFoundError):
        mode = target.stat().st_mode & 0o7777
    replace_file(target, content, durable=True, mode=mode)


def replace_file(path: Path, content: bytes, *, durable: bool, mode: int | None = None) -> None:
    """Write `content` to `path` so that a reader always finds the whole old or the whole new content.

    A link at `path` is replaced, not followed. Missing parent directories are created.

    Args:
        path: the file.
        content: the whole content.
        durable: whether that holds after a crash of the machine too; it costs two calls of fsync(2).
        mode: its mode; by default 0666 minus the umask.

    Raises:
        OSError: it cannot be written; the old file is unchanged.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)  # left by a killed process with the same number
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


def write_link(text: str, name: str, fd: int) -> None:
    """Make a symlink.

    Args:
        text: its text.
        name: its name in the directory.
        fd: the directory.

    Raises:
        OSError: it cannot be made. `filename` is the directory; that of os.symlink() is the link's text.
    """
    try:
        os.symlink(text, name, dir_fd=fd)
    except OSError as error:
        raise OSError(error.errno, error.strerror, os.readlink(f"/proc/self/fd/{fd}")) from error
