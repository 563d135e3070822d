"""The steps of a plan in the home: the managed symlink, and removal of content that is safe elsewhere."""

import errno
import os
import stat
from contextlib import suppress

from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import Anchor, Owner, open_below
from coder_ws_runtime.fs.copying import copy
from coder_ws_runtime.fs.errors import BusyError, ChangedError
from coder_ws_runtime.fs.metadata import copy_metadata
from coder_ws_runtime.fs.removing import check_copied, remove_copied
from coder_ws_runtime.fs.writing import write_link
from coder_ws_runtime.persist.manifest.entry import Kind
from coder_ws_runtime.persist.reconcile.path_work import PathWork, joined
from coder_ws_runtime.persist.store.names import LEFT_SUFFIX, aside_name

_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EROFS)


def make_link(work: PathWork) -> None:
    """Create the link where there is nothing."""
    owner = work.volume.owner  # that of the home

    def make() -> None:
        directory = work.entry.path.rpartition("/")[0]
        work.home.make_directories(directory, owner=owner, like=_volume_base(work), durable=False)

    with work.above_link(make) as (fd, name):
        _symlink(work, fd, name, owner)


def _volume_base(work: PathWork) -> Anchor | None:
    """The volume, as the model for the home's directories; only for paths with the scope owner."""
    return work.anchor if work.entry.on_volume == work.entry.path else None


def _symlink(work: PathWork, fd: int, name: str, owner: Owner | None = None) -> None:
    try:
        write_link(work.seen.link, name, fd)
    except FileExistsError as error:
        raise ChangedError(work.entry.path) from error
    (owner or Owner.of(work.home.fd)).chown(name, fd)
    work.note_made(work.entry.path, fd, name)


def replace_link(work: PathWork) -> None:
    """Replace a wrong link of ours with the right one."""
    with work.home.parent(work.entry.path) as (fd, name):
        aside = aside_name(name)
        _symlink(work, fd, aside)
        try:
            kernel.exchange(fd, aside, fd, name)
        except OSError as error:
            os.unlink(aside, dir_fd=fd)
            if error.errno not in kernel.CANNOT_EXCHANGE:
                raise
            move_and_link(work, fd, aside, name)
            return
        # What was swapped out is checked again: it may no longer be the link that we saw.
        if not work.is_managed_link(fd, aside):
            _exchange_back(work, fd, aside, name)
            raise ChangedError(work.entry.path)
        os.unlink(aside, dir_fd=fd)


def move_and_link(work: PathWork, fd: int, aside: str, name: str) -> None:
    """Without swapping: what the next run finds set aside if we are killed is a link of ours."""
    kernel.rename_new(fd, name, fd, aside)
    if not work.is_managed_link(fd, aside):
        kernel.rename_new(fd, aside, fd, name)
        raise ChangedError(work.entry.path)
    try:
        _symlink(work, fd, name)
    finally:
        os.unlink(aside, dir_fd=fd)


def replace_content(work: PathWork) -> None:
    """Replace content that is safe elsewhere with the link, in one step if possible.

    First the link is created, then the content is checked, then both are swapped. What was swapped out is
    checked once more. If it is another save, it is swapped back at once, so that a program that saved and
    reads its file back finds what it saved.
    """
    with work.home.parent(work.entry.path) as (fd, name):
        aside = aside_name(name)
        _symlink(work, fd, aside)
        try:
            check_copied(fd, name, work.safe, busy=())  # writers are checked after the swap
            work.record_link()
            kernel.exchange(fd, aside, fd, name)
        except (OSError, ChangedError, BusyError) as error:
            os.unlink(aside, dir_fd=fd)
            _forget_unless_seen(work)
            if not isinstance(error, OSError) or error.errno not in kernel.CANNOT_EXCHANGE:
                raise
            _remove_and_link(work, fd, name)
            return
        try:
            check_copied(fd, aside, work.safe, renamed=True)
        except (OSError, ChangedError, BusyError):
            _exchange_back(work, fd, aside, name)
            _forget_unless_seen(work)
            raise
        _remove_aside(work, fd, name)
        # Not before: content that is set aside but not known as a copy would count as a save.
        work.context.ledger.forget_copies(work.entry.path)


