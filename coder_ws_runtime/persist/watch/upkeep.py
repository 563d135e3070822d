"""What the daemon maintains between saves: the lease, the staging directory, the limits of the attic."""

from collections.abc import Callable

from coder_ws_runtime.errors import RefusedError, UserError
from coder_ws_runtime.persist.manifest.entry import Child
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.store.failures import failure_of
from coder_ws_runtime.persist.store.lease import Lease, Renewal
from coder_ws_runtime.system import journal


class Upkeep:
    """Runs with each sweep. A failure is reported once, and tried again at the next sweep.

    Args:
        session: home and volume, opened.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.children: tuple[Child, ...] = ()
        """Directories inside shared ones that are this workspace's own."""
        self.lease = Lease(session.volume, session.id, session.attic.workspace)
        self._said: dict[str, str] = {}

    @property
    def attic_is_due(self) -> bool:
        """Whether `keep_bounds` should be called before the next sweep, when nothing else is to be done."""
        return self.session.attic.is_due

    def run(self) -> None:
        """Do what is due now."""
        self.settle_children()
        self._try("staging", self.session.clear_left)
        self.keep_bounds()

    def settle_children(self) -> None:
        """Include those that were declared since the start, so that no other workspace waits for this one."""
        if self.children:
            self._try("children", self._settle_children)

    def keep_bounds(self) -> None:
        """Remove what is beyond the attic's limits."""
        self._try("attic", self._keep_bounds)

    def hold_lease(self) -> None:
        """Renew the lease, before a sweep looks at any path: `gc` may have taken the copies meanwhile."""
        self._try("lease", self._renew)

    def check_lease(self) -> None:
        """Take the lease again if it is lost. This is cheap enough for every poll."""
        if not self.lease.reads():
            self.hold_lease()

    def _try(self, what: str, work: Callable[[], None]) -> None:
        text = ""
        code = ""
        try:
            work()
        except UserError as error:
            text, code = str(error), error.code
        except OSError as error:
            failure = failure_of(str(self.session.volume.path), error)
            text, code = str(failure), failure.code
        except Exception as error:  # noqa: BLE001 - nothing of this is worth more than the saves
            text, code = f"{type(error).__name__}: {error}", "watch.unforeseen"
        if text and text != self._said.get(what):
            journal.log(f"{what}: {text}", journal.WARNING, {"code": code})
        self._said[what] = text

    def _settle_children(self) -> None:
        from coder_ws_runtime.persist.children import settle_child  # noqa: PLC0415 - not every image has any

        outcomes = [settle_child(self.session, child) for child in self.children]
        for outcome in outcomes:
            if outcome.attic and outcome.problem:
                text = f"~/{outcome.child.entry.path}: {outcome.problem} ({outcome.hint})"
                journal.log(text, journal.WARNING, {"code": outcome.state.value})
        errors = [outcome.error for outcome in outcomes if outcome.error]
        if errors:
            raise errors[0]

    def _renew(self) -> None:
        renewal = self.lease.renew()
        if renewal is Renewal.RETAKEN:
            text = "the lease of this workspace was lost, and is held again"
            journal.log(text, journal.WARNING, {"code": renewal.value})
            self._bring_back()
        if renewal is Renewal.LOST:
            raise RefusedError(
                "the lease of this workspace was lost, and another process holds it",
                code=renewal.value,
                hint="if the workspace runs twice, stop one of them",
            )

    def _bring_back(self) -> None:
        """Undo a `gc` on another host that took this workspace for deleted."""
        from coder_ws_runtime.persist.collect import bring_back  # noqa: PLC0415 - rarely needed

        batch = bring_back(self.session.attic, self.session.id)
        if batch:
            text = f"this workspace was taken for deleted; its copies are back from the attic ({batch})"
            journal.log(text, journal.WARNING, {"code": "lease.copies-returned"})

    def _keep_bounds(self) -> None:
        """Also if this process has added nothing: other processes have, and time has passed."""
        problems = self.session.attic.keep_bounds(always=True)
        if problems:
            raise problems[0]

    def close(self, *, stopped: bool = False) -> None:
        """Give the lease back; `stopped` as in :meth:`Lease.close`."""
        self.lease.close(stopped=stopped)
