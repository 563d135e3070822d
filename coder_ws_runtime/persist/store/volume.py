"""An owner's volume, opened. For its layout see :mod:`coder_ws_runtime.persist.store.names`."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from coder_ws_runtime.digest import hex_digest
from coder_ws_runtime.errors import NoVolumeError
from coder_ws_runtime.fs.anchored import Anchor, Owner, open_directory, sync_directory
from coder_ws_runtime.persist.store import file_system, locks, staging
from coder_ws_runtime.persist.store import format as volume_format
from coder_ws_runtime.persist.store.names import FORMAT, LOCKS, STAGING, STATE
from coder_ws_runtime.persist.store.staging import Staging

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class Volume:
    """An owner's volume.

    Args:
        path: its mount point.
        owner: the owner of what we create on it.
        writing: whether we will change anything on it.
        workspace: name or ID of this workspace, for processes that wait for one of our locks.
        proc: the process file system, which shows the kind of the volume's file system; None: do not check.

    Raises:
        NoVolumeError: it does not exist or is not a directory; or we are to write, but it is not writable,
            has a format that this version must not write, or has a file system without locks.
    """

    def __init__(
        self, path: Path, owner: Owner, *, writing: bool = True, workspace: str = "", proc: Path | None = None
    ) -> None:
        self.path = path
        self.owner = owner
        self.workspace = workspace
        self.lock_wait = locks.WAIT
        """How many seconds `lock` waits for another process."""
        hint = "mount a volume there, or name another directory in HOME_PERSIST_STATE"
        try:
            self.anchor = Anchor(path)
        except OSError as error:
            missing = error.errno == errno.ENOENT
            why = "does not exist" if missing else f"cannot be opened: {(error.strerror or '').lower()}"
            raise NoVolumeError(
                f"the volume {why}", code="volume.missing", place=str(path), hint=hint
            ) from error
        self._proc = proc
        self._staging: Staging | None = None
        fault = self.fault() if writing else None
        if fault:
            self.anchor.close()
            raise fault
        if writing:
            self._write_format()

    def fault(self) -> NoVolumeError | None:
        """Why nothing may be written to it; None if it may."""
        if not os.access(self.path, os.W_OK | os.X_OK):
            return self._not_writable()
        if self._proc:
            refused = file_system.refusal(self._proc, self.path)
            if refused:
                return refused
        return volume_format.refusal(self.anchor)

    def _not_writable(self) -> NoVolumeError:
        if os.statvfs(self.path).f_flag & os.ST_RDONLY:
            return NoVolumeError(
                "the volume is mounted read-only",
                code="volume.read-only",
                place=str(self.path),
                hint="mount it writable",
            )
        from coder_ws_runtime.persist.store import ownership  # noqa: PLC0415 - only for those who need it

        uid = os.fstat(self.anchor.fd).st_uid
        if uid == os.geteuid():
            import shlex  # noqa: PLC0415 - only messages need it

            return NoVolumeError(
                "the volume is ours, but its mode does not let us write",
                code="volume.not-writable",
                place=str(self.path),
                hint=f"chmod u+rwx {shlex.quote(str(self.path))}",
            )
        return NoVolumeError(
            f"the volume belongs to {ownership.user_name(uid)} and is not writable for us",
            code="volume.not-writable",
            place=str(self.path),
            hint=ownership.remedy([str(self.path)], self.owner),
        )

    def _write_format(self) -> None:
        """Write our format, unless the volume has it. An error here is reported for each path."""
        with suppress(OSError):
            if not volume_format.is_current(self.anchor):
                self.write(FORMAT, volume_format.encode(volume_format.OURS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._staging:
            self._staging.close()
        self.anchor.close()

    @contextmanager
    def directory(self, name: str) -> Iterator[int]:
        """A descriptor of one of our directories, e.g. ``attic``; it is created if necessary.

        Args:
            name: relative to ``.home-persist``; the empty path is that directory itself.
        """
        path = f"{STATE}/{name}".rstrip("/")
        try:
            opened = self._open(path)
        except FileNotFoundError:
            self.anchor.make_directories(path, owner=self.owner)
            opened = self._open(path)
        try:
            yield opened
        finally:
            os.close(opened)

    def _open(self, path: str) -> int:
        with self.anchor.parent(path) as (fd, name):
            return open_directory(name, fd, mounted=True)

    @contextmanager
    def lock(self, on_volume: str) -> Iterator[None]:
        """Hold the lock of one path on the volume; wait for a while if another process holds it.

        Raises:
            HeldElsewhereError: it was held for longer than `lock_wait`.
        """
        name = hex_digest(os.fsencode(on_volume))[:32]
        with self.directory(LOCKS) as fd:
            lock = locks.open_lock(fd, name)
            try:
                self.owner.chown(name, fd)
            except OSError:
                os.close(lock)
                raise
        try:
            with locks.held(lock, self.workspace, self.lock_wait):
                yield
        finally:
            os.close(lock)

    def write(self, name: str, content: bytes) -> None:
        """Replace one of our files completely and durably, e.g. ``manifests/user.json``.

        Raises:
            OSError: it cannot be written; the old file is unchanged.
        """
        directory, _, last = name.rpartition("/")
        place = self.staging
        staged = place.name()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(staged, flags, 0o644, dir_fd=place.fd), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self.owner.chown(staged, place.fd)
            with self.directory(directory) as fd:
                os.replace(staged, last, src_dir_fd=place.fd, dst_dir_fd=fd)
                sync_directory(fd)
        except BaseException:
            place.discard(staged)
            raise

    @property
    def staging(self) -> Staging:
        """A directory for copies that are not published yet; created again if another process removed it."""
        if self._staging and not self._staging.is_there():
            self._staging.close()
            self._staging = None
        if self._staging is None:
            with self.directory(STAGING) as fd:
                self._staging = Staging(fd, self.owner)
        return self._staging

    def left_in_staging(self) -> int:
        """How many bytes dead processes left unpublished."""
        if not self.anchor.status(f"{STATE}/{STAGING}"):
            return 0
        with self.directory(STAGING) as fd:
            return staging.left_over(fd)

    def clear_staging(self) -> None:
        """Remove copies that dead processes left unpublished."""
        if self.anchor.status(f"{STATE}/{STAGING}"):
            with self.directory(STAGING) as fd:
                staging.clear(fd)