def _exchange_back(work: PathWork, fd: int, aside: str, name: str) -> None:
    """Put back a save that was swapped out."""
    try:
        kernel.swap(fd, aside, fd, name)
    except FileNotFoundError:  # a program deleted our link in the meantime
        kernel.rename_new(fd, aside, fd, name)
        return
    if work.is_managed_link(fd, aside):
        os.unlink(aside, dir_fd=fd)
    else:  # a still newer save had replaced our link: it stays, and the next look finds the other one
        kernel.swap(fd, aside, fd, name)


def _remove_and_link(work: PathWork, fd: int, name: str) -> None:
    """Without swapping: remove the content, all of it or nothing, and create the link.

    If we are killed in between, the missing link must not count as deleted.
    """
    check_copied(fd, name, work.safe, removable=True)
    work.forget_link()
    try:
        _remove(work, fd, name)
        _symlink(work, fd, name)
    except BaseException:
        _fill_up(work, fd, name)
        if work.seen.replaced:
            work.record_link()
        raise
    work.record_link()
    work.context.ledger.forget_copies(work.entry.path)


def _remove(work: PathWork, fd: int, name: str) -> None:
    if remove_copied(fd, name, work.safe):
        raise ChangedError(work.entry.path)


def _fill_up(work: PathWork, fd: int, name: str) -> None:
    """Copy what was removed back from the volume: a program still uses the rest.

    Not where the volume has another type: what the home had is in the attic then, and another run would take
    what is made here for a newer save.
    """
    for path in sorted(work.safe):
        with suppress(OSError, ChangedError, BusyError):
            inside, _, last = joined(name, path).rpartition("/")
            with (
                open_below(fd, inside) as here,
                work.anchor.parent(work.on_volume(path)) as (there, its),
            ):
                there_now = os.stat(its, dir_fd=there, follow_symlinks=False)
                if stat.S_IFMT(there_now.st_mode) != work.safe[path].kind:
                    continue
                if stat.S_ISDIR(work.safe[path].kind):
                    os.mkdir(last, 0o700, dir_fd=here)
                    copy_metadata((there, its), (here, last))
                else:
                    copy((there, its), (here, last), durable=False, refuse_writers=False)


def _forget_unless_seen(work: PathWork) -> None:
    """Record that the link is not in place after all."""
    if work.seen.replaced:
        return
    home = work.seen.home
    if home is not None and home.kind is Kind.DIRECTORY:
        # All of it is known: what arrives in it from now on is a save, not part of the image.
        work.context.ledger.note_awaited(work.entry.path)
    else:
        work.forget_link()


def drop_link(work: PathWork) -> None:
    """Remove our link; forget it first, so that its event does not count as a deletion."""
    work.forget_link()
    with work.home.parent(work.entry.path) as (fd, name):
        if not work.is_managed_link(fd, name):
            raise ChangedError(work.entry.path)
        os.unlink(name, dir_fd=fd)


def drop_aside(work: PathWork) -> None:
    """Remove what was set aside: a link, or content that is safe elsewhere."""
    with work.home.parent(work.entry.path) as (fd, name):
        aside = aside_name(name)
        if work.is_managed_link(fd, aside):
            os.unlink(aside, dir_fd=fd)
        else:
            _remove_aside(work, fd, name)
            work.context.ledger.forget_copies(work.entry.path)


def _remove_aside(work: PathWork, fd: int, name: str) -> None:
    """Remove what was set aside; what we may not remove gets another name, out of the way."""
    aside = aside_name(name)
    try:
        kept = remove_copied(fd, aside, work.safe, renamed=True)
    except OSError as error:
        if error.errno not in _NOT_OURS:
            raise
        _leave_over(work, fd, name, error.strerror or str(error))
        return
    if kept:
        raise ChangedError(work.entry.path)


def _leave_over(work: PathWork, fd: int, name: str, why: str) -> None:
    for number in range(1, 1000):
        left = f".{name}{LEFT_SUFFIX}-{number}"
        try:
            kernel.rename_new(fd, aside_name(name), fd, left)
        except FileExistsError:
            continue
        directory = work.entry.path.rpartition("/")[0]
        work.context.left_over.append(f"~/{joined(directory, left)} ({why.lower()})")
        return


def put_back(work: PathWork) -> None:
    """Put back a user's link that was swapped out: nothing, or our link, has taken its place."""
    with work.home.parent(work.entry.path) as (fd, name):
        _exchange_back(work, fd, aside_name(name), name)
