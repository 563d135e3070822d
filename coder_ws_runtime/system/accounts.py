"""Users and groups of the workspace, from passwd(5) and group(5).

Not from getpwnam(3): the runtime also works on a directory tree that is not the running system (``--root``).
"""

from collections.abc import Iterator
from pathlib import Path

from coder_ws_runtime.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Group:
    """A line of group(5)."""

    name: str
    gid: int
    members: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class User:
    """The fields of passwd(5) that we need."""

    name: str
    uid: int
    gid: int


def read_user(file: Path, name: str) -> User | None:
    """The user with a name; None if there is none, or the file cannot be read."""
    return next((user for user in parse_users(_read(file)) if user.name == name), None)


def read_groups(file: Path) -> tuple[Group, ...]:
    """All groups, in the order of the file; empty if it cannot be read."""
    return tuple(parse_groups(_read(file)))


def parse_groups(text: str) -> Iterator[Group]:
    """The groups in a group(5) file. Malformed lines are ignored, as in getgrent(3)."""
    for line in text.split("\n"):
        match line.split(":"):
            case [name, _, gid, members] if name and _is_id(gid):
                yield Group(name, int(gid), frozenset(filter(None, members.split(","))))


def parse_users(text: str) -> Iterator[User]:
    """The users in a passwd(5) file. Malformed lines are ignored, as in getpwent(3)."""
    for line in text.split("\n"):
        match line.split(":"):
            case [name, _, uid, gid, _, _, _] if name and _is_id(uid) and _is_id(gid):
                yield User(name, int(uid), int(gid))


def _is_id(text: str) -> bool:
    """Whether the kernel accepts the number as an ID: 32 bits, and not the highest one."""
    return text.isascii() and text.isdecimal() and len(text) <= _DIGITS and int(text) < _NO_ID


_NO_ID = 0xFFFFFFFF
_DIGITS = len(str(_NO_ID))


def _read(file: Path) -> str:
    """The file's text; empty if it cannot be read."""
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
