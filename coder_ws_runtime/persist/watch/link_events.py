"""What has happened to each managed symlink, from events and from the links' present paths."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from coder_ws_runtime.fs.anchored import Anchor
from coder_ws_runtime.identity import Identity
from coder_ws_runtime.persist.link_search import LinkSearch, mount_points
from coder_ws_runtime.persist.manifest.entry import Entry, Kind
from coder_ws_runtime.persist.reconcile.event import (
    LINK_DELETED,
    LINK_DEPARTED,
    NO_EVENT,
    LinkEvent,
    link_moved,
)
from coder_ws_runtime.persist.renames import find_renames
from coder_ws_runtime.persist.session import Session
from coder_ws_runtime.persist.watch.change import Change, Sign
from coder_ws_runtime.persist.watch.links import Links, State

_KNOWN = (State.THERE, State.MOVED)
_ARRIVED = (Sign.SAVED, Sign.CREATED, Sign.FILLING)


class LinkEvents:
    """What is known about the link of each path since it was last settled.

    Args:
        session: home and volume, opened.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self._search = LinkSearch(session.volume.path, self._roots)
        self.links = Links(session.home, self._search)
        self.entries: Mapping[str, Entry] = {}
        """The declarations, by path."""
        self._signs: dict[str, Sign] = {}
        """The latest event of the path itself, since it was settled."""
        self._renamed: dict[str, str] = {}
        self._above: set[str] = set()
        self._departed: set[str] = set()
        """Paths whose link may be somewhere else."""
        self._elsewhere: set[str] = set()
        """The same, until their link is known to be in place or gone."""
        self._by_place: dict[str, list[str]] | None = None
        """These paths by the place of their link; None: it is to be found again, as events came."""
        self._deleted: dict[str, Identity | None] = {}
        """What the volume had when something was deleted at a path."""
        self._diverted: set[str] = set()
        """Paths that are the user's own link: what is deleted there is that link, and not the file."""

    def note(self, change: Change) -> None:
        """Record what events said about declared paths."""
        above = change.above & self.entries.keys()
        self._above |= above
        departed = above | change.moved & self.entries.keys()
        self._departed |= departed
        self._look_for(departed)
        for path, sign in change.signs.items():
            if path not in self.entries:
                continue
            self.links.note_change(path)
            if sign is not Sign.ABOVE:
                self._signs[path] = sign
                self._renamed.pop(path, None)
            if sign is Sign.DELETED:
                self._deleted[path] = self._volume_copy(path)
        for path, place in change.renamed.items():
            if path in self.entries:
                self._renamed[path] = place

    def note_again(self, path: str, sign: Sign) -> None:
        """Record an event that was taken but not handled, if there is no later one."""
        self._signs.setdefault(path, sign)

    def find_moved(self) -> None:
        """Look for all links that were moved: events may have been lost."""
        moved = self.links.moved()
        self._departed.update(moved)
        self._look_for(moved)

    def find_renamed(self, *, deep: bool) -> None:
        """Follow the links that are at other paths, by their text, if they are not followed yet.

        Args:
            deep: as for `find_renames`.
        """
        renamed = find_renames(self.session, self.entries, deep=deep)
        for path, place in renamed.items():
            if self.links.find(path).state not in _KNOWN:
                self.links.follow(path, f"{self.session.volume.path}/{self.entries[path].on_volume}", place)
        self._look_for(renamed)

    def sources(self, path: str) -> Iterator[str]:
        """The other paths whose link was renamed to this one, each once."""
        for source in self._at(path):
            if source in self._departed:
                self._departed.discard(source)
                yield source

    def _look_for(self, paths: Iterable[str]) -> None:
        self._elsewhere.update(paths)
        self._by_place = None

    def _at(self, path: str) -> list[str]:
        """The other paths whose link is at this one."""
        if self._by_place is None:
            if any(self.links.find(source).state not in _KNOWN for source in self._elsewhere):
                self.find_renamed(
                    deep=False
                )  # the daemon made the link just before, and does not follow it yet
            self._by_place = {}
            for source in list(self._elsewhere):
                found = self.links.find(source)
                if found.state is State.MOVED:
                    self._by_place.setdefault(found.path, []).append(source)
                else:
                    self._elsewhere.discard(source)
                if found.state is State.THERE:  # if it goes later, another event says so
                    self._departed.discard(source)
        return [source for source in self._by_place.get(path, ()) if self._is_at(source, path)]

    def _is_at(self, source: str, path: str) -> bool:
        """Whether the link of one path was renamed to another one."""
        found = self.links.find(source)
        return found.state is State.MOVED and found.path == path and source != path

    def next_place(self, path: str) -> str:
        """Where the link of a path was renamed to, in the home; empty: nowhere, or several changed places."""
        found = self.links.find(path)
        at, seen = found.path, {path}
        while at in self.entries and at not in seen:
            seen.add(at)
            at = self.links.find(at).path
        return "" if at == path else found.path

    def sign(self, path: str) -> Sign | None:
        """The latest event of the path itself, since it was settled; None if there was none."""
        return self._signs.get(path)

    def event(self, path: str) -> LinkEvent:
        """What has happened to the link of a path."""
        found = self.links.find(path)
        sign = self._signs.get(path)
        if found.state is State.MOVED:
            return self._moved(found.path, self._beyond(path), followed=bool(self._at(path)))
        if found.state is State.THERE:
            return NO_EVENT
        if sign is Sign.MOVED:
            # The renamed file is not the link that we followed: a save had replaced the link.
            return self._moved(self._renamed.get(path, ""))
        return NO_EVENT if path in self._above else self._gone(path, sign)

    def _gone(self, path: str, sign: Sign | None) -> LinkEvent:
        """What has happened to a link that does not exist any longer."""
        if sign in _ARRIVED and path in self._departed:
            return LINK_DEPARTED  # and was then deleted under its new name
        if sign is Sign.DELETED and path not in self._diverted and not self._was_saved_since(path):
            return LINK_DEPARTED if self._may_be_in_use(path) else LINK_DELETED
        return NO_EVENT

    def _was_saved_since(self, path: str) -> bool:
        """Whether the volume's copy has changed since the link was deleted: another workspace saved it."""
        return path in self._deleted and self._volume_copy(path) != self._deleted[path]

    def _volume_copy(self, path: str) -> Identity | None:
        with suppress(OSError):
            found = self.session.volume.anchor.status(self.entries[path].on_volume)
            return Identity.of(found) if found is not None else None
        return None

    def _may_be_in_use(self, path: str) -> bool:
        """Whether another link may lead to the content: mv(1) to another file system creates a new one."""
        on_volume = self.entries[path].on_volume
        if self._exists(self.session.home, path) or not self._exists(self.session.volume.anchor, on_volume):
            return False  # then nothing can be lost
        return self._search.may_have(f"{self.session.volume.path}/{on_volume}", self.links.changed(path))

    def _roots(self) -> Iterator[Path]:
        """Where a user of a workspace may move or copy a link; first what has changed."""
        home, volume = self.session.home.path, self.session.volume.path
        yield from {home / path.rpartition("/")[0] for path in self._signs}
        yield home
        kept = (entry.on_volume for entry in self.entries.values() if entry.kind is Kind.DIRECTORY)
        yield from (volume / path for path in kept)
        yield from mount_points(self.session.layout.proc)

    @staticmethod
    def _exists(anchor: Anchor, path: str) -> bool:
        with suppress(OSError):
            return anchor.status(path) is not None
        return False

    def _moved(self, place: str, beyond: tuple[Entry, ...] = (), *, followed: bool = False) -> LinkEvent:
        if not place:
            return LINK_DEPARTED
        return link_moved(place, self.entries.get(place), beyond, followed=followed)

    def _beyond(self, path: str) -> tuple[Entry, ...]:
        """The declared paths after the one that has the link, if links have changed places in turn."""
        turn: list[Entry] = []
        at = path
        while len(turn) < len(self.entries):
            found = self.links.find(at)
            if found.state is State.MOVED and found.path == path:
                return tuple(turn[1:])
            if found.state is not State.MOVED or found.path not in self.entries:
                return ()
            at = found.path
            turn.append(self.entries[at])
        return ()

    def note_settled(self, path: str, target: str, *, diverted: bool) -> None:
        """Follow the link at a path, whose text is `target`; below a user's link, the former one."""
        if diverted:
            self._diverted.add(path)
        else:
            self._diverted.discard(path)
            self.links.follow(path, target)

    def follow_new(self, path: str, fd: int, name: str) -> None:
        """As `Session.follow_link`."""
        if path in self.entries:
            self.links.follow_new(
                path, f"{self.session.volume.path}/{self.entries[path].on_volume}", fd, name
            )

    def take(self, path: str) -> None:
        """Forget what events said about a path."""
        self._signs.pop(path, None)
        self._renamed.pop(path, None)
        self._deleted.pop(path, None)
        self._above.discard(path)
        self._departed.discard(path)

    def forget(self, path: str) -> None:
        """Forget a path, and stop following its link."""
        self.links.forget(path)
        self.take(path)
        self._diverted.discard(path)
