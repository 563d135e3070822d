"""The steps of a plan after the managed symlink was renamed: the content follows to the new name."""

import os
from contextlib import ExitStack, suppress

from coder_ws_runtime.dataclass import replace
from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import Owner, sync_directory
from coder_ws_runtime.fs.copying import copy
from coder_ws_runtime.fs.errors import ChangedError
from coder_ws_runtime.fs.removing import remove_tree
from coder_ws_runtime.fs.writing import write_link
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.reconcile.database import refuse_journal
from coder_ws_runtime.persist.reconcile.observe import node
from coder_ws_runtime.persist.reconcile.path_work import PathWork
from coder_ws_runtime.persist.reconcile.steps_in_home import move_and_link, replace_link
from coder_ws_runtime.persist.store.attic_records import Reason
from coder_ws_runtime.persist.store.copies_in_home import copying, note_copy, writing_home
from coder_ws_runtime.persist.store.journals import copy_journals, displaced, following
from coder_ws_runtime.persist.store.names import COPY_SUFFIX, SWAP_SUFFIX, aside_name, sibling_name


def copy_out(work: PathWork, path: str) -> None:
    """Replace our link, which has another name now, with a copy of the volume's content.

    Args:
        work: the link's former path.
        path: its new name, relative to the home.
    """
    context, on_volume = work.context, work.entry.on_volume
    with (
        work.home.parent(path) as (fd, name),
        work.anchor.parent(on_volume) as (there, target),
        copying((fd, name), path, context.ledger, context.attic, on_volume),
    ):
        partial, whole = sibling_name(name, COPY_SUFFIX), sibling_name(name, SWAP_SUFFIX)
        try:
            with writing_home():
                copied = copy(
                    (there, target),
                    (fd, partial),
                    refuse_writers=False,
                    progress=work.context.progress,
                    moving=(work.seen.link, ""),
                )
                kernel.rename_new(fd, partial, fd, whole)
                with suppress(FileExistsError):  # the user has a file of that name
                    copy_journals((there, target), (fd, name), (fd, partial))
        except BaseException:
            remove_tree(fd, partial)
            raise
        kernel.swap(fd, whole, fd, name)
        if work.is_managed_link(fd, whole):
            os.unlink(whole, dir_fd=fd)
            note_copy(context.ledger, work.entry.path, copied, (fd, name))
            return
        kernel.swap(fd, whole, fd, name)  # something else has taken the name
        raise ChangedError(path)


def rename_target(work: PathWork, entry: Entry) -> None:
    """Rename the content on the volume to another declared path, which our link has now.

    Until its text is corrected, that link leads nowhere: nothing slow is done in between.

    Args:
        work: the link's former path.
        entry: declares the new name.
    """
    volume, ledger, owner = work.volume, work.context.ledger, work.volume.owner
    link = f"{volume.path}/{entry.on_volume}"
    base = entry.on_volume.removesuffix(entry.path).rstrip("/")
    work.anchor.make_directories(entry.on_volume.rpartition("/")[0], owner=owner, like=work.home, base=base)
    # Until its text is corrected, the link at the new path is recognized by its old text.
    ledger.record(entry.path, work.seen.link)
    with ExitStack() as stack:
        for path in sorted((work.entry.on_volume, entry.on_volume)):
            stack.enter_context(volume.lock(path))
        fd, name = stack.enter_context(work.anchor.parent(work.entry.on_volume))
        there, target = stack.enter_context(work.anchor.parent(entry.on_volume))
        here, last = stack.enter_context(work.home.parent(entry.path))
        aside = _make_aside(work, here, last, link)
        work.note_made(entry.path, here, aside)
        try:
            if node(there, target) is not None:
                with work.context.attic.place(entry.on_volume, Reason.SUPERSEDED) as (attic_fd, attic_name):
                    kernel.rename_new(there, target, attic_fd, attic_name)
                    sync_directory(attic_fd)
            with (
                displaced(work.context.attic, (there, target), entry.on_volume, Reason.SUPERSEDED),
                following((fd, name), (there, target)),
            ):
                kernel.rename_new(fd, name, there, target)
            its = PathWork(entry, replace(work.seen, link=link, recorded=work.seen.link), work.context)
            _correct_link(its, here, aside, last)
        finally:
            if _text(here, aside) in (link, work.seen.link):
                os.unlink(aside, dir_fd=here)
        # Not before: what is set aside is recognized by what is recorded.
        ledger.record(entry.path, link)
        sync_directory(there)
        sync_directory(fd)
    work.forget_link()


