"""Decide which copies to make before content is removed, and which of two versions wins. Pure."""

from coder_ws_runtime.identity import CopyRecord, Identity
from coder_ws_runtime.persist.reconcile.actions import Action, Operation
from coder_ws_runtime.persist.reconcile.observation import Difference, Observation, Origin, Pair
from coder_ws_runtime.persist.reconcile.provenance import Newer, Reason, is_unchanged, which_is_newer


class CopyPlan:
    """The copies after which everything of one origin of the home side also exists elsewhere.

    Args:
        seen: what there is.
        origin: whose content the pairs are.
        stays: it is not removed afterwards.
    """

    def __init__(self, seen: Observation, origin: Origin, *, stays: bool) -> None:
        self.seen = seen
        self.origin = origin
        self.stays = stays
        self.missing = tuple(pair.path for pair in seen.pairs if pair.difference is Difference.MISSING)
        self.winners: list[str] = []
        self.losers: list[str] = []
        self.directories: list[str] = []
        self._older: set[str] = set()
        """Whose content differs, and is older than the volume's."""
        for pair in seen.pairs:
            if pair.difference in (Difference.DIFFERS, Difference.METADATA):
                self._decide(pair)
        for pair in seen.pairs:
            if pair.database:
                self._follow_database(pair)

    def _follow_database(self, pair: Pair) -> None:
        """The last changes of a database win or lose with it, and come after it."""
        older = pair.database in self._older
        if not older and pair.database not in self.winners:
            return
        self.missing = tuple(path for path in self.missing if path != pair.path)
        for others in (self.winners, self.losers):
            if pair.path in others:
                others.remove(pair.path)
        if older and self.stays and _is_kept(pair, self.seen.records.get(pair.path)):
            return
        (self.losers if older else self.winners).append(pair.path)

    def _decide(self, pair: Pair) -> None:
        assert pair.home is not None  # noqa: S101 - what differs is on both sides
        assert pair.volume is not None  # noqa: S101
        verdict = which_is_newer(
            pair.home,
            pair.volume,
            self.seen.records.get(pair.path),
            replaced=self.seen.has_replaced(pair.path),
            aside=self.origin is Origin.ASIDE,
            stays=self.stays,
            awaited=self.seen.awaited,
            grown=not all(self._is_recorded(path, its) for path, its in pair.inside),
        )
        metadata = pair.difference is Difference.METADATA
        if verdict.newer is Newer.VOLUME and not metadata:
            self._older.add(pair.path)
        if verdict.newer is Newer.HOME:
            (self.directories if metadata and pair.directory else self.winners).append(pair.path)
        elif not metadata and not (self.stays and verdict.reason is Reason.COPIED):
            self.losers.append(pair.path)

    def _is_recorded(self, path: str, its: Identity) -> bool:
        record = self.seen.records.get(path)
        return record is not None and is_unchanged(its, record, aside=self.origin is Origin.ASIDE)

    def actions(self) -> tuple[Action, ...]:
        """The copies that update the volume, and those that keep the losing versions in the attic."""
        steps = (
            (Operation.COPY_IN, self.missing),
            (Operation.SUPERSEDE, tuple(self.winners)),
            (Operation.COPY_METADATA, tuple(self.directories)),
            (Operation.TO_ATTIC, tuple(self.losers)),
        )
        copies = tuple(Action(operation, self.origin, paths) for operation, paths in steps if paths)
        unnoted = self._unnoted()
        return (Action(Operation.NOTE_COPIES, self.origin, unnoted), *copies) if unnoted else copies

    def _unnoted(self) -> tuple[str, ...]:
        """Files that home and volume both have, and whose present state is not in the ledger.

        Without those whose mode or owner is a save: if recorded, they would be older than the volume's.
        """
        winners = frozenset(self.winners)
        return tuple(
            pair.path
            for pair in self.seen.pairs
            if pair.safe
            and not pair.directory
            and pair.path not in winners
            and not _is_noted(pair, self.seen.records.get(pair.path))
        )


def _is_kept(pair: Pair, record: CopyRecord | None) -> bool:
    return record is not None and record.kept and pair.home == record.home


def _is_noted(pair: Pair, record: CopyRecord | None) -> bool:
    if record is None or record.volume is None or pair.volume is None or not _is_kept(pair, record):
        return False
    return pair.volume.has_content_of(record.volume)
