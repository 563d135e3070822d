"""The open home, volume, ledger and attic of one workspace: all verbs of home-persist work on it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.fs.anchored import Anchor, Owner
from coder_ws_runtime.layout import Layout
from coder_ws_runtime.persist.manifest.entry import Entry
from coder_ws_runtime.persist.monitor import Monitor
from coder_ws_runtime.persist.store.failures import AGAIN, Within, failure_of
from coder_ws_runtime.persist.store.lease import is_held, note_seen
from coder_ws_runtime.persist.store.ledger import Ledger
from coder_ws_runtime.persist.store.names import SET_ASIDE_SUFFIX, STATE, sibling_name
from coder_ws_runtime.persist.store.volume import Volume
from coder_ws_runtime.settings import Settings
from coder_ws_runtime.system.mounts import mounted_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from coder_ws_runtime.persist.store.attic import Attic


class Session:
    """Home, volume and ledger of one workspace, opened.

    Args:
        layout: where they are; kept as an attribute, like `settings`.
        settings: the workspace, and what its template declares.
        monitor: gets the progress of long work.
        writing: whether anything will be changed on the volume; a read-only volume can still be examined.

    Raises:
        NoVolumeError: there is no usable volume.
        RefusedError: there is no home, or no directory for the ledger.
    """

    def __init__(
        self, layout: Layout, settings: Settings, monitor: Monitor | None = None, *, writing: bool = True
    ) -> None:
        self.layout = layout
        self.settings = settings
        self.monitor = monitor or Monitor()
        self.wait_for_locks = True
        """Whether to wait for another process of this container that works on the same path."""
        self.relink = True
        """Whether to create links again that, by an event, were deleted or renamed earlier: a resolve does,
        and the daemon when it starts, but not in its later sweeps."""
        self.has_news: Callable[[str], bool] = lambda _: False
        """Whether an event that was not read yet may say why a path is not in place. The daemon knows."""
        self.follow_link: Callable[[str, int, str], None] = lambda *_: None
        """Called with each link that is made, before it is in place: its path, and its directory and name."""
        try:
            self.home = Anchor(layout.home)
        except OSError as error:
            raise RefusedError(
                f"the home cannot be opened: {error.strerror}",
                code="home.missing",
                place=str(layout.home),
                hint="set HOME to the user's home directory",
            ) from error
        try:
            self.volume = Volume(
                layout.volume,
                Owner.of(self.home.fd),
                writing=writing,
                workspace=settings.workspace.name or settings.workspace.id,
                proc=layout.proc,
            )
        except UserError:
            self.home.close()
            raise
        self.ledger = Ledger(layout.ledger_dir)
        try:
            if writing:
                self.ledger.make()
        except UserError:
            self.volume.__exit__()
            self.home.close()
            raise
        self.id = settings.workspace.id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Close everything; a file system error of the whole volume becomes a refusal."""
        if "attic" in self.__dict__:
            self.attic.keep_bounds(always=self.attic.is_due)
        self.ledger.close()
        failure = None
        if isinstance(error, OSError):
            within = ((self.volume.anchor, STATE, self.volume.owner),)
            failure = failure_of(str(self.volume.path), error, within=within, again=AGAIN)
        self.volume.__exit__(kind, error, trace)
        self.home.close()
        if isinstance(error, OSError) and failure:
            raise failure from error

    @cached_property
    def attic(self) -> Attic:
        """Where this process puts replaced versions."""
        from coder_ws_runtime.persist.store.attic import Attic  # noqa: PLC0415 - most runs replace nothing

        workspace = self.settings.workspace
        return Attic(self.volume, workspace.name or workspace.id, workspace.id)

    @property
    def displaced(self) -> int:
        """How many versions this process has put into the attic."""
        return self.attic.count if "attic" in self.__dict__ else 0

    def displaced_since(self, count: int) -> str:
        """The attic's batch of the versions after the first `count`; empty if there are none."""
        return self.attic.batch if self.displaced > count else ""

    def within(self, entry: Entry) -> Within:
        """Where a path's failure may come from, for `failure_of`."""
        owner = self.volume.owner
        directory, slash, name = entry.path.rpartition("/")
        return (
            (self.home, entry.path, owner),
            (self.home, f"{directory}{slash}{sibling_name(name, SET_ASIDE_SUFFIX)}", owner),
            (self.volume.anchor, entry.on_volume, owner),
            (self.volume.anchor, STATE, owner),
        )

    def note_seen(self) -> None:
        """Record on the volume that this workspace is in use, so that `gc` keeps its copies."""
        with suppress(OSError):  # problems of the volume are reported for each path
            note_seen(self.volume, self.id, self.settings.workspace.name)

    def clear_left(self) -> None:
        """Remove what killed runs left in the staging directory and in the home."""
        self.volume.clear_staging()
        if self.ledger.begun_copies():
            from coder_ws_runtime.persist.store.copies_in_home import clear_copies  # noqa: PLC0415 - it is rare

            clear_copies(self.home, self.ledger, self.attic)

    @cached_property
    def watched(self) -> bool:
        """Whether the daemon runs, or will run later in this boot.

        It links a file when a program has written it, so until then no link has to lead nowhere. It will run
        if systemd is PID 1 and its unit is enabled and not masked. If it was started by hand, it holds the
        lease.
        """
        if self.layout.systemd_runtime.is_dir():
            masked = os.path.realpath(self.layout.watch_unit) == os.devnull
            if not masked and os.path.lexists(self.layout.watch_wanted):
                return True
        return is_held(self.layout.volume, self.id)

    def mounted_in(self, path: str) -> str | None:
        """A mount point at or below a path of the home, relative to the path; None if there is none."""
        return mounted_in(self.layout.proc, self.home.path / path)