def _correct_link(work: PathWork, fd: int, aside: str, name: str) -> None:
    """Replace the link, which has its former text, with the one that was made next to it."""
    try:
        kernel.exchange(fd, aside, fd, name)
    except OSError as error:
        if error.errno not in kernel.CANNOT_EXCHANGE:
            raise
        os.unlink(aside, dir_fd=fd)
        with suppress(ChangedError):  # something was saved there, and wins
            move_and_link(work, fd, aside, name)
        return
    if not work.is_managed_link(fd, aside):  # as above
        work.record_link()
        kernel.exchange(fd, aside, fd, name)


def exchange_targets(work: PathWork, others: tuple[Entry, ...]) -> None:
    """Exchange the content of paths on the volume, whose links have changed places in turn by now.

    Each link is recorded with the text that it has, so that it is ours until it is corrected. If we are
    killed, the next run corrects all, and the home shows the contents as they are on the volume.

    Args:
        work: one of the paths.
        others: declare the others, in order: each has the link of the one before, the first that of `work`.
    """
    if len(others) == 1 and work.anchor.status(others[0].on_volume) is None:  # the link is the user's own
        rename_target(work, others[0])
        return
    works = [work]
    for entry in others:
        link = f"{work.volume.path}/{entry.on_volume}"
        works.append(PathWork(entry, replace(work.seen, link=link), work.context))
    ledger = work.context.ledger
    with ExitStack() as stack:
        for path in sorted(one.entry.on_volume for one in works):
            stack.enter_context(work.volume.lock(path))
        places = [stack.enter_context(work.anchor.parent(one.entry.on_volume)) for one in works]
        befores = [*zip(works, places, strict=True)]
        for one, (before, place) in zip(works, [befores[-1], *befores[:-1]], strict=True):
            refuse_journal(*place, one.entry.path)  # by now, this name leads to it
            with work.home.parent(one.entry.path) as (fd, name):
                if _text(fd, name) != before.seen.link:
                    raise ChangedError(one.entry.path)
            one.seen = replace(one.seen, recorded=before.seen.link)
        # At once, or a killed run would correct some of them only.
        ledger.record_all({one.entry.path: one.seen.recorded for one in works})
        for place in places[1:]:
            _exchange(work, places[0], place)
        for one in works:
            with suppress(ChangedError, FileNotFoundError):  # something was saved there, and wins
                replace_link(one)
            one.record_link()
        for fd, _ in places:
            sync_directory(fd)


def _exchange(work: PathWork, mine: tuple[int, str], its: tuple[int, str]) -> None:
    """Exchange two contents on the volume, where that is not possible in one step by way of the attic.

    Killed on that way, one of the two is in the attic.
    """
    try:
        kernel.exchange(*mine, *its)
    except OSError as error:
        if error.errno not in kernel.CANNOT_EXCHANGE:
            raise
        with work.context.attic.place(work.entry.on_volume, Reason.EXCHANGED) as kept:
            kernel.rename_new(*mine, *kept)
            sync_directory(kept[0])
            kernel.rename_new(*its, *mine)
            kernel.rename_new(*kept, *its)


def _make_aside(work: PathWork, fd: int, name: str, link: str) -> str:
    """Make a link next to a name, to be exchanged with it, and return its name."""
    aside = aside_name(name)
    try:
        write_link(link, aside, fd)
    except FileExistsError as error:  # an interrupted run left it
        if _text(fd, aside) != link:
            raise ChangedError(work.entry.path) from error
        return aside
    Owner.of(work.home.fd).chown(aside, fd)
    return aside


def _text(fd: int, name: str) -> str:
    """What a link says; empty if there is none."""
    found = node(fd, name)
    return found.target if found is not None else ""
