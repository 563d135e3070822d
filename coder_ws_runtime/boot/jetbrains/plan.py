"""Decide what to do. No clock, no environment, no file system."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.boot.jetbrains import environment, properties
from coder_ws_runtime.boot.jetbrains.observe import Observed, Settings
from coder_ws_runtime.boot.jetbrains.properties import ANY_IDE, CONFIG, LOG, PLUGINS, SYSTEM
from coder_ws_runtime.dataclass import dataclass
from coder_ws_runtime.text import plural


@dataclass(frozen=True, slots=True)
class Places:
    """Where things are, written as IDEs will use them."""

    dist: str
    volume: str
    config: str
    data: str
    tmp: str


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """Create a directory that only the user can read."""

    path: Path

    def describe(self, *, done: bool = False) -> str:
        """What this does, or did."""
        return f"{'created' if done else 'create'} {self.path}"


@dataclass(frozen=True, slots=True)
class Write:
    """Write a file whose content is still `before`, or which does not exist."""

    path: Path
    content: bytes
    before: bytes | None

    def describe(self, *, done: bool = False) -> str:
        """What this does, or did."""
        verb = ("wrote" if done else "write") if self.before is None else "updated" if done else "update"
        return f"{verb} {self.path}"


@dataclass(frozen=True, slots=True)
class SetAside:
    """Rename an unusable file, so that a good one can replace it."""

    path: Path
    before: bytes

    def describe(self, *, done: bool = False) -> str:  # noqa: ARG002 - the word is the same
        """What this does, or did."""
        return f"set {self.path} aside"


@dataclass(frozen=True, slots=True)
class Empty:
    """Empty a directory whose content programs create again."""

    path: Path

    def describe(self, *, done: bool = False) -> str:
        """What this does, or did."""
        return f"{'emptied' if done else 'empty'} {self.path}"


@dataclass(frozen=True, slots=True)
class RemoveLock:
    """Remove the lock of an IDE whose container no longer exists."""

    path: Path
    changed: float
    shared: bool

    def describe(self, *, done: bool = False) -> str:
        """What this does, or did."""
        return f"{'removed' if done else 'remove'} {self.path}, the lock of an IDE that no longer runs"


Action = MakeDirectory | Write | SetAside | Empty | RemoveLock


@dataclass(frozen=True, slots=True)
class Note:
    """Something that the user should know."""

    code: str
    message: str
    hint: str = ""
    warning: bool = True
    about: Path | None = None
    """The file or link that it is about."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, in this order, and what to report."""

    actions: tuple[Action, ...]
    notes: tuple[Note, ...]
    ides: tuple[str, ...]


def plan(seen: Observed, places: Places, *, allow_updates: bool) -> Plan:
    """Decide."""
    actions: list[Action] = [MakeDirectory(path) for path in seen.missing]
    notes: list[Note] = []
    for action, note in (*_environment(seen, places, allow_updates), *_all_properties(seen, places)):
        if action is not None:
            actions.append(action)
        if note is not None:
            notes.append(note)
    pruned, note = _pruned(seen)
    actions += pruned
    if note is not None:
        notes.append(note)
    if seen.cache_lasts:
        notes.append(
            Note(
                "jetbrains.cache-lasts",
                "~/.cache/JetBrains is on the volume, where the caches of several workspaces mix",
                "remove it from the persisted paths",
            )
        )
    ides = tuple(file.ide for file in seen.properties if file.ide)
    return Plan(tuple(actions), tuple(notes), ides)


Step = tuple[Action | None, Note | None]


def _environment(seen: Observed, places: Places, allow_updates: bool) -> Iterator[Step]:  # noqa: FBT001
    path, before = seen.environment.path, seen.environment.content
    if seen.environment.problem or seen.environment.dangling:
        yield None, _unreadable(seen.environment)
        return
    try:
        content = environment.merged(before, dist=places.dist, allow_updates=allow_updates)
    except environment.BrokenError as error:
        hint = "it is kept next to the new one; copy over what you need from it"
        yield (
            SetAside(path, before or b""),
            Note("jetbrains.environment", f"{path}: {error}", hint, about=path),
        )
        before = None
        content = environment.merged(None, dist=places.dist, allow_updates=allow_updates)
    if content != before:
        yield Write(path, content, before), None


def _all_properties(seen: Observed, places: Places) -> Iterator[Step]:
    for file in seen.properties:
        yield from _properties(file, places, lasts=seen.properties_last or bool(file.ide))


def _unreadable(file: Settings) -> Note:
    if file.dangling:
        # The dotfiles may arrive later: a directory created in their place would be in the way.
        message = f"{file.path} is not written: {file.dangling} is a link that leads nowhere yet"
        hint = f"create its target, or remove the link: rm {shlex.quote(str(file.dangling))}"
        return Note("jetbrains.dangling-link", message, hint, about=file.dangling)
    return Note(
        "jetbrains.unreadable",
        f"{file.path}: {file.problem}",
        "make it a file that you can read",
        about=file.path,
    )


def _properties(file: Settings, places: Places, *, lasts: bool) -> Iterator[Step]:
    if file.problem or file.dangling:
        yield None, _unreadable(file)
        return
    ide = file.ide or ANY_IDE
    wanted = {
        CONFIG: f"{places.config}/{ide}",
        PLUGINS: f"{places.data}/{ide}",
        SYSTEM: f"{places.tmp}/system/{ide}",
        LOG: f"{places.tmp}/log/{ide}",
    }
    # IDEs read UTF-8; other bytes pass through unchanged.
    text = None if file.content is None else file.content.decode(errors="surrogateescape")
    try:
        done = properties.completed(text, wanted, ours=f"{places.tmp}/", in_home=not file.ide)
    except properties.BrokenError as error:
        message = f"{file.path}: {error}"
        yield (
            None,
            Note("jetbrains.properties", message, "correct or remove that line", about=file.path),
        )
        return
    content = done.text.encode(errors="surrogateescape")
    if content != file.content:
        yield Write(file.path, content, file.content), None
    system = done.theirs.get(SYSTEM, "")
    on_volume = system.startswith(f"{places.volume}/")
    if done.edited and not lasts and not on_volume:
        message = f"{file.path} has lines of yours, which are lost at the next start"
        yield (
            None,
            Note(
                "jetbrains.properties-not-kept",
                message,
                f"home-persist add {file.path.name}",
                about=file.path,
            ),
        )
    if on_volume:
        yield (
            None,
            Note(
                "jetbrains.system-lasts",
                f"{file.path}: {SYSTEM} is on the volume, where IDEs of other workspaces would use it too",
                f"remove that line; the IDE then uses {wanted[SYSTEM]}",
                about=file.path,
            ),
        )


def _pruned(seen: Observed) -> tuple[list[Action], Note | None]:
    """Remove what need not be kept, unless a program may be using it."""
    idle = [transient.path for transient in seen.transients if not transient.used]
    stale = [
        RemoveLock(lock.path, lock.changed, lock.shared) for lock in seen.locks if lock.changed < seen.born
    ]
    if seen.others:
        ours = [lock for lock in stale if not lock.shared]
        if not idle and ours == stale:
            return list(ours), None
        who = f"{plural(len(seen.others), 'other workspace')} of yours ({', '.join(seen.others[:3])})"
        return list(ours), Note(
            "jetbrains.not-pruned",
            f"caches, logs and locks of IDEs are left alone: {who} may be using them",
            warning=False,
        )
    return [*map(Empty, idle), *stale], None
