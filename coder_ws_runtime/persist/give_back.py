"""Give content back to the home: a faithful copy replaces the link.

The order is the same as in every move. First a copy is made next to the link, under a name of ours, and is
made durable. Then the path is removed from the declarations (otherwise the daemon would link it again), the
copy is compared with the volume once more, and it is swapped with the link in one step. Last, a rename moves
the volume's copy to the attic. A crash between any two steps leaves a whole copy on the volume; the next run
removes what the crash left next to the link.
"""

import os
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from coder_ws_runtime.errors import RefusedError
from coder_ws_runtime.fs import kernel
from coder_ws_runtime.fs.anchored import sync_directory
from coder_ws_runtime.fs.content import Progress
from coder_ws_runtime.fs.copying import Copied, copy
from coder_ws_runtime.fs.errors import ChangedError
from coder_ws_runtime.fs.removing import check_copied, remove_tree
from coder_ws_runtime.fs.writers import Writing
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.manifest.paths import in_shell
from coder_ws_runtime.persist.reconcile.actions import VOLUME_TO_ATTIC
from coder_ws_runtime.persist.reconcile.apply import apply
from coder_ws_runtime.persist.reconcile.database import refuse_journal
from coder_ws_runtime.persist.reconcile.observe import glance, node
from coder_ws_runtime.persist.reconcile.path_work import Context
from coder_ws_runtime.persist.reconcile.refusals import changing_error
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.attic_records import Reason
from coder_ws_runtime.persist.store.copies_in_home import copying, note_copy, writing_home
from coder_ws_runtime.persist.store.names import COPY_SUFFIX, STATE, SWAP_SUFFIX, sibling_name

_ATTEMPTS = 8


class GivingBack:
    """One path whose content comes back to the home.

    Args:
        session: home, volume and attic.
        entry: the path and its place on the volume; it need not be declared.
        forget: removes the path from the declarations, durably; called once, before the swap.
        progress: called with the number of bytes after each copied file.
    """

    def __init__(
        self,
        session: Session,
        entry: Entry,
        forget: Callable[[], None],
        progress: Progress | None = None,
    ) -> None:
        self.session = session
        self.entry = entry
        self.forget = forget
        self.progress = progress
        self.forgotten = False
        self.link = f"{session.volume.path}/{entry.on_volume}"

    def run(self, *, keep: bool) -> bool:
        """Do it; returns whether content came back, not only the link or the volume's copy was removed.

        Args:
            keep: leave the volume's copy where it is, for other workspaces.

        Raises:
            BusyError: a program has a file of it open for writing.
            RefusedError: it keeps changing.
            OSError: from the file systems. Until the swap, the home is unchanged.
        """
        returned = False
        with self.session.volume.lock(f"{STATE}/giving-back/{self.entry.on_volume}"):
            for attempt in range(_ATTEMPTS):
                try:
                    returned = self._to_home() or returned
                    self._forget()
                    if keep or self._to_attic():
                        return returned
                except (ChangedError, FileNotFoundError):
                    time.sleep(0.005 * 2**attempt)
        raise changing_error(self.entry.path, f"home-persist remove {in_shell(self.entry.path)}")

    def _forget(self) -> None:
        if not self.forgotten:
            self.forget()
            self.forgotten = True
        self.session.ledger.forget(self.entry.path)

    def _to_home(self) -> bool:
        """Replace our link with the content; False if the home has no such link."""
        try:
            with (
                self.session.home.parent(self.entry.path) as (fd, name),
                self._copying(fd, name) as recovered,
            ):
                if recovered:
                    return True
                if not self._is_link(fd, name):
                    return False
                if self.session.volume.anchor.status(self.entry.on_volume) is None:
                    self._forget()
                    os.unlink(name, dir_fd=fd)
                    return False
                self._swap(fd, name)
                return True
        except FileNotFoundError:
            if self.session.home.status(self.entry.path) is None:
                return False  # neither the path nor perhaps its directory exists
            raise

    def _swap(self, fd: int, name: str) -> None:
        partial, whole = sibling_name(name, COPY_SUFFIX), sibling_name(name, SWAP_SUFFIX)
        with self.session.volume.anchor.parent(self.entry.on_volume) as (there, target):
            refuse_journal(there, target, self.entry.path)
            try:
                with writing_home():
                    copied = copy(
                        (there, target), (fd, partial), progress=self.progress, moving=(self.link, "")
                    )
                self._check(copied, there, target)
                self._forget()
                check_copied(there, target, copied.identities, busy=(Writing.YES,))
                kernel.rename_new(fd, partial, fd, whole)
            except BaseException:
                remove_tree(fd, partial)
                raise
        kernel.swap(fd, whole, fd, name)
        self._drop_link(fd, name, whole)
        sync_directory(fd)
        note_copy(self.session.ledger, self.entry.path, copied, (fd, name))

    def _check(self, copied: Copied, there: int, target: str) -> None:
        if copied.special:
            inside = copied.special[0]
            raise RefusedError(
                f"{inside!r} in it is a socket, FIFO or device, which is not moved",
                code="path.special",
                place=f"~/{self.entry.path}",
                hint="stop the program that made it, remove it, then try again",
            )
        check_copied(there, target, copied.identities, busy=(Writing.YES,))

    def _drop_link(self, fd: int, name: str, whole: str) -> None:
        """Remove the link that was swapped out; if it is a new save, put that back."""
        if self._is_link(fd, whole):
            os.unlink(whole, dir_fd=fd)
            return
        kernel.swap(fd, whole, fd, name)
        raise ChangedError(self.entry.path)

    def _is_link(self, fd: int, name: str) -> bool:
        found = node(fd, name)
        return found is not None and found.kind is Kind.LINK and found.target == self.link

    def _copying(self, fd: int, name: str) -> AbstractContextManager[bool]:
        session, entry = self.session, self.entry
        return copying((fd, name), entry.path, session.ledger, session.attic, entry.on_volume)

    def _to_attic(self) -> bool:
        """Move the volume's copy to the attic; False if the path was linked again in the meantime."""
        session = self.session
        seen = glance(session, self.entry)
        if seen.volume is None:
            return True
        if seen.home is not None and seen.home.kind is Kind.LINK and seen.home.target == self.link:
            return False
        context = Context(session.home, session.volume, session.ledger, session.attic, reason=Reason.REMOVED)
        apply(self.entry, seen, (VOLUME_TO_ATTIC,), context)
        return True
